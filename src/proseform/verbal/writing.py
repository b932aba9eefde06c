"""A JSON value as prose; see the package's head for the form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from proseform.leaves import Path
from proseform.verbal.labels import Labels
from proseform.verbal.tree import is_leaf

_CONSTANTS: Mapping[bool | None, str] = {True: "yes", False: "no", None: "none"}


def write(value: Any, labels: Labels) -> str:
    """A value in the form, fields in the labels' order.

    >>> from proseform.schema import Schema
    >>> labels = Labels.of(Schema({"properties": {"rows": {"items": {"properties": {"is_in": {}, "n": {}}}}}}))
    >>> print(write({"rows": [{"is_in": True, "n": 2}, {"n": "two"}], "all": []}, labels))
    Rows 1. Is in: yes. N: 2.
    Rows 2. N: "two".
    "all": [].
    """
    return "\n".join(_lines(value, (), labels))


def _lines(value: Any, path: Path, labels: Labels) -> Iterator[str]:
    """The lines of a container, and of those within it; a leaf at the root is a line of its own."""
    if is_leaf(value):
        yield f"{inline(value, labels)}."
        return
    leaves: list[str] = []
    for step, child in _children(value, path, labels):
        if not is_leaf(child):
            if leaves:
                yield heading(path, labels) + " ".join(leaves)
                leaves = []
            yield from _lines(child, (*path, step), labels)
            continue
        sentence = f"{shown(step, labels)}: {inline(child, labels)}."
        if path:
            leaves.append(sentence)
        else:
            yield sentence
    if leaves:
        yield heading(path, labels) + " ".join(leaves)


def heading(path: Path, labels: Labels) -> str:
    """Where a line's leaves stand.

    >>> from proseform.schema import Schema
    >>> heading(("rows", 0, "is_in"), Labels.of(Schema({"properties": {"rows": {}, "is_in": {}}})))
    'Rows 1, Is in. '
    """
    words = [shown(step, labels) for step in path]
    joints = ["", *(" " if isinstance(step, int) else ", " for step in path[1:])]
    return "".join(joint + word for joint, word in zip(joints, words, strict=True)) + ". "


def shown(step: str | int, labels: Labels) -> str:
    """One step of a path: a field's label, or an item's number from 1."""
    return labels.label(step) if isinstance(step, str) else str(step + 1)


def inline(value: Any, labels: Labels) -> str:
    """A leaf: a simple value, a list of simple values, or an empty container."""
    if isinstance(value, str):
        return value if value in labels.offered else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(inline(one, labels) for one in value)}]"
    if isinstance(value, Mapping):
        return "{}"
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    return json.dumps(value)


def _children(value: Any, path: Path, labels: Labels) -> list[tuple[str | int, Any]]:
    """What a container holds, in order."""
    if isinstance(value, list):
        return list(enumerate(value))
    rank = labels.rank(path)
    return sorted(value.items(), key=lambda pair: rank(pair[0]))
