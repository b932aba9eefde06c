"""What of a schema has no bound, and could be written without end; strict where a task's schema is concerned.

Left out: what conjunctions bound together; a subschema states its own bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proseform.schema.pointer import escaped

_CHILDREN = {
    "properties": "map", "$defs": "map", "definitions": "map", "items": "one", "additionalProperties": "one",
    "prefixItems": "list", "anyOf": "list", "allOf": "list",
}  # fmt: skip


def places(document: Mapping[str, Any]) -> list[str]:
    """The paths of strings, arrays, numbers, open objects and references without a bound, with the reason each.

    >>> places({"type": "array", "items": {"type": "boolean"}})
    ['/: an array without items and maxItems']
    """
    nodes = dict(_walk(document, ""))
    references = {path: _target(node) for path, node in nodes.items() if "$ref" in node}
    endless = [f"{path}: a reference to what holds it" for path in references if _leads_back(path, references)]
    return [f"{path or '/'}: {fault}" for path, node in nodes.items() if (fault := _open_end(node))] + endless


def _walk(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every subschema with its path, the root first."""
    if not isinstance(node, Mapping):
        return
    yield path, node
    for keyword, shape in _CHILDREN.items():
        child = node.get(keyword)
        if shape == "map" and isinstance(child, Mapping):
            for name, sub in child.items():
                yield from _walk(sub, f"{path}/{keyword}/{escaped(name)}")
        elif shape == "list" and isinstance(child, list):
            for index, sub in enumerate(child):
                yield from _walk(sub, f"{path}/{keyword}/{index}")
        elif shape == "one":
            yield from _walk(child, f"{path}/{keyword}")


def _target(node: Mapping[str, Any]) -> str:
    """Where a reference points, as a path of :func:`_walk`; a remote one stays what it is, no reference is the root."""
    return str(node.get("$ref", "#")).removeprefix("#")


def _leads_back(start: str, references: Mapping[str, str]) -> bool:
    """Whether following the reference at ``start`` comes to ``start`` again."""
    seen, todo = set(), [references[start]]
    while todo:
        target = todo.pop()
        inside = [path for path in references if path == target or path.startswith(f"{target}/")]
        if start in inside:
            return True
        todo += [references[path] for path in inside if references[path] not in seen]
        seen.add(target)
    return False


def _open_end(node: Mapping[str, Any]) -> str:
    """Why a subschema is unbounded, or nothing."""
    if {"enum", "const", "$ref", "anyOf", "allOf"} & node.keys():
        return ""
    kinds = node.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
    if not kinds:
        return "no type"
    if "string" in kinds and "maxLength" not in node:
        return "a string without maxLength, enum or const"
    if "array" in kinds and not {"maxItems", "items"} <= node.keys():
        return "an array without items and maxItems"
    if ("integer" in kinds or "number" in kinds) and not {"minimum", "maximum"} <= node.keys():
        return "a number without minimum and maximum"
    if "object" in kinds and node.get("additionalProperties") is not False:
        return "an object that is not closed (additionalProperties: false)"
    return ""
