"""Random schemas of 3 to 10 fields, with prose that states their values, since serving takes any schema.

Each row is a new schema, prose in an order of its own, and the one JSON document that the prose states. Field
names, texts and enums come from ``words.toml``; what is new in a held-out row is the combination, not the words.
Left out: numbers with fractions, arrays of objects, depth beyond two.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

FEWEST, MOST = 3, 10
"""Leaf fields of a random schema."""

_SENTENCES = ("{name}: {value}.", "The {name} is {value}.", "As for {name}, it is {value}.")


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """A random schema, prose that states its values, and the values.

    Attributes:
        schema: Bounded everywhere, closed, all fields required.
        prose: One sentence a field, in shuffled order.
        answer: The document that the prose states.
    """

    schema: dict[str, Any]
    prose: str
    answer: dict[str, Any]


def rows(seed: int, count: int) -> Iterator[SchemaRow]:
    """Random rows; equal seeds give equal rows."""
    rng = random.Random(f"schemas-{seed}")
    for _ in range(count):
        yield _row(rng)


def _row(rng: random.Random) -> SchemaRow:
    """One row: leaves drawn, some of them gathered in one nested object."""
    names = rng.sample(_words()["fields"], rng.randint(FEWEST, MOST) + 1)
    parent, leaves = names[0], names[1:]
    nested = (
        set(rng.sample(leaves, rng.randint(2, len(leaves) - 1)))
        if len(leaves) > FEWEST and rng.random() < 1 / 2
        else set()
    )
    properties: dict[str, Any] = {}
    answer: dict[str, Any] = {}
    sentences: list[str] = []
    inner_properties: dict[str, Any] = {}
    inner_answer: dict[str, Any] = {}
    for name in leaves:
        node, value, words = _leaf(rng)
        inside = name in nested
        (inner_properties if inside else properties)[name] = node
        (inner_answer if inside else answer)[name] = value
        sentences.append(_sentence(rng, f"{parent} {name}" if inside else name, words))
        if inside and parent not in properties:
            properties[parent], answer[parent] = {}, inner_answer  # keeps the position
    if nested:
        properties[parent] = _object(inner_properties)
    rng.shuffle(sentences)
    return SchemaRow(_object(properties), " ".join(sentences), answer)


def _leaf(rng: random.Random) -> tuple[dict[str, Any], Any, str]:
    """A leaf: its subschema, a value, and the value in words."""
    words = _words()
    kind = rng.choice(("text", "text", "integer", "integer", "enum", "boolean", "list"))
    if kind == "integer":
        number = rng.randint(0, 99)
        return {"type": "integer", "minimum": 0, "maximum": 99}, number, str(number)
    if kind == "enum":
        options = rng.choice(words["enums"])
        choice = rng.choice(options)
        return {"enum": options}, choice, choice
    if kind == "boolean":
        truth = rng.random() < 1 / 2
        return {"type": "boolean"}, truth, "true" if truth else "false"
    if kind == "list":
        items = rng.sample(words["texts"], rng.randint(0, 3))
        node = {"type": "array", "items": {"type": "string", "maxLength": 40}, "maxItems": 5}
        return node, items, ", ".join(items) or "none"
    text = rng.choice(words["texts"])
    return {"type": "string", "maxLength": 40}, text, text


def _sentence(rng: random.Random, name: str, words: str) -> str:
    """A sentence that states one field."""
    return rng.choice(_SENTENCES).format(name=name, value=words)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    """A closed object with every property required."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


@cache
def _words() -> dict[str, Any]:
    """The words."""
    return tomllib.loads((resources.files("proseform.data") / "words.toml").read_text())
