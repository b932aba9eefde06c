"""A place of a JSON schema as a list of alternatives, each with its conjunctions merged: what a guide counts with.

Left out, so wider than the schema: patterns and formats (but for a sample), ``not``, ``if`` and what relates two
places.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proseform.infer.endings import samples

KINDS = ("null", "boolean", "integer", "number", "string", "array", "object")


@dataclass(slots=True)
class Shape:
    """One alternative of a place, its conjunctions merged.

    Attributes:
        kinds: Types it may have.
        constants: Its values, where an enum or constant names them.
        required: Keys that must be there.
        properties: Subschemas by key.
        others: The subschema of other keys.
        items: The subschema of items behind ``prefix``.
        prefix: Subschemas of the first items.
        least: Least bytes of a string, items of an array, members of an object.
        low: The least value of a number.
        high: The greatest value of a number.
        sample: A string of its pattern or format, where it has one.
        free: Whether a string may hold any text.
    """

    kinds: tuple[str, ...] = KINDS
    constants: tuple[Any, ...] | None = None
    required: tuple[str, ...] = ()
    properties: dict[str, Any] | None = None
    others: Any = True
    items: Any = True
    prefix: tuple[Any, ...] = ()
    least: tuple[int, int, int] = (0, 0, 0)
    low: float = -math.inf
    high: float = math.inf
    sample: str = ""
    free: bool = True


def plain(node: Mapping[str, Any]) -> Shape:
    """The keywords of one subschema, connectives aside."""
    stated = node.get("type", KINDS)
    constants = node.get("enum", [node["const"]] if "const" in node else None)
    prefix = node.get("prefixItems", node["items"] if isinstance(node.get("items"), list) else ())
    items = node.get("items", True)
    sample = _sample(node)
    texts = int(node.get("minLength", 0)) if isinstance(node.get("minLength", 0), int | float) else 0
    return Shape(
        kinds=(stated,) if isinstance(stated, str) else tuple(stated),
        constants=tuple(constants) if isinstance(constants, list) else None,
        required=tuple(name for name in node.get("required", ()) if isinstance(name, str)),
        properties=dict(node["properties"]) if isinstance(node.get("properties"), Mapping) else None,
        others=node.get("additionalProperties", True),
        items=node.get("additionalItems", True) if isinstance(items, list) else items,
        prefix=tuple(prefix),
        least=(max(texts, len(sample)), _count(node, "minItems"), _count(node, "minProperties")),
        low=_number(node, ("minimum", "exclusiveMinimum"), -math.inf),
        high=_number(node, ("maximum", "exclusiveMaximum"), math.inf),
        sample=sample,
        free=not {"pattern", "format"} & node.keys(),
    )


def both(one: Shape, other: Shape) -> Shape:
    """Two shapes that hold at once."""
    properties = None
    if one.properties is not None or other.properties is not None:
        properties = {**(other.properties or {}), **(one.properties or {})}
    kinds = tuple(kind for kind in KINDS if _admits(one.kinds, kind) and _admits(other.kinds, kind))
    return Shape(
        kinds=kinds,
        constants=one.constants if one.constants is not None else other.constants,
        required=tuple(dict.fromkeys((*one.required, *other.required))),
        properties=properties,
        others=one.others if one.others is not True else other.others,
        items=one.items if one.items is not True else other.items,
        prefix=one.prefix or other.prefix,
        least=(
            max(one.least[0], other.least[0]),
            max(one.least[1], other.least[1]),
            max(one.least[2], other.least[2]),
        ),
        low=max(one.low, other.low),
        high=min(one.high, other.high),
        sample=one.sample or other.sample,
        free=one.free and other.free,
    )


def _sample(node: Mapping[str, Any]) -> str:
    """A string of a pattern or format."""
    pattern, form = node.get("pattern"), node.get("format")
    text = samples.of_pattern(pattern) if isinstance(pattern, str) else None
    return text or (samples.FORMATS.get(form, "") if isinstance(form, str) else "")


def _admits(kinds: tuple[str, ...], kind: str) -> bool:
    """Whether a list of types admits a type; integers are numbers."""
    return kind in kinds or (kind == "integer" and "number" in kinds)


def _count(node: Mapping[str, Any], key: str) -> int:
    """A count, 0 where there is none."""
    value = node.get(key, 0)
    return int(value) if isinstance(value, int | float) else 0


def _number(node: Mapping[str, Any], keys: tuple[str, ...], default: float) -> float:
    """A bound; the exclusive ones of draft 4, which are true or false, are none."""
    bounds = [float(node[key]) for key in keys if isinstance(node.get(key), int | float) and node[key] is not True]
    return bounds[0] if bounds else default
