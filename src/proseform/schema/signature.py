"""The signature of a JSON schema: one short line, as the formatter is shown it.

Left out: lengths, counts, patterns and which fields may be absent; the engine holds the formatter to those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from proseform.schema.pointer import at

_LONG = 200
"""A definition whose signature has more characters than this is written once, then called by its name."""


def of(document: Mapping[str, Any]) -> str:
    """The signature of a schema; what is a boolean schema, has no type or goes round in circles is ``any``.

    >>> score = {"type": "integer", "minimum": 0, "maximum": 9}
    >>> of({"type": "object", "properties": {"verdict": {"enum": ["yes", "no"]}, "score": score}})
    '{verdict: yes|no, score: 0..9}'
    """
    return _write(document, document, {})


def _write(node: Any, root: Mapping[str, Any], known: dict[str, str]) -> str:
    """One subschema; ``known`` holds the references that were followed before."""
    if not isinstance(node, Mapping):
        return "any"
    if "$ref" in node:
        return _follow(str(node["$ref"]), root, known)
    if "enum" in node:
        return "|".join(map(_word, node["enum"]))
    if "const" in node:
        return _word(node["const"])
    if "anyOf" in node:
        return "|".join(_write(option, root, known) for option in node["anyOf"])
    kinds = node.get("type", "any")
    return "|".join(_typed(kind, node, root, known) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _follow(reference: str, root: Mapping[str, Any], known: dict[str, str]) -> str:
    """What a reference points at.

    Long definitions that refer to one another would grow without bound: see ``_LONG``.
    """
    if reference not in known:
        known[reference] = "any"
        text = _write(at(root, reference.removeprefix("#")), root, known)
        known[reference] = text if len(text) <= _LONG else reference.rsplit("/", 1)[-1]
        return text
    return known[reference]


def _typed(kind: str, node: Mapping[str, Any], root: Mapping[str, Any], known: dict[str, str]) -> str:
    """A subschema by its type."""
    match kind:
        case "object":
            return (
                "{"
                + ", ".join(f"{name}: {_write(sub, root, known)}" for name, sub in node.get("properties", {}).items())
                + "}"
            )
        case "array":
            return f"[{_write(node.get('items'), root, known)}]"
        case "integer" | "number" if {"minimum", "maximum"} <= node.keys():
            return "..".join(
                str(end) if isinstance(end, int) else f"{end:g}" for end in (node["minimum"], node["maximum"])
            )
        case "string":
            return "text"
        case "boolean":
            return "true|false"
        case other:
            return other


def _word(value: Any) -> str:
    """A constant: text bare, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
