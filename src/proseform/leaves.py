"""The leaves of a JSON value with their paths: what a document says, one fact at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from proseform.strict import same

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


def picked(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those fields of an object, in the order of the names; a name that it lacks is left out.

    >>> picked({"a": 1, "b": 2}, ["b", "c"])
    {'b': 2}
    """
    return {name: value[name] for name in names if name in value}


def content_share(value: Any, gold: Any) -> float:
    """The share of leaves on which two JSON values agree, in [0, 1]; 1 exactly where they are equal.

    Leaves are compared by path, list items by position; a leaf that only one side has counts against.

    >>> content_share({"a": 1, "b": ["x", "y"]}, {"a": 1, "b": ["x", "z"]}) == 2 / 3
    True
    """
    return agreement(dict(leaves(value)), dict(leaves(gold)))


def agreement(ours: Mapping[Path, Any], theirs: Mapping[Path, Any]) -> float:
    """:func:`content_share` of two values whose leaves are known already, by path."""
    paths = ours.keys() | theirs.keys()
    agreed = sum(path in ours and path in theirs and same(ours[path], theirs[path]) for path in paths)
    return agreed / len(paths) if paths else 1.0
