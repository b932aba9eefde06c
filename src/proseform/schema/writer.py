"""Writes the grammar of a schema, keyword by keyword, and tells what it leaves to the verifier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proseform.schema import references
from proseform.schema.definitions import Definitions
from proseform.schema.draft import DEPENDENT_SINCE, REFERENCE_ALONE, Number
from proseform.schema.grammar import NOT_ENFORCED, NOTHING, Grammar, Widening
from proseform.schema.graph import Edge, Node
from proseform.schema.inhabited import inhabited
from proseform.schema.pointer import escaped
from proseform.schema.scalars import kept_multiples, scalars


def write(nodes: Mapping[str, Node], draft: Number) -> Grammar:
    """The grammar of a schema, from the graph of its subschemas.

    >>> from proseform.schema.graph import graph
    >>> schema = {"type": "array", "items": [{"const": 1}], "additionalItems": False, "uniqueItems": True}
    >>> grammar = write(graph(schema, 7, "schema"), 7)
    >>> grammar.document
    {'type': 'array', 'prefixItems': [{'const': 1}], 'items': False}
    >>> str(grammar.widenings[0])
    '/: uniqueItems (engines do not enforce it)'
    """
    grammar = _Writer(nodes, draft).grammar()
    loose = _loose(nodes, {widening.place for widening in grammar.widenings})
    return _Writer(nodes, draft, loose).grammar() if loose else grammar


def _loose(nodes: Mapping[str, Node], widened: Iterable[str]) -> frozenset[str]:
    """Where ``oneOf`` has a branch in which a keyword is left to the verifier: a value may be in two of them."""
    above: dict[str, set[str]] = {}
    for place, node in nodes.items():
        for edge in node.edges:
            above.setdefault(edge.target, set()).add(place)
    todo, wider = list(widened), set(widened)
    while todo:
        further = above.get(todo.pop(), set()) - wider
        wider |= further
        todo += further
    branches = {place: [edge.target for edge in node.edges if edge.keyword == "oneOf"] for place, node in nodes.items()}
    return frozenset(place for place, targets in branches.items() if wider.intersection(targets))


class _Writer:
    """One pass over a graph; see :func:`write`. Where ``oneOf`` is loose, it is written as ``anyOf``."""

    def __init__(self, nodes: Mapping[str, Node], draft: Number, loose: frozenset[str] = frozenset()) -> None:
        self._nodes, self._draft, self._loose = nodes, draft, loose
        self._inhabited = inhabited(nodes)
        self._multiples = kept_multiples(node.schema for node in nodes.values())
        self._definitions = Definitions(nodes, draft, self._inhabited)
        self._widenings: dict[Widening, None] = {}
        self._places: dict[str, str] = {}

    def grammar(self) -> Grammar:
        """The whole document: the root, and every definition that it needs."""
        root = self._write("", "")
        document = root if isinstance(root, dict) else NOTHING if root is False else {}
        definitions = {name: self._write(place, f"/$defs/{name}") for place, name in self._definitions}
        if definitions:
            document = {**document, "$defs": definitions}
        return Grammar(document, tuple(self._widenings), self._places)

    def _write(self, place: str, at: str) -> dict[str, Any] | bool:
        """One subschema; ``at`` is where it will stand."""
        node = self._nodes[place]
        self._places[at] = place
        if isinstance(node.schema, bool):
            return node.schema
        if place not in self._inhabited:
            return False
        schema = node.schema
        referred = self._referred(node)
        if False in referred:
            return False
        if self._draft <= REFERENCE_ALONE and "$ref" in schema and referred:  # none where it is no text
            return referred[0]
        out, left = scalars(schema, self._draft, self._multiples)
        for keyword, reason in left:
            self._widen(node, keyword, reason)
        if out.get("enum") == []:
            return False
        self._objects(node, schema, out, at)
        self._arrays(node, schema, out, at)
        self._branches(node, out, at)
        further = [reference for reference in referred if isinstance(reference, dict)]
        if len(further) > 1:
            out["allOf"] = out.get("allOf", []) + further
        elif further:
            out |= further[0]
        return out

    def _referred(self, node: Node) -> list[dict[str, Any] | bool]:
        """What a subschema refers to; a dynamic reference that may lead to several places is widened."""
        edges = [edge for edge in node.edges if edge.keyword in references.KEYWORDS]
        if node.moving:
            self._widen(node, next((edge.keyword for edge in edges if edge.keyword != "$ref"), "$dynamicRef"))
            edges = [edge for edge in edges if edge.keyword == "$ref"]
        return [self._definitions.refer(edge.target) for edge in edges]

    def _objects(self, node: Node, schema: Mapping[str, Any], out: dict[str, Any], at: str) -> None:
        """Properties and what the others are."""
        for key in ("properties", "patternProperties"):
            edges = [edge for edge in node.edges if edge.keyword == key]
            if edges:
                out[key] = {str(edge.steps[1]): self._write(edge.target, self._at(at, edge)) for edge in edges}
        self._rest(node, out, at, "additionalProperties", "unevaluatedProperties")
        optional = set(schema.get("properties", ())) - set(schema.get("required", ()))
        for key in ("minProperties", "maxProperties"):
            if key not in schema or (key == "minProperties" and not schema[key]):
                continue
            if optional or "patternProperties" in schema:
                self._widen(node, key, "engines count only beside properties that are all required")
            else:
                out[key] = int(schema[key])
        for key, since in (("dependencies", 4), ("dependentRequired", DEPENDENT_SINCE)):
            if schema.get(key) and since <= self._draft:
                self._widen(node, key)
        for key in ("propertyNames", "dependentSchemas"):
            if any(edge.keyword == key and self._nodes[edge.target].schema is not True for edge in node.edges):
                self._widen(node, key)

    def _arrays(self, node: Node, schema: Mapping[str, Any], out: dict[str, Any], at: str) -> None:
        """Items; draft 2020-12 writes tuples as ``prefixItems`` and calls the others ``items``."""
        prefix = [edge for edge in node.edges if edge.keyword in {"prefixItems", "items"} and len(edge.steps) > 1]
        if prefix:
            out["prefixItems"] = [
                self._write(edge.target, f"{at}/prefixItems/{index}") for index, edge in enumerate(prefix)
            ]
        one = [edge for edge in node.edges if edge.keyword == "items" and len(edge.steps) == 1]
        rest = one or [edge for edge in node.edges if edge.keyword == "additionalItems" and prefix]
        if rest:
            out["items"] = self._write(rest[0].target, f"{at}/items")
        self._rest(node, out, at, "items", "unevaluatedItems")
        if schema.get("uniqueItems") is True and schema.get("maxItems", 2) > 1:
            self._widen(node, "uniqueItems")
        if any(edge.keyword == "contains" for edge in node.edges):
            least = schema.get("minContains", 1) if self._draft >= DEPENDENT_SINCE else 1
            if least or "maxContains" in schema:
                self._widen(node, "contains")
            if least:
                out["minItems"] = max(1, out.get("minItems", 0))

    def _branches(self, node: Node, out: dict[str, Any], at: str) -> None:
        """Alternatives and conjunctions; what negates or depends is widened."""
        for key in ("allOf", "anyOf", "oneOf"):
            edges = [edge for edge in node.edges if edge.keyword == key]
            if key == "oneOf" and node.place in self._loose:
                self._widen(node, key, "a branch is wider in the grammar, and a value may be in two")
                self._any(out, edges, at)
            elif edges:
                out[key] = [self._write(edge.target, self._at(at, edge)) for edge in edges]
        keywords = {edge.keyword for edge in node.edges}
        if "not" in keywords:
            self._widen(node, "not")
        if "if" in keywords and {"then", "else"} & keywords:
            self._widen(node, "if")

    def _any(self, out: dict[str, Any], edges: Sequence[Edge], at: str) -> None:
        """Alternatives of which several may hold, beside others where there are."""
        if "anyOf" not in out:
            out["anyOf"] = [self._write(edge.target, f"{at}/anyOf/{index}") for index, edge in enumerate(edges)]
            return
        conjunction = out.setdefault("allOf", [])
        beneath = f"{at}/allOf/{len(conjunction)}/anyOf"
        conjunction.append({"anyOf": [self._write(edge.target, f"{beneath}/{n}") for n, edge in enumerate(edges)]})

    def _rest(self, node: Node, out: dict[str, Any], at: str, key: str, unevaluated: str) -> None:
        """What holds for properties or items that nothing else names.

        Without branches, what is not evaluated is what is additional.
        """
        edges = {
            edge.keyword: edge for edge in node.edges if edge.keyword in {key, unevaluated} and len(edge.steps) == 1
        }
        if key in edges and key not in out:
            out[key] = self._write(edges[key].target, f"{at}/{key}")
        elif unevaluated in edges and key not in out and self._nodes[edges[unevaluated].target].schema is not True:
            if any(edge.position == "same" for edge in node.edges):
                self._widen(node, unevaluated)
            else:
                out[key] = self._write(edges[unevaluated].target, f"{at}/{key}")

    def _widen(self, node: Node, keyword: str, reason: str = NOT_ENFORCED) -> None:
        """Tell that a keyword is left to the verifier."""
        self._widenings[Widening(node.place, keyword, reason)] = None

    @staticmethod
    def _at(at: str, edge: Edge) -> str:
        """Where the subschema of an edge will stand."""
        return at + "".join(f"/{escaped(step)}" for step in edge.steps)
