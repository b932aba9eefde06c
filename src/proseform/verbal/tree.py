"""A JSON value as the sentences that state it: leaf by leaf, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proseform.leaves import Path
from proseform.schema.pointer import escaped


def is_leaf(value: Any) -> bool:
    """Whether a value is written within a sentence."""
    if isinstance(value, Mapping):
        return not value
    return not isinstance(value, list) or not any(isinstance(one, Mapping | list) for one in value)


def leaves(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Everything that has a sentence of its own, by where it stands.

    >>> leaves({"rows": [{"n": 2, "all": ["x"]}], "none": {}})
    {('rows', 0, 'n'): 2, ('rows', 0, 'all'): ['x'], ('none',): {}}
    """
    if is_leaf(value):
        return {path: value}
    steps = value.items() if isinstance(value, Mapping) else enumerate(value)
    return {place: leaf for step, child in steps for place, leaf in leaves(child, (*path, step)).items()}


def built(leaves: Mapping[Path, Any]) -> Any:
    """The value of which these are all leaves.

    Raises:
        ValueError: They are not of one value: a number is left out, or fields stand among numbers.
    """
    if () in leaves:
        return leaves[()]
    children: dict[str | int, dict[Path, Any]] = {}
    for path, value in leaves.items():
        children.setdefault(path[0], {})[path[1:]] = value
    for step, below in children.items():
        if () in below and len(below) > 1:
            raise ValueError(f"{place((step,))} is a value, and has parts")
    values = {step: built(below) for step, below in children.items()}
    if all(isinstance(step, str) for step in values):
        return values
    if set(values) != set(range(len(values))):
        raise ValueError("the numbers do not follow one another")
    return [values[number] for number in range(len(values))]


def place(path: Path) -> str:
    """A path as a JSON pointer."""
    return "".join(f"/{escaped(step)}" for step in path) or "/"
