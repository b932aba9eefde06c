"""Which subschemas have a finite document at all.

A subschema that requires itself inside itself has none, and a grammar that leads there leads nowhere: it begins
documents that nothing can end. Only what is certain is found: requirements, least lengths, references and branches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proseform.schema.graph import Node

_KINDS = ("object", "array", "string", "number", "integer", "boolean", "null")
_BRANCHES = frozenset({"anyOf", "oneOf"})
_ALL = frozenset({"allOf", "$ref"})


def inhabited(nodes: Mapping[str, Node]) -> frozenset[str]:
    """The places of the subschemas that may have a document; all others have none.

    >>> from proseform.schema.graph import graph
    >>> list_of_itself = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    >>> inhabited(graph(list_of_itself, 2020, "schema"))
    frozenset()
    """
    users: dict[str, list[str]] = {}
    for place, node in nodes.items():
        for edge in node.edges:
            users.setdefault(edge.target, []).append(place)
    alive: set[str] = set()
    todo = list(nodes)
    while todo:
        place = todo.pop()
        if place not in alive and _alive(nodes[place], alive):
            alive.add(place)
            todo += users.get(place, ())
    return frozenset(alive)


def _alive(node: Node, alive: set[str]) -> bool:
    """Whether a subschema has a document, as far as is known."""
    if isinstance(node.schema, bool):
        return node.schema
    for edge in node.edges:
        if edge.keyword in _ALL and not node.moving and edge.target not in alive:
            return False
    for keyword in _BRANCHES:
        targets = [edge.target for edge in node.edges if edge.keyword == keyword]
        if targets and not alive.intersection(targets):
            return False
    if "enum" in node.schema or "const" in node.schema:
        return True
    kinds = node.schema.get("type", _KINDS)
    return any(_kind(kind, node, node.schema, alive) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _kind(kind: str, node: Node, schema: Mapping[str, Any], alive: set[str]) -> bool:
    """Whether a subschema has a document of a type."""
    if kind == "object":
        required = schema.get("required", ())
        names = set(required) if isinstance(required, list) else set()
        needed = [edge for edge in node.edges if edge.keyword == "properties" and edge.steps[1] in names]
    elif kind == "array":
        least = schema.get("minItems", 0)
        edges = [edge for edge in node.edges if edge.keyword in {"items", "prefixItems"}]
        prefix = sum(len(edge.steps) > 1 for edge in edges)
        needed = [edge for edge in edges if (edge.steps[1] if len(edge.steps) > 1 else prefix) < least]
    else:
        return True
    return all(edge.target in alive for edge in needed)
