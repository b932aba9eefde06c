"""The subschemas of a schema as a graph: what the root reaches, references followed.

A node is a subschema at its place; edges lead to what it applies, either to the same value (``allOf``, ``$ref``) or to
a part of it (``properties``, ``items``). Everything that judges a schema walks this graph and needs no recursion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from proseform.errors import InputError
from proseform.schema import references
from proseform.schema.draft import REFERENCE_ALONE, Number, Position, children, keep, kept
from proseform.schema.pointer import escaped

MAX_SUBSCHEMAS = 50_000
"""Of one schema; the largest public one has 17,000."""

MAX_DYNAMIC = 50_000
"""Edges from the dynamic references of one schema to the anchors that they may lead to: one for each pair. A draft's
own meta-schema has some 70."""


@dataclass(frozen=True, slots=True)
class Edge:
    """From a subschema to one that it applies.

    Attributes:
        keyword: ``allOf``, ``properties``, ``$ref`` and so on.
        steps: From the one to the other; for a reference the keyword alone.
        target: The place of the other.
        position: Whether it looks at the same value or at a part of it.
    """

    keyword: str
    steps: tuple[str | int, ...]
    target: str
    position: Position


@dataclass(slots=True)
class Node:
    """One subschema.

    Attributes:
        place: Its JSON pointer in the schema, the root being empty; a URI for what lies in a meta-schema.
        schema: The subschema itself; true and false are subschemas too.
        edges: What it applies, in the order of :data:`proseform.schema.draft.KEYWORDS`; references last.
        moving: Whether a dynamic reference leads where the place that it was entered from decides.
    """

    place: str
    schema: Mapping[str, Any] | bool
    edges: list[Edge] = field(default_factory=list)
    moving: bool = False


def graph(document: Mapping[str, Any], draft: Number, where: str) -> dict[str, Node]:
    """Every subschema that the root reaches, by its place.

    >>> sorted(graph({"$ref": "#/$defs/a", "$defs": {"a": {"items": True}, "b": {}}}, 2020, "schema"))
    ['', '/$defs/a', '/$defs/a/items']

    Args:
        document: A schema that keeps the rules of its draft. Its meta-schema says nothing of what stands elsewhere than
            subschemas do; what references lead to there is held to it here, before anything reads it.
        draft: The draft.
        where: What to call the schema in errors.

    Raises:
        InputError: A reference that leads out of the schema, to nothing or to what is no schema, with its place; more
            than :data:`MAX_SUBSCHEMAS`, or than :data:`MAX_DYNAMIC`.
    """
    places = references.places_of(document)
    checked = set(map(id, kept(document, draft)))
    resolver = references.resolver_of(document, draft, where)
    nodes: dict[str, Node] = {}
    todo: list[tuple[str, Any, Any]] = [("", document, resolver)]
    while todo:
        place, schema, resolver = todo.pop()
        if place in nodes:
            continue
        if id(schema) in places and id(schema) not in checked:
            keep(schema, draft, where, place)
            checked.update(map(id, kept(schema, draft)))
        node = nodes[place] = Node(place, schema)
        if len(nodes) > MAX_SUBSCHEMAS:
            raise InputError(f"{where}: has more than {MAX_SUBSCHEMAS} subschemas.", hint="State it in fewer words.")
        if not isinstance(schema, bool):
            todo += _followed(node, schema, resolver, places, where)
            if draft > REFERENCE_ALONE or "$ref" not in schema:
                todo += _visited(node, schema, resolver, draft, where)
    _movable(nodes, where)
    return nodes


def _followed(
    node: Node, schema: Mapping[str, Any], resolver: Any, places: Mapping[int, str], where: str
) -> Iterator[tuple[str, Any, Any]]:
    """The references of a subschema: an edge for each, and what it leads to with its resolver."""
    for keyword, reference in references.stated(schema):
        resolved = references.resolve(resolver, keyword, reference, node.place, where)
        node.moving = node.moving or resolved is None or references.moves(keyword, resolved.contents)
        if resolved is not None:
            target = places.get(id(resolved.contents))
            if target is None:
                target = references.place_of(resolved.contents, reference, node.place)
            node.edges.append(Edge(keyword, (keyword,), target, "same"))
            yield target, resolved.contents, resolved.resolver


def _visited(
    node: Node, schema: Mapping[str, Any], resolver: Any, draft: Number, where: str
) -> Iterator[tuple[str, Any, Any]]:
    """The subschemas that stand inside a subschema, likewise."""
    for keyword, steps, child, position in children(schema, draft):
        target = node.place + "".join(f"/{escaped(step)}" for step in steps)
        node.edges.append(Edge(keyword, steps, target, position))
        inner = references.inside(resolver, child, draft, target, where) if isinstance(child, Mapping) else resolver
        yield target, child, inner


def _movable(nodes: Mapping[str, Node], where: str) -> None:
    """Edges from each dynamic reference to every anchor that it may lead to.

    Raises:
        InputError: More than :data:`MAX_DYNAMIC`.
    """
    anchors: dict[str, list[str]] = {}
    for place, node in nodes.items():
        if isinstance(node.schema, Mapping):
            if isinstance(name := node.schema.get("$dynamicAnchor"), str):
                anchors.setdefault(f"#{name}", []).append(place)
            if node.schema.get("$recursiveAnchor") is True:
                anchors.setdefault("#", []).append(place)
    added = 0
    for node in nodes.values():
        if node.moving and isinstance(node.schema, Mapping):
            for keyword, reference in references.stated(node.schema):
                if keyword != "$ref":
                    fragment = "#" + reference.partition("#")[2]
                    known = {edge.target for edge in node.edges if edge.keyword == keyword}
                    further = [place for place in anchors.get(fragment, ()) if place not in known]
                    added += len(further)
                    if added > MAX_DYNAMIC:
                        raise InputError(
                            f"{where}: its dynamic references may lead to more than {MAX_DYNAMIC} places, all counted.",
                            hint="Write $ref where it is known what a reference leads to.",
                        )
                    node.edges += [Edge(keyword, (keyword,), place, "same") for place in further]
