"""What a schema may cost before anything reads it: its size, depth and numbers, checked without recursion.

A caller's schema passes these bounds first, so that nothing behind them meets text that cannot be written as UTF-8,
numbers that are none, or nesting that ends a stack. All limits are far above what people write: the largest of 11,305
public schemas has 0.94 MB, 34,000 nodes and 63 levels (docs/results/schemas.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from proseform.errors import InputError
from proseform.schema.pointer import escaped

MAX_BYTES = 1 << 20
"""Of a schema, as JSON without white space."""

MAX_NODES = 100_000
"""Objects, arrays, strings, numbers and constants, keys not counted."""

MAX_DEPTH = 100
"""Objects and arrays inside one another. llguidance reads 127 levels, jsonschema-rs 255."""

MAX_POINTERS = 32 << 20
"""Characters of the JSON pointers of all values together. A schema's graph and grammar name each subschema by its
pointer, which repeats every key above it: 1 MiB of schema could otherwise need more memory than any machine has."""

_LONG = 2_000
"""Characters of a place that are kept."""

MAX_DIGITS = 308
"""Of a number, before the point: what a double holds."""


def check(document: Any, where: str) -> None:
    """Refuse JSON that is too large, too deep, or not JSON at all.

    >>> check({"enum": [float("nan")]}, "schema")
    Traceback (most recent call last):
    proseform.errors.InputError: schema: /enum/0 is nan, which is no JSON number.

    Args:
        document: What should be a schema: any Python value.
        where: What to call it in errors.

    Raises:
        InputError: With the JSON pointer of the first thing that is out of bounds.
    """
    todo: list[tuple[Any, str, str, int, int]] = [(document, "", "", 0, 1)]
    size = nodes = pointers = 0
    while todo:
        value, above, step, length, depth = todo.pop()
        place = f"{above}{step}"[:_LONG]
        nodes += 1
        if isinstance(value, Mapping | list | tuple):
            if depth > MAX_DEPTH:
                raise InputError(
                    f"{where}: is nested deeper than {MAX_DEPTH} levels, at {place[:60]}…",
                    hint="State inner parts under $defs and refer to them.",
                )
            if nodes + len(todo) + len(value) > MAX_NODES:
                raise _too_large(where)
            pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
            for key, child in pairs:
                size += _key(key, place, where) if isinstance(value, Mapping) else 1
                further = f"/{escaped(key)}"
                pointers += length + len(further)
                todo.append((child, place, further, length + len(further), depth + 1))
            size += 2
        else:
            size += _scalar(value, place, where)
        if size > MAX_BYTES:
            raise _too_large(where)
        if pointers > MAX_POINTERS:
            raise InputError(
                f"{where}: the pointers to its values are larger than {MAX_POINTERS >> 20} Mi characters together.",
                hint="Shorten the keys that hold many others, or state inner parts under $defs and refer to them.",
            )


def _too_large(where: str) -> InputError:
    """The words for a schema of too many bytes or values."""
    return InputError(
        f"{where}: is larger than {MAX_BYTES >> 10} KiB or {MAX_NODES} values.", hint="State it in fewer words."
    )


def _key(key: Any, place: str, where: str) -> int:
    """The size of an object's key; a key that is no text is no JSON."""
    if not isinstance(key, str):
        raise InputError(f"{where}: {place or '/'} has the key {key!r}, which is no text.")
    return _text(key, place, where) + 2


def _scalar(value: Any, place: str, where: str) -> int:
    """The size of a value without children."""
    if isinstance(value, str):
        return _text(value, place, where)
    if value is None or isinstance(value, bool):
        return 5
    if isinstance(value, int):
        if abs(value) >= 10**MAX_DIGITS:
            raise InputError(f"{where}: {place or '/'} is a number of more than {MAX_DIGITS} digits.")
        return len(str(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{where}: {place or '/'} is {value}, which is no JSON number.")
        return len(repr(value))
    raise InputError(f"{where}: {place or '/'} is {type(value).__name__}, which is no JSON.")


def _text(text: str, place: str, where: str) -> int:
    """The size of a string; a lone surrogate is no text."""
    try:
        return len(text.encode()) + 2
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: {place or '/'} holds a lone surrogate (\\u{ord(text[error.start]):04x}), which is no text."
        ) from error
