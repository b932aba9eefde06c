"""The keywords of strings, numbers and constants as a grammar has them; part of :mod:`proseform.schema.writer`."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from proseform.schema import writable
from proseform.schema.draft import CONST_SINCE, Number

_COPIED = ("type", "minLength", "maxLength", "pattern", "minItems", "maxItems", "required")
_LENGTHS = ("minLength", "maxLength", "minItems", "maxItems")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def scalars(
    schema: Mapping[str, Any], draft: Number, multiples: Collection[float] = ()
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What a grammar says of the values themselves, and what it leaves to the verifier, each with the reason.

    >>> scalars({"type": "integer", "minimum": 0, "exclusiveMinimum": True, "multipleOf": 1e-300}, 4)
    ({'type': 'integer', 'exclusiveMinimum': 0}, [('multipleOf', 'its automaton would be too large')])
    """
    out: dict[str, Any] = {key: schema[key] for key in _COPIED if key in schema}
    out |= {key: int(out[key]) for key in _LENGTHS if key in out}
    left: list[tuple[str, str]] = []
    for key, value in _constants(schema, draft, left):
        out[key] = value
    for key, value in _bounds(schema).items():
        if writable.bound(value):
            out[key] = value
        else:
            left.append((key, "engines do not keep bounds of so many digits"))
        if key.startswith("exclusive") and schema.get("type") != "integer" and key in out:
            left.append((key, "engines write numbers so near to the bound that they round to it"))
    if "multipleOf" in schema:
        if schema["multipleOf"] in multiples:
            out["multipleOf"] = schema["multipleOf"]
        else:
            left.append(("multipleOf", "its automaton would be too large"))
    if isinstance(name := schema.get("format"), str) and name in writable.CHECKED:
        if name in writable.FORMATS:
            out["format"] = name
        else:
            left.append(("format", f"engines do not write '{name}'"))
    return out, left


def kept_multiples(schemas: Iterable[Mapping[str, Any] | bool]) -> set[float]:
    """The values of ``multipleOf`` that a grammar keeps, as long as one automaton may hold them all together."""
    kept: set[float] = set()
    states = 1
    for schema in schemas:
        value = schema.get("multipleOf") if isinstance(schema, Mapping) else None
        if value is not None and value not in kept:
            further = writable.remainders(value)
            if further and math.lcm(states, further) <= writable.MAX_MULTIPLE:
                states = math.lcm(states, further)
                kept.add(value)
    return kept


def _constants(schema: Mapping[str, Any], draft: Number, left: list[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """``enum`` and ``const``, without what cannot be written; an empty enum where nothing of them can."""
    for key in ("enum", "const") if draft >= CONST_SINCE else ("enum",):
        if key in schema:
            values = schema[key] if key == "enum" else [schema[key]]
            kept = [value for value in values if writable.constant(value)]
            if len(kept) < len(values):
                lost = next(value for value in values if not writable.constant(value))
                left.append((key, f"{str(lost)[:60]} holds an integer that no double holds: engines cannot write it"))
            yield ("const", kept[0]) if key == "const" and kept else ("enum", kept)


def _bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds of a number; draft 4's flags become bounds."""
    bounds = {key: schema[key] for key in _BOUNDS if key in schema}
    for flag, key in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(bounds.get(flag), bool) and bounds.pop(flag) and key in bounds:
            bounds[flag] = bounds.pop(key)
    return bounds
