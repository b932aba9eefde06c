"""Strict JSON (RFC 8259), and JSON as a text to read."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from proseform.documents.extract import shown
from proseform.errors import DocumentError


def parse_json(text: str, where: str) -> Any:
    """Strict JSON (RFC 8259) with an object or array at the top and no key twice.

    Raises:
        DocumentError: With line and column where the parser gives them.
    """

    def constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(items)
        if len(value) < len(items):
            keys = [key for key, _ in items]
            raise ValueError(f"key {shown(next(k for k in keys if keys.count(k) > 1))!r} occurs twice in one object")
        return value

    try:
        value = json.loads(text, parse_constant=constant, object_pairs_hook=pairs)
        dump_json(value).encode()  # half surrogate pairs are legal escapes, but no text
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeEncodeError are ValueErrors
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        reason = "half of a surrogate pair" if isinstance(error, UnicodeEncodeError) else reason
        raise DocumentError(
            f"{where} is not valid JSON: {reason}.", hint="Correct it there, or export it again."
        ) from error
    if not isinstance(value, dict | list):
        raise DocumentError(
            f"{where} holds a single JSON {type(value).__name__}, expected an object.",
            hint="Export the whole document.",
        )
    return value


def dump_json(value: Any) -> str:
    """JSON for reading: indented by 1, characters as themselves."""
    return json.dumps(value, ensure_ascii=False, indent=1)
