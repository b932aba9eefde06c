"""Schemas whose documents are hard to end: inputs of earlier failures, and others of their kinds."""

import random
from typing import Any

import numpy as np
import pytest
from llguidance import LLMatcher

from proseform.infer.grammars.constrain import Constraints, exhausted

SENTENCES = {"type": "string", "minLength": 60, "maxLength": 2000}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


HARD: dict[str, dict[str, Any]] = {
    "a date among long texts": closed(
        date={"type": "string", "format": "date"},
        a=SENTENCES,
        b=SENTENCES,
        title={"type": "string", "maxLength": 200},
        tags={"type": "array", "items": {"type": "string", "maxLength": 40}, "maxItems": 9},
    ),
    "a probability between 0 and 1": closed(
        p={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, a=SENTENCES
    ),
    "lists of long texts": closed(a=SENTENCES, notes={"type": "array", "items": {"type": "string", "minLength": 30}}),
    "one of two keys": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "an old reference": {
        "definitions": {"s": {"type": "string"}},
        "type": "object",
        "properties": {"a": {"$ref": "#/definitions/s"}},
        "required": ["a"],
    },
    "nine items": {"type": "array", "items": {"type": "string"}, "minItems": 9},
    "a long string": {"type": "string", "minLength": 70},
    "an open object": {"type": "object"},
    "a key that is only required": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
    "two members at least": {
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 9},
        "minProperties": 2,
    },
    "a pattern": closed(a={"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}(x|yz)+$"}),
    "a pattern without anchors": closed(a={"type": "string", "pattern": "rocket_[a-f]+"}),
    "formats": closed(
        a={"type": "string", "format": "date"},
        b={"type": "string", "format": "uuid"},
        c={"type": "string", "format": "ipv4"},
    ),
    "numbers that are not small": closed(
        a={"type": "integer", "minimum": 100_000, "maximum": 999_999},
        b={"type": "number", "minimum": 0.25, "maximum": 0.5, "multipleOf": 0.25},
        c={"type": "integer", "exclusiveMinimum": -50, "exclusiveMaximum": -40},
    ),
    "alternatives": closed(
        x={
            "anyOf": [
                closed(kind={"const": "a"}, n={"type": "integer", "minimum": 0, "maximum": 9}),
                closed(kind={"const": "b"}, s={"type": "string", "minLength": 5}),
            ]
        }
    ),
    "a tuple": closed(
        a={
            "type": "array",
            "prefixItems": [{"type": "boolean"}, {"type": "string", "maxLength": 8}],
            "items": False,
            "minItems": 2,
        }
    ),
    "a tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": closed(name={"type": "string"}, children={"type": "array", "items": {"$ref": "#/$defs/node"}})
        },
    },
    "everything at once": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"enum": ["yes", "no"]}}, "required": ["b"]},
        ]
    },
    "anything": {},
}

_MANY_STATES = {"type": "string", "minLength": 1, "maxLength": 5000, "pattern": r"^$|(^(?:\S+\s+){0,99}\S+$)"}
"""The states of this pattern are so many that a few characters use up what one grammar may have."""

USED_UP: dict[str, Any] = {
    "type": "array",
    "prefixItems": [{"anyOf": [_MANY_STATES, {"type": "null"}]}, {"type": "boolean"}],
    "items": False,
    "minItems": 2,
}
"""A schema whose automaton :func:`use_up` can use up, and that has documents which need little of it."""


def use_up(constraints: Constraints, matcher: LLMatcher) -> None:
    """Write a document of :data:`USED_UP`, any allowed token after another, until the automaton has met its limit."""
    choice = random.Random(0)
    matcher.consume_tokens(constraints.encode(b'["'))
    for _ in range(500):
        allowed = np.flatnonzero(constraints.allowed([matcher])[0])
        if exhausted(matcher):
            return
        matcher.consume_token(int(choice.choice(list(allowed))))
    pytest.fail("the pattern is no longer hard: another one is wanted here")
