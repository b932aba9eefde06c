"""What follows from the rest of a value, computed anew where the value says otherwise, and what that lacks."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proseform.claims.derivations import NOTHING, Derivation, Underivable
from proseform.claims.judged import at, due
from proseform.claims.stated import Claims
from proseform.schema import pointer
from proseform.strict import same
from proseform.verdict import Correction

_FAR = "2099"
"""A date after any period."""
_ROUNDS = 8
"""Rounds: in each, what follows from nothing that is wrong itself; months, then verdicts, a score, a recommendation."""


def recomputed(value: Any, claims: Claims) -> tuple[Any, tuple[Correction, ...]]:
    """The value with every ``x-derive`` computed from the rest of it, and what was put right.

    Where something cannot be computed, or follows from itself, the value stays as it is.

    Args:
        value: A value that conforms to the schema; it is not changed.
        claims: What the schema states.

    >>> from proseform.schema import Schema
    >>> from proseform.claims import claims
    >>> schema = Schema({"properties": {"of": {}, "n": {"x-derive": {"count": "/of"}}}})
    >>> value, put_right = recomputed({"of": [1, 2], "n": 3}, claims(schema, []))
    >>> value["n"], [(one.pointer, one.said, one.follows) for one in put_right]
    (2, [('/n', 3, 2)])
    """
    result, places = copy.deepcopy(value), dict[str, None]()
    for _ in range(_ROUNDS):
        try:
            wrong = [*_wrong(result, claims)]
        except Underivable:
            break
        if not wrong:
            said = ((place, pointer.at(value, place), pointer.at(result, place)) for place in places)
            return result, tuple(Correction(*one) for one in said if not same(one[1], one[2]))
        for one in wrong:
            if not any(_touch(operand, other.place) for operand in one.operands for other in wrong):
                pointer.put(result, one.place, one.follows)
                places[one.place] = None
    return value, ()


def undated(value: Any, claims: Claims) -> str:
    """Where the date is missing that periods of a value run to; empty where none is.

    Args:
        value: A value that conforms to the schema.
        claims: What the schema states.

    >>> from proseform.schema import Schema
    >>> from proseform.claims import claims
    >>> months = {"x-derive": {"difference": "/periods", "unit": "months", "until": "/written"}}
    >>> stated = claims(Schema({"properties": {"periods": {}, "written": {}, "months": months}}), [])
    >>> [undated({"periods": [one], "written": "", "months": 3}, stated) for one in ("2019 to present", "2019 to 2020")]
    ['/written', '']
    """
    for place, location, stated in claims.schema.annotations(value):
        derivation = claims.derivation(location, stated)
        if derivation is None or not derivation.until.startswith("/") or pointer.at(value, derivation.until) != "":
            continue
        beside = at(value, place)[1]
        dated = copy.deepcopy(value)
        pointer.put(dated, derivation.until, _FAR)
        if not _derivable(value, beside, derivation, claims) and _derivable(dated, beside, derivation, claims):
            return derivation.until
    return ""


def _derivable(value: Any, beside: Mapping[str, Any], derivation: Derivation, claims: Claims) -> bool:
    """Whether something follows, or nothing does."""
    try:
        due(beside, value, derivation, claims.absent)
    except Underivable:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A part of a value that does not say what follows.

    Attributes:
        place: Its JSON pointer.
        follows: What follows, of the operands as they are.
        operands: The pointers of what it follows from.
    """

    place: str
    follows: Any
    operands: tuple[str, ...]


def _wrong(value: Any, claims: Claims) -> Iterator[_Wrong]:
    """The parts of a value that do not say what follows; within one of them nothing else is looked at."""
    named: list[str] = []
    for place, location, stated in claims.schema.annotations(value):
        derivation = claims.derivation(location, stated)
        if derivation is None or any(place.startswith(f"{one}/") for one in named):
            continue
        part, beside = at(value, place)
        follows = due(beside, value, derivation, claims.absent)
        if follows is not NOTHING and not same(part, follows):
            named.append(place)
            around = place.rpartition("/")[0]
            operands = (of if of.startswith("/") else f"{around}/{pointer.escaped(of)}" for of in derivation.operands)
            yield _Wrong(place, follows, tuple(operands))


def _touch(one: str, other: str) -> bool:
    """Whether one of two places lies within the other, or both are one."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
