"""In which order the fields of an object are written: what quotes an input first, then as the schema has them.

What follows from others (``x-derive``) stands behind them: a verdict comes after its evidence. Left out: fields that
only patterns or open objects name, which are written as they come, behind all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proseform.claims.keywords import DERIVE, FROM
from proseform.schema import pointer

MOST = 10_000
"""Subschemas that are looked at: references can make a small schema into a huge tree."""
_STEPS = 50
"""References that lead to references, which are followed."""
_BRANCHES = ("allOf", "anyOf", "oneOf", "prefixItems", "items", "if", "then", "else", "contains")
"""Keywords whose subschemas describe the same object, or its items, which a path of names does not tell apart."""

_Names = tuple[str, ...]


def order(document: Mapping[str, Any]) -> dict[_Names, _Names]:
    """The names that lead to an object, to the names of its own fields in order.

    >>> order({"properties": {
    ...     "score": {"x-derive": {"count": "rows"}}, "rows": {"items": {"properties": {"n": {}}}},
    ...     "quote": {"x-from": "letter"}}})
    {(): ('quote', 'rows', 'score'), ('rows',): ('n',)}
    """
    fields: dict[_Names, dict[str, list[Mapping[str, Any]]]] = {}
    quoting: set[_Names] = set()
    for place, node in _nodes(document):
        if FROM in node:
            quoting |= {place[:count] for count in range(len(place) + 1)}
        properties = node.get("properties")
        for name, field in properties.items() if isinstance(properties, Mapping) else ():
            fields.setdefault(place, {}).setdefault(name, []).append(followed(field, document))
    return {place: _ordered(place, named, quoting) for place, named in fields.items()}


def _ordered(place: _Names, fields: Mapping[str, list[Mapping[str, Any]]], quoting: set[_Names]) -> _Names:
    """The names of one object's fields, in order."""
    operands = {name: [*_operands(nodes, at_root=not place)] for name, nodes in fields.items()}
    return tuple(_behind(sorted(fields, key=lambda name: (*place, name) not in quoting), operands))


def _behind(names: list[str], operands: Mapping[str, list[str]]) -> list[str]:
    """The names with each behind what it follows from; names that follow from one another end somewhere.

    >>> _behind(["score", "points", "bonus"], {"score": ["points", "bonus"]})
    ['points', 'bonus', 'score']
    """
    for name in names * 2:
        last = max((names.index(one) for one in operands.get(name, ()) if one in names), default=-1)
        at = names.index(name)
        if last > at:
            names = [*names[:at], *names[at + 1 : last + 1], name, *names[last + 1 :]]
    return names


def _operands(nodes: list[Mapping[str, Any]], *, at_root: bool) -> Iterator[str]:
    """The names of the fields beside a field that it follows from; a pointer begins at the root."""
    for node in nodes:
        stated = node.get(DERIVE)
        for value in stated.values() if isinstance(stated, Mapping) else ():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and text.startswith("/"):
                    yield from (pointer.steps(text)[:1] if at_root else ())
                elif isinstance(text, str):
                    yield text


def _nodes(document: Mapping[str, Any]) -> Iterator[tuple[_Names, Mapping[str, Any]]]:
    """Every subschema with the names that lead to what it describes, breadth first."""
    queue: list[tuple[_Names, Any]] = [((), document)]
    for place, stated in queue:
        if len(queue) > MOST:
            return
        node = followed(stated, document)
        yield place, node
        properties = node.get("properties")
        named = properties.items() if isinstance(properties, Mapping) else ()
        queue += [((*place, name), field) for name, field in named]
        inner = (node.get(keyword) for keyword in _BRANCHES)
        queue += [(place, one) for ones in inner for one in (ones if isinstance(ones, list) else [ones]) if one]


def followed(node: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """A subschema with what it refers to within its document; empty where it is none."""
    merged: dict[str, Any] = {}
    for _ in range(_STEPS):
        if not isinstance(node, Mapping):
            break
        merged = {**node, **merged}
        reference = merged.pop("$ref", None)
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        node = pointer.at(root, reference.removeprefix("#"))
    return merged
