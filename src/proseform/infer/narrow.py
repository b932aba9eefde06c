"""A schema within a schema: what conforms to the narrower one conforms to the whole, and it cannot ramble.

A model that knows little fills every string and array to its bound and may be cut before the document ends. Asked
again under a narrower schema, whose longest document fits the budget, it cannot be cut. Enums, constants and numbers
stay the model's choice: nothing is made up for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

RUNGS = ((64, 8, True), (16, 3, True), (4, 2, False), (1, 1, False))
"""From wide to narrow: characters of a free string, items of an array, whether optional properties are kept."""

_NUMBER = 10**6


def narrow(schema: Mapping[str, Any], budget: int) -> dict[str, Any]:
    """The widest rung whose longest document is at most ``budget`` bytes (a token is a byte or more), else the last.

    >>> narrow({"type": "array", "items": {"type": "string", "maxLength": 99}, "maxItems": 9}, budget=300)
    {'type': 'array', 'items': {'type': 'string', 'maxLength': 16}, 'maxItems': 3}
    """
    narrowed: dict[str, Any] = dict(schema)
    for characters, items, optional in RUNGS:
        narrowed = _narrowed(schema, characters, items, optional=optional)
        if longest(narrowed) <= budget:
            break
    return narrowed


def longest(schema: Mapping[str, Any]) -> float:
    """The length of the longest document of a schema, in bytes as :func:`json.dumps` spaces them; infinite if unbounded.

    >>> longest({"type": "object", "properties": {"a": {"enum": ["x", "yes"]}}, "additionalProperties": False})
    12.0
    """
    return _longest(schema, schema.get("$defs", {}), {})


def _narrowed(node: Any, characters: int, items: int, *, optional: bool) -> Any:
    """One subschema, narrower."""
    if not isinstance(node, Mapping) or {"enum", "const"} & node.keys():
        return node
    out = dict(node)
    for keyword in ("properties", "$defs"):
        if keyword in out:
            out[keyword] = {
                name: _narrowed(sub, characters, items, optional=optional) for name, sub in out[keyword].items()
            }
    if "anyOf" in out:
        out["anyOf"] = [_narrowed(sub, characters, items, optional=optional) for sub in out["anyOf"]]
    kinds = [out["type"]] if isinstance(out.get("type"), str) else list(out.get("type", ()))
    if "object" in kinds and "properties" in out:
        out["additionalProperties"] = False
        if not optional:
            out["properties"] = {
                name: sub for name, sub in out["properties"].items() if name in out.get("required", ())
            }
    if "array" in kinds and isinstance(out.get("items"), Mapping) and "prefixItems" not in out:
        out["items"] = _narrowed(out["items"], characters, items, optional=optional)
        out["maxItems"] = min(out.get("maxItems", items), max(items, out.get("minItems", 0)))
    if "string" in kinds and not {"pattern", "format"} & out.keys():
        out["maxLength"] = min(out.get("maxLength", characters), max(characters, out.get("minLength", 0)))
    if {"number", "integer"} & set(kinds):
        out = _whole(out, kinds)
    return out


def _whole(node: dict[str, Any], kinds: list[str]) -> dict[str, Any]:
    """A number as a bounded whole number, where there is one: a fraction may have digits without end."""
    low = max((node[key] for key in ("minimum", "exclusiveMinimum") if key in node), default=-_NUMBER)
    high = min((node[key] for key in ("maximum", "exclusiveMaximum") if key in node), default=_NUMBER)
    if "multipleOf" in node or math.ceil(low) + 1 > math.floor(high):
        return node
    kept = list(dict.fromkeys("integer" if kind == "number" else kind for kind in kinds))
    bounds = {key: value for key, value in (("minimum", low), ("maximum", high)) if key not in node}
    return {**node, "type": kept[0] if len(kept) == 1 else kept, **bounds}


def _longest(node: Any, definitions: Mapping[str, Any], known: dict[str, float]) -> float:
    """See :func:`longest`; ``known`` holds definitions that were measured, infinite while they are (they recur)."""
    if not isinstance(node, Mapping):
        return math.inf
    if "$ref" in node:
        name = str(node["$ref"]).rsplit("/", 1)[-1]
        if name not in known:
            known[name] = math.inf
            known[name] = _longest(definitions.get(name), definitions, known)
        return known[name]
    if "enum" in node or "const" in node:
        choices = node["enum"] if "enum" in node else [node["const"]]
        return float(max((len(json.dumps(choice, ensure_ascii=False).encode()) for choice in choices), default=0))
    if "anyOf" in node:
        return max((_longest(option, definitions, known) for option in node["anyOf"]), default=math.inf)
    kinds = [node["type"]] if isinstance(node.get("type"), str) else list(node.get("type", ()))
    return max((_longest_of(kind, node, definitions, known) for kind in kinds), default=math.inf)


def _longest_of(kind: str, node: Mapping[str, Any], definitions: Mapping[str, Any], known: dict[str, float]) -> float:
    """The longest document of one type."""
    match kind:
        case "object" if node.get("additionalProperties") is False:
            fields = node.get("properties", {}).items()
            keys = sum(len(json.dumps(name, ensure_ascii=False).encode()) + 4 for name, _ in fields)
            return keys + math.fsum(_longest(sub, definitions, known) for _, sub in fields)
        case "array" if {"items", "maxItems"} <= node.keys():
            return (
                2 + float(node["maxItems"]) * (2 + _longest(node["items"], definitions, known))
                if node["maxItems"]
                else 2.0
            )
        case "string" if "maxLength" in node:
            return 2.0 + 4 * int(node["maxLength"])
        case "integer" if {"minimum", "maximum"} <= node.keys():
            return float(max(len(str(math.floor(node[key]))) for key in ("minimum", "maximum")))
        case "boolean" | "null":
            return 5.0
    return math.inf
