"""Answers that nobody gave, in the shape of those that there are: the formatter repeats whatever prose says.

Where cases are few, so are the values in them, and a formatter learns the values instead of copying. Each leaf is taken
from another case, or, where it is a text, begins as the one and ends as the other's does: a name becomes another name.
What the schema would not take stays as it was; nothing else of it need be true.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from proseform.leaves import Path, leaves
from proseform.schema import Schema

Pool = Mapping[tuple[str, ...], list[Any]]
"""The names that lead to a leaf, to the values that cases have there."""


def pool(answers: Iterable[Any]) -> dict[tuple[str, ...], list[Any]]:
    """The leaves of all answers, by the names that lead to them."""
    values: dict[tuple[str, ...], list[Any]] = {}
    for answer in answers:
        for path, leaf in leaves(answer):
            values.setdefault(_names(path), []).append(leaf)
    return values


def spliced(answer: Mapping[str, Any], known: Pool, schema: Schema, rng: random.Random) -> dict[str, Any]:
    """An answer with its leaves redrawn, which conforms to the schema.

    Args:
        answer: An answer that conforms.
        known: The leaves of all answers, see :func:`pool`.
        schema: The schema.
        rng: Of the draws.

    >>> schema = Schema({"properties": {"name": {"type": "string"}, "sex": {"enum": ["F", "M"]}}})
    >>> answers = [{"name": "TELURDER", "sex": "F"}, {"name": "BORTINRIN", "sex": "M"}]
    >>> spliced(answers[0], pool(answers), schema, random.Random(9))
    {'name': 'TELURNRIN', 'sex': 'M'}
    """
    drawn: dict[str, Any] = _copied(answer)
    for path, leaf in leaves(answer):
        other = rng.choice(known.get(_names(path), [leaf]))
        if isinstance(leaf, str) and isinstance(other, str):
            cut = rng.randint(0, min(len(leaf), len(other)))
            other = leaf[:cut] + other[cut:]
        _put(drawn, path, other)
        if schema.fault(drawn) is not None:
            _put(drawn, path, leaf)
    return drawn


def _names(path: Path) -> tuple[str, ...]:
    """A path without the numbers of items."""
    return tuple(step for step in path if isinstance(step, str))


def _copied(value: Any) -> Any:
    """A JSON value whose containers are its own."""
    if isinstance(value, Mapping):
        return {key: _copied(child) for key, child in value.items()}
    return [_copied(child) for child in value] if isinstance(value, list) else value


def _put(value: Any, path: Path, leaf: Any) -> None:
    """Put a leaf to its place."""
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = leaf
