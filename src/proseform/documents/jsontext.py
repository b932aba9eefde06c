"""Strict JSON (RFC 8259), and JSON as a text to read."""

from __future__ import annotations

import json
from typing import Any

from proseform import strict
from proseform.documents.extract import shown
from proseform.errors import DocumentError


def parse_json(text: str, where: str) -> Any:
    """Strict JSON (RFC 8259) with an object or array at the top and no key twice.

    Raises:
        DocumentError: With line and column where the parser gives them.
    """
    try:
        value = json.loads(text, parse_constant=strict.no_constant, object_pairs_hook=strict.unique)
        dump_json(value).encode()  # half surrogate pairs are legal escapes, but no text
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeEncodeError are ValueErrors
        raise DocumentError(
            f"{where} is not valid JSON: {_reason(error)}.", hint="Correct it there, or export it again."
        ) from error
    if not isinstance(value, dict | list):
        raise DocumentError(
            f"{where} holds a single JSON {type(value).__name__}, expected an object.",
            hint="Export the whole document.",
        )
    return value


def _reason(error: Exception) -> str:
    """Why a text is no JSON that can be read, in words."""
    match error:
        case RecursionError():
            return "nested too deeply"
        case UnicodeEncodeError():
            return "half of a surrogate pair"
        case strict.DuplicateKeyError():
            return f"key {shown(error.key)!r} occurs twice in one object"
        case _:
            return str(error)


def dump_json(value: Any) -> str:
    """JSON for reading: indented by 1, characters as themselves."""
    return json.dumps(value, ensure_ascii=False, indent=1)
