"""A narrower schema, for engines that cannot end a document by themselves: the same content, with less room to ramble.

A model that knows little fills every string and array to its bound and may be cut before the document ends. Asked again
under a narrower schema it has less to fill. Only three things are added, each of which leaves a document where there
was one and takes none that is not the schema's: a greatest length to a free string, a greatest count to an array, and
the end of an object behind the fields that it declares. Bounds never fall below a readable sentence and a handful of
items.

They are added only where one subschema alone decides on a value. Where several do (``allOf``, ``oneOf``, ``not``,
``if``, ``anyOf`` beside other keywords, ``patternProperties``, ``contains``, a reference beside keywords …) what one
would gain another may forbid, so that nothing below is touched, in no place that refers there. Numbers, enums,
constants, patterns and formats stay as they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from proseform.schema.pointer import at

RUNGS = ((512, 32), (192, 16), (64, 8))
"""From wide to narrow: characters of a free string, items of an array."""

_ANNOTATIONS = frozenset({
    "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "deprecated",
    "readOnly", "writeOnly",
})  # fmt: skip
_SEVERAL = frozenset({
    "allOf", "oneOf", "not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems",
    "propertyNames", "dependentSchemas", "dependentRequired", "dependencies", "unevaluatedItems",
    "unevaluatedProperties", "$dynamicRef", "$recursiveRef", "patternProperties", "extends", "disallow", "divisibleBy",
})  # fmt: skip
_FIXED = frozenset({"pattern", "format", "enum", "const", "contentEncoding", "contentMediaType"})
_COUNTED = frozenset({"maxProperties", "minProperties"})
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas", "dependencies")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems", "items", "extends", "disallow", "type")
_ONES = (
    "items", "additionalProperties", "additionalItems", "not", "if", "then", "else", "contains", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_SENTENCE = 40
"""Bytes of a string whose length nothing says."""
_NUMBER = 20
"""Bytes of a number whose size nothing says."""


def narrow(schema: Mapping[str, Any], budget: int) -> dict[str, Any]:
    """The widest rung whose longest document is at most ``budget`` bytes (a token is a byte or more), else the last.

    >>> narrow({"type": "array", "items": {"type": "string", "maxLength": 999}, "maxItems": 99}, budget=20_000)
    {'type': 'array', 'items': {'type': 'string', 'maxLength': 192}, 'maxItems': 16}
    >>> narrow({"allOf": [{"type": "string"}, {"minLength": 600}]}, budget=50)
    {'allOf': [{'type': 'string'}, {'minLength': 600}]}
    """
    alone = _Alone(schema).nodes()
    narrowed: dict[str, Any] = dict(schema)
    for characters, items in RUNGS:
        narrowed = _narrowed(schema, alone, characters, items)
        if longest(narrowed) <= budget:
            break
    return narrowed


def longest(schema: Mapping[str, Any]) -> float:
    """About the length of the longest document of a schema, in bytes as :func:`json.dumps` spaces them; or infinite.

    >>> longest({"type": "object", "properties": {"a": {"enum": ["x", "yes"]}}, "additionalProperties": False})
    14.0
    """
    return _longest(schema, schema, {})


class _Alone:
    """Finds the subschemas that decide alone on every value that they are asked about.

    Args:
        document: A schema.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._alone: dict[int, bool] = {}

    def nodes(self) -> frozenset[int]:
        """Their ids; none where a reference leads somewhere that is not known."""
        todo: list[tuple[Any, bool]] = [(self._document, True)]
        while todo:
            node, alone = todo.pop()
            if not isinstance(node, Mapping):
                continue
            known = self._alone.get(id(node))
            if known is False or known is alone:
                continue
            self._alone[id(node)] = alone
            if "$ref" in node:
                target = target_of(self._document, str(node["$ref"]))
                if target is None:
                    return frozenset()
                todo.append((target, alone and not self._asserts(node, "$ref")))
            todo += self._below(node, alone)
        return frozenset(node for node, alone in self._alone.items() if alone)

    @staticmethod
    def _asserts(node: Mapping[str, Any], besides: str) -> bool:
        """Whether a subschema says anything besides one keyword."""
        return bool(node.keys() - _ANNOTATIONS - {besides})

    def _below(self, node: Mapping[str, Any], alone: bool) -> Iterator[tuple[Any, bool]]:
        """The subschemas of a subschema, and whether they decide alone."""
        single = alone and not _SEVERAL & node.keys() and "$ref" not in node
        choice = alone and not self._asserts(node, "anyOf")
        members = single and "anyOf" not in node
        for keyword in ("properties", "patternProperties", "dependentSchemas", "dependencies"):
            children = node.get(keyword)
            if isinstance(children, Mapping):
                yield from ((child, members) for child in children.values())
        for keyword in _LISTS:
            children = node.get(keyword)
            if isinstance(children, list):
                yield from ((child, choice if keyword == "anyOf" else members) for child in children)
        for keyword in _ONES:
            yield node.get(keyword), members


