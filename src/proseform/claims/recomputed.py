"""What follows from the rest of a value, computed anew where the value says otherwise."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from proseform.claims.derivations import NOTHING, Underivable
from proseform.claims.judged import at, due
from proseform.claims.stated import Claims
from proseform.schema import pointer
from proseform.strict import same
from proseform.verdict import Correction

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
                _put(result, one.place, one.follows)
                places[one.place] = None
    return value, ()


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


def _put(value: Any, place: str, part: Any) -> None:
    """Put a part at a place of a value."""
    *way, last = pointer.steps(place)
    for step in way:
        value = value[step] if isinstance(value, dict) else value[int(step)]
    value[last if isinstance(value, dict) else int(last)] = part
