"""The subschemas of a schema as a graph: what the root reaches, references followed.

A node is a subschema at its place; edges lead to what it applies, either to the same value (``allOf``, ``$ref``) or to
a part of it (``properties``, ``items``). Everything that judges a schema walks this graph and needs no recursion.
References are resolved by :mod:`referencing`, which knows ``$id``, ``$anchor`` and pointers of every draft; nothing is
ever fetched: beside the schema itself only the drafts' own meta-schemas are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema_specifications import REGISTRY
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012

from proseform.bounds import escaped
from proseform.draft import REFERENCE_ALONE, Number, Position, children
from proseform.errors import InputError

MAX_SUBSCHEMAS = 50_000
"""Of one schema; the largest public one has 17,000."""

_SPECIFICATIONS = {4: DRAFT4, 6: DRAFT6, 7: DRAFT7, 2019: DRAFT201909, 2020: DRAFT202012}
_BASE = "schema:"


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
        edges: What it applies, in the order of :data:`proseform.draft.KEYWORDS`; references last.
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

    Raises:
        InputError: A reference that leads out of the schema or to nothing, with its place.
    """
    places = _places(document)
    root = _SPECIFICATIONS[draft].create_resource(document)
    try:
        resolver = REGISTRY.with_resource(_BASE, root).resolver(_BASE).in_subresource(root)
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{where}: an $id in it is no URI ({error}).") from error
    nodes: dict[str, Node] = {}
    todo: list[tuple[str, Any, Any]] = [("", document, resolver)]
    while todo:
        place, schema, resolver = todo.pop()
        if place in nodes:
            continue
        node = nodes[place] = Node(place, schema)
        if len(nodes) > MAX_SUBSCHEMAS:
            raise InputError(f"{where}: has more than {MAX_SUBSCHEMAS} subschemas.", hint="State it in fewer words.")
        if not isinstance(schema, bool):
            todo += _followed(node, schema, resolver, places, where)
            if draft > REFERENCE_ALONE or "$ref" not in schema:
                todo += _visited(node, schema, resolver, draft, where)
    _movable(nodes)
    return nodes


def _followed(
    node: Node, schema: Mapping[str, Any], resolver: Any, places: Mapping[int, str], where: str
) -> Iterator[tuple[str, Any, Any]]:
    """The references of a subschema: an edge for each, and what it leads to with its resolver."""
    for keyword, reference in _references(schema):
        resolved = _resolved(resolver, keyword, reference, node, where)
        if resolved is not None:
            target = places.get(id(resolved.contents))
            target = _named(reference, node.place, resolved) if target is None else target
            node.edges.append(Edge(keyword, (keyword,), target, "same"))
            yield target, resolved.contents, resolved.resolver


def _visited(
    node: Node, schema: Mapping[str, Any], resolver: Any, draft: Number, where: str
) -> Iterator[tuple[str, Any, Any]]:
    """The subschemas that stand inside a subschema, likewise."""
    for keyword, steps, child, position in children(schema, draft):
        target = node.place + "".join(f"/{escaped(step)}" for step in steps)
        node.edges.append(Edge(keyword, steps, target, position))
        inner = resolver
        if isinstance(child, Mapping):
            inner = _inside(resolver, _SPECIFICATIONS[draft].create_resource(child), target, where)
        yield target, child, inner


def _movable(nodes: Mapping[str, Node]) -> None:
    """Edges from each dynamic reference to every anchor that it may lead to."""
    anchors: dict[str, list[str]] = {}
    for place, node in nodes.items():
        if isinstance(node.schema, Mapping):
            if isinstance(name := node.schema.get("$dynamicAnchor"), str):
                anchors.setdefault(f"#{name}", []).append(place)
            if node.schema.get("$recursiveAnchor") is True:
                anchors.setdefault("#", []).append(place)
    for node in nodes.values():
        if node.moving and isinstance(node.schema, Mapping):
            for keyword, reference in _references(node.schema):
                if keyword != "$ref":
                    fragment = "#" + reference.partition("#")[2]
                    known = {edge.target for edge in node.edges if edge.keyword == keyword}
                    further = [place for place in anchors.get(fragment, ()) if place not in known]
                    node.edges += [Edge(keyword, (keyword,), place, "same") for place in further]


def _places(document: Mapping[str, Any]) -> dict[int, str]:
    """The place of every object of a document, by its identity; an object that stands twice has its first place."""
    places: dict[int, str] = {}
    todo: list[tuple[Any, str]] = [(document, "")]
    while todo:
        value, place = todo.pop()
        if isinstance(value, Mapping):
            if id(value) in places:
                continue
            places[id(value)] = place
            todo += [(child, f"{place}/{escaped(key)}") for key, child in value.items()]
        elif isinstance(value, list):
            todo += [(child, f"{place}/{index}") for index, child in enumerate(value)]
    return places


def _references(schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The references of a subschema: keyword and text."""
    return [(key, schema[key]) for key in ("$ref", "$dynamicRef", "$recursiveRef") if isinstance(schema.get(key), str)]


def _resolved(resolver: Any, keyword: str, reference: str, node: Node, where: str) -> Any:
    """What a reference leads to; None where only the run of a validation decides."""
    try:
        resolved = resolver.lookup(reference)
    except Unresolvable as error:
        if keyword == "$dynamicRef":
            node.moving = True
            return None
        raise _unresolved(reference, node.place, where) from error
    except (ValueError, AttributeError, TypeError, LookupError) as error:
        raise _unresolved(reference, node.place, where) from error
    if not isinstance(resolved.contents, Mapping | bool):
        kind = type(resolved.contents).__name__
        raise InputError(f"{where}: {node.place or '/'} refers to '{reference}', which is {kind}, not a schema.")
    contents = resolved.contents
    moves = isinstance(contents, Mapping) and (
        (keyword == "$dynamicRef" and "$dynamicAnchor" in contents)
        or (keyword == "$recursiveRef" and contents.get("$recursiveAnchor") is True)
    )
    node.moving = node.moving or moves
    return resolved


def _unresolved(reference: str, place: str, where: str) -> InputError:
    """The words for a reference that leads nowhere, or elsewhere."""
    if reference.startswith("#"):
        return InputError(
            f"{where}: {place or '/'} refers to '{reference}', which does not exist.",
            hint="References point at a subschema of the same schema, by its path or its $anchor.",
        )
    return InputError(
        f"{where}: {place or '/'} refers to '{reference}', which lies outside of the schema; nothing is fetched.",
        hint="Put what it refers to under $defs, and refer to it there.",
    )


def _inside(resolver: Any, resource: Any, place: str, where: str) -> Any:
    """The resolver inside a subschema, which may have an $id of its own."""
    try:
        return resolver.in_subresource(resource)
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{where}: {place} has an $id that is no URI ({error}).") from error


def _named(reference: str, place: str, resolved: Any) -> str:
    """The place of what has no identity in the document: true and false, and what lies in a meta-schema."""
    if isinstance(resolved.contents, bool):
        return f"{place}/$ref={str(resolved.contents).lower()}"
    return f"meta-schema:{id(resolved.contents)}:{reference}"