def target_of(document: Any, reference: str) -> Any:
    """What a reference within the same document points at by its path; None where that is nothing."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    return at(document, reference.removeprefix("#"))


def _narrowed(node: Any, alone: frozenset[int], characters: int, items: int) -> Any:
    """One subschema, narrower, with all below it."""
    if not isinstance(node, Mapping):
        return node
    out = dict(node)
    for keyword in _MAPS:
        if isinstance(out.get(keyword), Mapping):
            out[keyword] = {name: _narrowed(child, alone, characters, items) for name, child in out[keyword].items()}
    for keyword in _LISTS:
        if isinstance(out.get(keyword), list):
            out[keyword] = [_narrowed(child, alone, characters, items) for child in out[keyword]]
    for keyword in _ONES:
        if isinstance(out.get(keyword), Mapping):
            out[keyword] = _narrowed(out[keyword], alone, characters, items)
    if id(node) in alone and not (_SEVERAL | {"anyOf", "$ref"}) & node.keys():
        out.update(_bounds(node, characters, items))
    return out


def _bounds(node: Mapping[str, Any], characters: int, items: int) -> dict[str, Any]:
    """What is added to a subschema that decides alone."""
    kinds = node.get("type")
    kinds = {kinds} if isinstance(kinds, str) else set(kinds or ())
    added: dict[str, Any] = {}
    if {"enum", "const"} & node.keys():
        return added
    if "string" in kinds and not _FIXED & node.keys():
        added["maxLength"] = _bound(node, "minLength", "maxLength", characters)
    if "array" in kinds:
        added["maxItems"] = _bound(node, "minItems", "maxItems", items)
    properties = node.get("properties")
    required = node.get("required", [])
    closable = "object" in kinds and not ({"additionalProperties"} | _COUNTED) & node.keys()
    declared = isinstance(properties, Mapping) and isinstance(required, list) and set(required) <= set(properties)
    if closable and declared and properties:
        added["additionalProperties"] = False
    return added


def _bound(node: Mapping[str, Any], least: str, most: str, proposed: int) -> int:
    """A greatest count: the proposed one, but not below the least, nor above the one that is there."""
    return int(min(node.get(most, math.inf), max(proposed, node.get(least, 0))))


def _longest(node: Any, document: Any, known: dict[int, float]) -> float:
    """See :func:`longest`; ``known`` holds what was measured, infinite while it is (it recurs)."""
    if not isinstance(node, Mapping):
        return math.inf if node is not False else 0.0
    if id(node) not in known:
        known[id(node)] = math.inf
        known[id(node)] = _measured(node, document, known)
    return known[id(node)]


def _measured(node: Mapping[str, Any], document: Any, known: dict[int, float]) -> float:
    """The longest document of a subschema that was not measured before."""
    if "$ref" in node:
        return _longest(target_of(document, str(node["$ref"])), document, known)
    if "enum" in node or "const" in node:
        choices = node["enum"] if "enum" in node else [node["const"]]
        return float(max((_bytes(choice) for choice in choices), default=0))
    if isinstance(node.get("anyOf"), list):
        return max((_longest(option, document, known) for option in node["anyOf"]), default=math.inf)
    kinds = [node["type"]] if isinstance(node.get("type"), str) else list(node.get("type", ()))
    return max((_longest_of(kind, node, document, known) for kind in kinds), default=math.inf)


def _longest_of(kind: str, node: Mapping[str, Any], document: Any, known: dict[int, float]) -> float:
    """The longest document of one type."""
    match kind:
        case "object" if node.get("additionalProperties") is False:
            fields = node.get("properties", {}).items()
            return 2 + math.fsum(_bytes(name) + 4 + _longest(child, document, known) for name, child in fields)
        case "array" if {"items", "maxItems"} <= node.keys():
            return (
                2 + float(node["maxItems"]) * (2 + _longest(node["items"], document, known))
                if node["maxItems"]
                else 2.0
            )
        case "string":
            return 2.0 + (4 * int(node["maxLength"]) if "maxLength" in node else _SENTENCE)
        case "integer" | "number":
            return float(_NUMBER)
        case "boolean" | "null":
            return 5.0
    return math.inf


def _bytes(value: Any) -> int:
    """The length of a value as JSON."""
    return len(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
