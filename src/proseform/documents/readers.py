"""The reader of each kind of document, imported when it is first needed: a text file pays for no PDF library."""

from __future__ import annotations

from proseform.documents.extract import Extract, Limits
from proseform.documents.kinds import Kind, container


def extract(data: bytes, suffix: str, where: str, limits: Limits) -> tuple[Kind, Extract]:
    """What a document is, and what its reader extracts from it.

    Args:
        data: The whole file, not empty.
        suffix: The suffix of its name, in lower case.
        where: Its name as messages show it.
        limits: What it may be at most.

    Raises:
        DocumentError: See :func:`proseform.documents.read_bytes`.
    """
    match container(data, suffix, where):
        case "pdf":
            from proseform.documents import pdf

            return "pdf", pdf.extract(data, where, limits)
        case "docx":
            from proseform.documents import docx

            return "docx", docx.extract(data, where, limits)
        case "text":
            from proseform.documents import text

            return text.extract(data, suffix, where, limits)
