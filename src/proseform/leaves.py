"""The leaves of a JSON value with their paths: what a document says, one fact at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]
"""The keys and indices that lead to a part of a JSON value."""

_SCALARS = (str, int, float, type(None))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf of a JSON value with its path; an empty container is a leaf of its own.

    >>> list(leaves({"a": [1, {}]}))
    [(('a', 0), 1), (('a', 1), {})]
    """
    if isinstance(value, _SCALARS) or not (value and isinstance(value, Mapping | list)):
        yield path, value
        return
    for step, child in enumerate(value) if isinstance(value, list) else value.items():
        place = (*path, step)
        if isinstance(child, _SCALARS):
            yield place, child
        else:
            yield from leaves(child, place)
