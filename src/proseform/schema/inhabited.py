"""Which subschemas have a finite document at all.

A subschema that requires itself inside itself has none, and a grammar that leads there leads nowhere: it begins
documents that nothing can end. Only what is certain is found: requirements, least lengths, references and branches.

What a subschema needs is met one by one, and what is met stays met, so that each edge is looked at once (the unit
propagation of Dowling and Gallier, "Linear-time algorithms for testing the satisfiability of propositional Horn
formulae", 1984).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proseform.schema.graph import Node

_KINDS = ("object", "array", "string", "number", "integer", "boolean", "null")
_BRANCHES = frozenset({"anyOf", "oneOf"})
_ALL = frozenset({"allOf", "$ref"})

_Part = str | tuple[str, str]
"""The place of a subschema, or that and a type."""

_AnyOf = Sequence[_Part]
"""Parts of which one has to have a document."""


def inhabited(nodes: Mapping[str, Node]) -> frozenset[str]:
    """The places of the subschemas that may have a document; all others have none.

    >>> from proseform.schema.graph import graph
    >>> list_of_itself = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    >>> inhabited(graph(list_of_itself, 2020, "schema"))
    frozenset()
    """
    needs: dict[_Part, list[_AnyOf]] = {}
    for node in nodes.values():
        needs.update(_needs(node))
    alive: set[_Part] = set()
    waiting: dict[_Part, list[tuple[_Part, int]]] = {}
    todo = [(part, len(left)) for part, left in needs.items()]
    while todo:
        part, since = todo.pop()
        left = needs[part]
        if len(left) != since:  # what it waited for then has been met
            continue
        while left and not alive.isdisjoint(left[-1]):
            left.pop()
        if left:
            for target in left[-1]:
                waiting.setdefault(target, []).append((part, len(left)))
        else:
            alive.add(part)
            todo += waiting.pop(part, ())
    return frozenset(part for part in alive if isinstance(part, str))


def _needs(node: Node) -> Iterator[tuple[_Part, list[_AnyOf]]]:
    """What a subschema needs in order to have a document: of each group one.

    Where it may be an object or an array, each is a part of its own, with what it needs.
    """
    if isinstance(node.schema, bool):
        yield node.place, [] if node.schema else [()]
        return
    groups: list[_AnyOf] = [(edge.target,) for edge in node.edges if edge.keyword in _ALL and not node.moving]
    branches = ([edge.target for edge in node.edges if edge.keyword == keyword] for keyword in _BRANCHES)
    groups += filter(None, branches)
    if "enum" not in node.schema and "const" not in node.schema:
        stated = node.schema.get("type", _KINDS)
        kinds = {kind: _needed(kind, node, node.schema) for kind in ([stated] if isinstance(stated, str) else stated)}
        if all(kinds.values()):
            for kind, needed in kinds.items():
                yield (node.place, kind), [(target,) for target in needed]
            groups.append([(node.place, kind) for kind in kinds])
    yield node.place, groups


def _needed(kind: str, node: Node, schema: Mapping[str, Any]) -> list[str]:
    """The places that all need a document for a subschema to have one of a type."""
    if kind == "object":
        required = schema.get("required", ())
        names = set(required) if isinstance(required, list) else set()
        return [edge.target for edge in node.edges if edge.keyword == "properties" and edge.steps[1] in names]
    if kind == "array":
        least = schema.get("minItems", 0)
        edges = [edge for edge in node.edges if edge.keyword in {"items", "prefixItems"}]
        prefix = sum(len(edge.steps) > 1 for edge in edges)
        return [edge.target for edge in edges if (edge.steps[1] if len(edge.steps) > 1 else prefix) < least]
    return []
