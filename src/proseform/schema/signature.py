"""The signature of a JSON schema: one short line, as the formatter is shown it.

Left out: lengths, counts, patterns and which fields may be absent; the engine holds the formatter to those.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from proseform.schema.pointer import at

_LONG = 200
"""A definition whose signature has more characters than this is written once, then called by its name."""

_Writing = Generator[Any, str, str]
"""Yields subschemas, is sent the signature of each, and returns that of its own."""


def of(document: Mapping[str, Any]) -> str:
    """The signature of a schema; what is a boolean schema, has no type or goes round in circles is ``any``.

    >>> score = {"type": "integer", "minimum": 0, "maximum": 9}
    >>> of({"type": "object", "properties": {"verdict": {"enum": ["yes", "no"]}, "score": score}})
    '{verdict: yes|no, score: 0..9}'
    """
    known: dict[str, str] = {}
    stack = [_write(document, document, known)]  # of our own: a chain of references may be longer than Python's
    text: str | None = None
    while stack:
        try:
            part = stack[-1].send(text) if text is not None else next(stack[-1])
        except StopIteration as end:
            stack.pop()
            text = end.value
        else:
            stack.append(_write(part, document, known))
            text = None
    return text or ""


def _write(node: Any, root: Mapping[str, Any], known: dict[str, str]) -> _Writing:
    """One subschema; ``known`` holds the references that were followed before."""
    if not isinstance(node, Mapping):
        return "any"
    if "$ref" in node:
        return (yield from _follow(str(node["$ref"]), root, known))
    if "enum" in node:
        return "|".join(map(_word, node["enum"]))
    if "const" in node:
        return _word(node["const"])
    if "anyOf" in node:
        return "|".join((yield from _each(node["anyOf"])))
    kinds = node.get("type", "any")
    if isinstance(kinds, str):
        return (yield from _typed(kinds, node))
    return "|".join((yield from _each({**node, "type": kind} for kind in kinds)))


def _each(nodes: Iterable[Any]) -> Generator[Any, str, list[str]]:
    """The signatures of several subschemas."""
    texts: list[str] = []
    for node in nodes:
        texts += [(yield node)]
    return texts


def _follow(reference: str, root: Mapping[str, Any], known: dict[str, str]) -> _Writing:
    """What a reference points at.

    Long definitions that refer to one another would grow without bound: see ``_LONG``.
    """
    if reference not in known:
        known[reference] = "any"
        text = yield at(root, reference.removeprefix("#"))
        known[reference] = text if len(text) <= _LONG else reference.rsplit("/", 1)[-1]
        return text
    return known[reference]


def _typed(kind: str, node: Mapping[str, Any]) -> _Writing:
    """A subschema by its type."""
    match kind:
        case "object":
            properties = node.get("properties", {})
            texts = yield from _each(properties.values())
            return "{" + ", ".join(f"{name}: {text}" for name, text in zip(properties, texts, strict=True)) + "}"
        case "array":
            items = yield node.get("items")
            return f"[{items}]"
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
