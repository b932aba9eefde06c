"""Names of an open vocabulary, put together from syllables (``words/syllables.toml``): copied, they cannot be known.

A name says nothing of its bearer here, and is independent of every outcome.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from string import Formatter
from typing import Any

from proseform.tasks.cv.data import data

_PLAIN = "{given} {family}"
"""The pattern of a name without anything to it."""
_LIKE = {"second": "given", "initial": "given", "other": "family"}
"""Fields that are drawn from the table of another."""


def person(rng: random.Random, *, plain: bool) -> str:
    """A full name of one tradition.

    Args:
        rng: Where chance comes from.
        plain: Whether it is a given and a family name of the letters A to Z, instead of any pattern of the tradition.
    """
    while True:
        name = of_tradition(rng, rng.choice(data("words/syllables")["tradition"]), plain=plain)
        if not plain or name.isascii():
            return name


def of_tradition(rng: random.Random, tradition: Mapping[str, Any], *, plain: bool) -> str:
    """A full name of a tradition; where it is plain, without anything to it, but maybe of other letters than A to Z."""
    return put_together(rng, _PLAIN if plain else rng.choice(tradition["patterns"]), tradition)


def word(rng: random.Random, table: Mapping[str, Any]) -> str:
    """A word from a table of syllables and endings, as the head of syllables.toml describes."""
    syllables = (
        "".join(rng.choice(table[part]) for part in ("onset", "nucleus", "coda"))
        for _ in range(rng.randint(*table["syllables"]))
    )
    text: str = "".join(syllables) + rng.choice(table["endings"])
    return text[0].upper() + text[1:]


def put_together(rng: random.Random, pattern: str, tables: Mapping[str, Any]) -> str:
    """A pattern with each of its fields drawn.

    Args:
        rng: Where chance comes from.
        pattern: With fields in braces; the same field twice is the same word twice.
        tables: Of syllables by field, texts to take as they are, and ``particles``.
    """
    drawn: dict[str, str] = {}
    for _, name, _, _ in Formatter().parse(pattern):
        if name == "particle":
            drawn[name] = rng.choice(tables["particles"])
        elif name is not None:
            table = tables[_LIKE.get(name, name)]
            drawn[name] = table if isinstance(table, str) else word(rng, table)
    if "initial" in drawn:
        drawn["initial"] = drawn["initial"][0]
    if "tail" in drawn:
        drawn["tail"] = drawn["tail"].lower()
    return pattern.format(**drawn)
