"""What a value takes from an input and has no right to there, taken out of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from proseform.claims import quotes
from proseform.claims.judged import at, named
from proseform.claims.stated import Claims, Synonyms
from proseform.input import Input
from proseform.schema import pointer
from proseform.verdict import Correction


def struck(
    value: Any, place: str, claims: Claims, inputs: Mapping[str, Input], synonyms: Synonyms
) -> tuple[Any, Correction] | None:
    """The value without the quotes at a place where none can stand, and what was taken out; None where one can.

    None can where the schema says of the text or the list (``x-absent``) that it is empty where inputs do not name what
    stands beside it, and they do not name it. What else the object around it takes from these inputs alone goes too: it
    was said of the quotes.

    Args:
        value: A value that conforms to the schema; it is not changed.
        place: JSON pointer of a quote.
        claims: What the schema states.
        inputs: The task's inputs, by name.
        synonyms: Other names of things.

    >>> from proseform.schema import Schema
    >>> from proseform.claims import claims
    >>> shown = {"x-absent": {"input": "note", "names": "of"}, "x-from": "note"}
    >>> stated = claims(Schema({"properties": {"of": {}, "shown": shown}}), ["note"])
    >>> struck({"of": "map", "shown": "old"}, "/shown", stated, {"note": Input.of("old map")}, {})
    >>> value, put_right = struck({"of": "pen", "shown": "old"}, "/shown", stated, {"note": Input.of("old map")}, {})
    >>> value, put_right.said
    ({'of': 'pen', 'shown': ''}, 'old')
    """
    for around, location, stated in claims.schema.annotations(value):
        absence = claims.absence(location, stated)
        if absence is None or not f"{place}/".startswith(f"{around}/"):
            continue
        part, beside = at(value, around)
        if not part or next(named(beside, absence, inputs, synonyms), None) is not None:
            return None
        result = copy.deepcopy(value)
        for taken in _taken(value, around.rpartition("/")[0], claims, frozenset(absence.inputs)):
            pointer.put(result, taken, [] if isinstance(at(value, taken)[0], list) else "")
        correction = Correction(around, part, at(result, around)[0])
        return (result, correction) if claims.schema.fault(result) is None else None
    return None


def astray(value: Any, place: str, claims: Claims, inputs: Mapping[str, Input]) -> tuple[Any, str, Correction] | None:
    r"""The value without a text that stands in an input, but on no line with the field beside it.

    Gives the place of that field too, and what was taken out. None where the schema says nothing of the kind there
    (``x-supports`` with ``beside``), the text stands nowhere, or it cannot be empty.

    Args:
        value: A value that conforms to the schema; it is not changed.
        place: JSON pointer of a text that is not grounded.
        claims: What the schema states.
        inputs: The task's inputs, by name.

    >>> from proseform.schema import Schema
    >>> from proseform.claims import claims
    >>> years = {"x-from": "note", "x-supports": {"beside": "of"}}
    >>> stated = claims(Schema({"properties": {"of": {}, "years": years}}), ["note"])
    >>> value, beside, put_right = astray(
    ...     {"of": "pen", "years": "2 years"}, "/years", stated, {"note": Input.of("a pen\na map, 2 years")})
    >>> value, beside, put_right.said
    ({'of': 'pen', 'years': ''}, '/of', '2 years')
    """
    for around, location, stated in claims.schema.annotations(value):
        source = claims.source(location, stated) if around == place else None
        if source is None or not source.beside:
            continue
        text, beside = at(value, place)
        parent = place.rpartition("/")[0]
        if not isinstance(text, str) or not isinstance(beside.get(source.beside), str):
            return None
        if pointer.at(value, parent) is not beside:
            return None
        if not any(True for name in source.inputs for _ in quotes.places(text, inputs[name].text)):
            return None
        result = copy.deepcopy(value)
        pointer.put(result, place, "")
        if claims.schema.fault(result) is not None:
            return None
        return result, f"{parent}/{pointer.escaped(source.beside)}", Correction(place, text, "")
    return None


def _taken(value: Any, below: str, claims: Claims, inputs: frozenset[str]) -> Iterator[str]:
    """Where the fields of an object stand that are taken from these inputs alone, texts or lists of them."""
    places = dict[str, None]()
    for place, location, stated in claims.schema.annotations(value):
        source = claims.source(location, stated)
        if source is not None and place.startswith(f"{below}/") and inputs.issuperset(source.inputs):
            field = place[len(below) + 1 :].partition("/")[0]
            places[f"{below}/{field}"] = None
    return iter(places)
