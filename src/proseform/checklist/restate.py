"""Texts that state something else: one leaf of what a text says is replaced where the text states it.

No writer is needed: the reader says which place of a text states which leaf. Left out: leaves that a text states in
other words than the value's own; they stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from proseform.leaves import Path, leaves

Read = Callable[[str], Any]
"""A text to the JSON value that it states; None where it states none."""

_PLACES = 12
"""Places of a text that are tried for a leaf."""


def kind(path: Path) -> Path:
    """The path of a leaf with every index left open: leaves of one kind take the same values.

    >>> kind(("items", 3, "verdict"))
    ('items', '*', 'verdict')
    """
    return tuple("*" if isinstance(step, int) else step for step in path)


def values(stated: Iterable[Any]) -> dict[Path, list[Any]]:
    """The distinct values of every kind of leaf over some JSON values, in the order in which they come."""
    pool: dict[Path, dict[str, Any]] = {}
    for value in stated:
        for path, leaf in leaves(value):
            pool.setdefault(kind(path), {}).setdefault(json.dumps(leaf, sort_keys=True), leaf)
    return {of: list(distinct.values()) for of, distinct in pool.items()}


def restated(text: str, read: Read, path: Path, new: Any) -> str | None:
    """The text with another value for one leaf, or None where no place of the text states it alone.

    Of several places that change the leaf, the one that changes the fewest other leaves is taken.

    >>> read = lambda text: dict(word.split("=") for word in text.split())
    >>> restated("a=1 b=1", read, ("b",), "2")
    'a=1 b=2'
    """
    before = dict(leaves(read(text)))
    if path not in before:
        return None
    tried = []
    for start, end in _places(text, before[path]):
        other = text[:start] + _spelt(new) + text[end:]
        after = dict(leaves(read(other)))
        if path in after and after[path] == new:
            changed = sum(before.get(one) != after.get(one) for one in {**before, **after})
            tried.append((changed, start, other))
    return min(tried)[2] if tried else None


def half_right(text: str, read: Read, pool: Mapping[Path, Sequence[Any]]) -> str:
    """The text of which every second statement is wrong: each leaf of it is replaced by another value of its kind.

    An item of a list is a statement with all that it holds, as a line of an evaluation is; else a leaf is one.

    Args:
        text: A gold text.
        read: Its reader.
        pool: The values of each kind of leaf; see :func:`values`.

    >>> read = lambda text: [dict(word.split("=") for word in line.split()) for line in text.split(",")]
    >>> half_right("a=1 b=1,a=2 b=2,a=3 b=3", read, {("*", "a"): "123", ("*", "b"): "123"})
    'a=1 b=1,a=3 b=3,a=3 b=3'
    """
    wrong: dict[Path, bool] = {}
    for path, leaf in list(leaves(read(text))):
        if (other := _another(text, read, path, leaf, pool)) is None:
            continue
        if wrong.setdefault(_statement(path), len(wrong) % 2 == 1):
            text = other
    return text


def _statement(path: Path) -> Path:
    """The outermost item of a list that a leaf belongs to, with all lists in it; the leaf itself outside of lists.

    >>> _statement(("items", 3, "dates", 0, "from")), _statement(("score",))
    (('items', 3), ('score',))
    """
    ends = (place for place, step in enumerate(path, 1) if isinstance(step, int))
    return path[: next(ends, len(path))]


def all_set(text: str, read: Read, chosen: Mapping[Path, Any]) -> str:
    """The text with every leaf of some kinds set to that kind's value, where the text can be made to state it."""
    for path, leaf in list(leaves(read(text))):
        if kind(path) in chosen and leaf != chosen[kind(path)]:
            text = restated(text, read, path, chosen[kind(path)]) or text
    return text


def _another(text: str, read: Read, path: Path, leaf: Any, pool: Mapping[Path, Sequence[Any]]) -> str | None:
    """The text with another value for a leaf, the next one of its kind that can be stated."""
    known = list(pool.get(kind(path), ()))
    at = known.index(leaf) + 1 if leaf in known else 0
    others = [value for value in known[at:] + known[:at] if value != leaf and not isinstance(value, list | dict)]
    return next((new for value in others if (new := restated(text, read, path, value)) is not None), None)


def _places(text: str, leaf: Any) -> list[tuple[int, int]]:
    """Where a leaf's words stand in a text, as whole words."""
    words = _spelt(leaf)
    if isinstance(leaf, list | dict) or not words:
        return []
    pattern = rf"(?<!\w){re.escape(words)}(?!\w)"
    return [match.span() for match in re.finditer(pattern, text)][:_PLACES]


def _spelt(leaf: Any) -> str:
    """A leaf as texts spell it."""
    return leaf if isinstance(leaf, str) else json.dumps(leaf)
