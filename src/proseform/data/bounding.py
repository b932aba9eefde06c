"""Bounds for a schema that has none, by the answers that it must take: engines write nothing without end.

A text may be twice as long as the longest that was seen, an array hold twice as many items, a number be ten times as
large; objects are closed. What has a bound keeps it, and what several places refer to is bounded by the values of all
of them. Left out: how deep a schema that refers to itself may go.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from proseform.schema import pointer

SHORTEST, FEWEST = 40, 4
"""Least bounds of texts, in characters, and of arrays, in items."""


def bounded(document: Mapping[str, Any], answers: Iterable[Any]) -> dict[str, Any]:
    """A copy of a schema, with bounds where it has none.

    Args:
        document: The schema.
        answers: JSON values that conform to it.

    >>> bounded({"type": "object", "properties": {"n": {"type": "integer"}}}, [{"n": 7}])["properties"]["n"]
    {'type': 'integer', 'minimum': 0, 'maximum': 100}
    """
    own: dict[str, Any] = copy.deepcopy(dict(document))
    for node, values in _reached(own, list(answers)):
        _bound(node, values)
    return own


def _reached(root: dict[str, Any], answers: list[Any]) -> list[tuple[dict[str, Any], list[Any]]]:
    """Every subschema with the values that reach it, by whatever way and each once.

    Told apart by identity: the document and the answers live as long as this runs.
    """
    nodes: dict[int, dict[str, Any]] = {}
    reaching: dict[int, dict[int, Any]] = {}
    queue: list[tuple[Any, list[Any]]] = [(root, answers)]
    for node, values in queue:
        if not isinstance(node, dict):
            continue
        seen = reaching.setdefault(id(node), {})
        fresh = {id(value): value for value in values if id(value) not in seen}
        if id(node) in nodes and not fresh:
            continue
        nodes[id(node)] = node
        seen |= fresh
        queue += _below(node, list(fresh.values()), root)
    return [(node, list(reaching[key].values())) for key, node in nodes.items()]


def _below(node: dict[str, Any], values: list[Any], root: Mapping[str, Any]) -> Iterator[tuple[Any, list[Any]]]:
    """The subschemas that a subschema applies, each with the values that it applies it to."""
    if isinstance(node.get("$ref"), str):
        yield pointer.at(root, node["$ref"].removeprefix("#")), values
    yield from ((branch, values) for key in ("anyOf", "allOf", "oneOf") for branch in node.get(key, ()))
    if _listed(node):
        return
    objects = [value for value in values if isinstance(value, dict)]
    for name, field in node.get("properties", {}).items():
        yield field, [value[name] for value in objects if name in value]
    yield node.get("items"), [item for value in values if isinstance(value, list) for item in value]


def _listed(node: Mapping[str, Any]) -> bool:
    """Whether a subschema names its values one by one."""
    return bool({"enum", "const"} & node.keys())


def _bound(node: dict[str, Any], values: Sequence[Any]) -> None:
    """Bound a subschema in its place; ``values`` are those that reach it."""
    kinds = [] if _listed(node) else node.get("type")
    for kind in [kinds] if isinstance(kinds, str) else kinds or []:
        _BOUNDS.get(kind, _nothing)(node, values)


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
    """From 0, or ten times the lowest, to the power of ten that the largest has room below.

    An exclusive bound is repeated as an ordinary one, which takes nothing away: what has no ``minimum`` and ``maximum``
    counts as unbounded.
    """
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if _is_number(node.get(exclusive)):
            node.setdefault(bound, node[exclusive])
    numbers = [value for value in (*values, *(node.get(key) for key in ("minimum", "maximum"))) if _is_number(value)]
    lowest, highest = min(numbers, default=0), max(numbers, default=0)
    node.setdefault("minimum", 0 if lowest >= 0 else -_power(-lowest))
    node.setdefault("maximum", _power(highest))


def _is_number(value: Any) -> bool:
    """Whether JSON has a value as a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(node: dict[str, Any], _values: Sequence[Any]) -> None:
    """Closed."""
    node.setdefault("additionalProperties", False)


def _power(number: float) -> int:
    """The power of ten above ten times a number from 0 on; 10 for less than 1."""
    return 10 ** (len(str(int(number))) + 1) if number >= 1 else 10


_BOUNDS = {"string": _text, "array": _array, "integer": _number, "number": _number, "object": _object}
