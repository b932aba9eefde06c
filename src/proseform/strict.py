"""Strict JSON for :mod:`json`: what Python reads and RFC 8259 does not allow, or leaves open.

Python takes ``NaN`` and ``Infinity``, reads ``1e999`` as an infinity, and of a key that stands twice keeps the last.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any


class DuplicateKeyError(ValueError):
    """A key that stands twice in one object.

    Args:
        key: The first key that is met again.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"the key '{key}' stands twice")
        self.key = key


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys each stand once; for ``object_pairs_hook``.

    Raises:
        DuplicateKeyError: One stands twice.
    """
    value = dict(pairs)
    if len(value) != len(pairs):
        met: set[str] = set()
        raise DuplicateKeyError(next(key for key, _ in pairs if key in met or met.add(key)))  # type: ignore[func-returns-value]
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
