"""JSON as RFC 8259 has it: hooks for :mod:`json` that refuse what it does not allow or leaves open, and equality.

By default Python reads ``NaN`` and ``Infinity``, takes ``1e999`` for an infinity, and keeps the last of two equal keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any


class DuplicateKeyError(ValueError):
    """A key that stands twice in one object.

    Args:
        key: The first key that is repeated.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"the key '{key}' stands twice")
        self.key = key


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are distinct; for ``object_pairs_hook``.

    Raises:
        DuplicateKeyError: A key is repeated.
    """
    value = dict(pairs)
    if len(value) != len(pairs):
        seen = set[str]()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKeyError(key)
            seen.add(key)
    return value


def finite(token: str) -> float:
    """A number; for ``parse_float``.

    Raises:
        ValueError: It overflows.
    """
    number = float(token)
    if math.isinf(number):
        raise ValueError(f"{token[:20]} is too large a number")
    return number


def no_constant(token: str) -> Any:
    """NaN and infinities are Python's, not JSON's; for ``parse_constant``.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{token} is no JSON number")


DECODER = json.JSONDecoder(object_pairs_hook=unique, parse_float=finite, parse_constant=no_constant)
"""Reads JSON with all three."""


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8: half of a character cannot.

    >>> encodable("né"), encodable(chr(0xD800))
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_SCALARS = (str, int, float, type(None))


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 and 1.0 are the same number, 1 and true are not.

    >>> same([1, {"a": 2.0}], [1.0, {"a": 2}]), same(1, True)
    (True, False)
    """
    if type(left) is type(right) and isinstance(left, _SCALARS):
        return bool(left == right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(*pair) for pair in zip(left, right, strict=True))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)
