"""Bounds for a schema that has none, by the answers that it must take: engines write nothing without end.

A text may be twice as long as the longest that was seen, an array hold twice as many items, a number be ten times as
large; objects are closed. What has a bound keeps it. Left out: what references lead back to what holds them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proseform.schema import pointer

SHORTEST, FEWEST = 40, 4
"""Least bounds of texts, in characters, and of arrays, in items."""
_DEEPEST = 30


def bounded(document: Mapping[str, Any], answers: Iterable[Any]) -> dict[str, Any]:
    """A copy of a schema, with bounds where it has none.

    Args:
        document: The schema.
        answers: JSON values that conform to it.

    >>> bounded({"type": "object", "properties": {"n": {"type": "integer"}}}, [{"n": 7}])["properties"]["n"]
    {'type': 'integer', 'minimum': 0, 'maximum': 100}
    """
    own: dict[str, Any] = copy.deepcopy(dict(document))
    _bound(own, list(answers), own, 0)
    return own


def _bound(node: Any, values: Sequence[Any], root: Mapping[str, Any], depth: int) -> None:
    """Bound a subschema in its place; ``values`` are those that reach it."""
    if not isinstance(node, dict) or depth > _DEEPEST:
        return
    if isinstance(node.get("$ref"), str):
        _bound(pointer.at(root, node["$ref"].removeprefix("#")), values, root, depth + 1)
    for branch in (one for key in ("anyOf", "allOf", "oneOf") for one in node.get(key, ())):
        _bound(branch, values, root, depth + 1)
    if {"enum", "const"} & node.keys():
        return
    kinds = node.get("type")
    for kind in [kinds] if isinstance(kinds, str) else kinds or []:
        _BOUNDS.get(kind, _nothing)(node, values)
    objects = [value for value in values if isinstance(value, dict)]
    for name, field in node.get("properties", {}).items():
        _bound(field, [value[name] for value in objects if name in value], root, depth + 1)
    items = [item for value in values if isinstance(value, list) for item in value]
    _bound(node.get("items"), items, root, depth + 1)


def _nothing(_node: dict[str, Any], _values: Sequence[Any]) -> None:
    """A kind that has no end."""


def _text(node: dict[str, Any], values: Sequence[Any]) -> None:
    """Twice the longest text, in steps of ten."""
    longest = max((len(value) for value in values if isinstance(value, str)), default=0)
    node.setdefault("maxLength", max(SHORTEST, math.ceil(longest / 5) * 10, node.get("minLength", 0)))


def _array(node: dict[str, Any], values: Sequence[Any]) -> None:
    """Twice the longest array."""
    most = max((len(value) for value in values if isinstance(value, list)), default=0)
    node.setdefault("maxItems", max(FEWEST, 2 * most, node.get("minItems", 0)))


def _number(node: dict[str, Any], values: Sequence[Any]) -> None:
    """From 0, or ten times the lowest, to the power of ten that the largest has room below."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    lowest, highest = min(numbers, default=0), max(numbers, default=0)
    node.setdefault("minimum", 0 if lowest >= 0 else -_power(-lowest))
    node.setdefault("maximum", max(_power(highest), node["minimum"]))


def _object(node: dict[str, Any], _values: Sequence[Any]) -> None:
    """Closed."""
    node.setdefault("additionalProperties", False)


def _power(number: float) -> int:
    """The power of ten above ten times a number from 0 on; 10 for less than 1."""
    return 10 ** (len(str(int(number))) + 1) if number >= 1 else 10


_BOUNDS = {"string": _text, "array": _array, "integer": _number, "number": _number, "object": _object}
