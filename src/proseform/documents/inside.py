"""What the processes of :mod:`proseform.documents.apart` do; libraries are imported before memory is limited."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import chardet
import cssselect
import lxml.etree
import markdown_it

from proseform.documents import docx, html, jsontext, markdown, odt, pdf, readers, rtf
from proseform.documents.extract import Limits, reason
from proseform.errors import DocumentError

_IMPORTED = (chardet, cssselect, lxml.etree, markdown_it, docx, html, jsontext, markdown, odt, pdf, rtf)


def answer(question: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Read a document: what the process does.

    Raises:
        MemoryError: There is not enough.
    """
    where = question["where"]
    try:
        kind, extract = readers.extract(data, question["suffix"], where, Limits(**question["limits"]))
    except DocumentError as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from error
        return {"refused": error.message, "hint": error.hint}
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - libraries raise errors of many kinds on broken files
        return {
            "refused": f"{where} is damaged: {reason(error)}.",
            "hint": "Open it, save it again or print it to PDF, and give that.",
        }
    return {"kind": kind, **asdict(extract)}
