"""The reader of each kind of document, imported when it is first needed: a text file pays for no PDF library."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from proseform.documents import encodings
from proseform.documents.extract import Extract, Limits, too_long
from proseform.documents.kinds import Kind, container, of_text
from proseform.errors import DocumentError
from proseform.input import NEWLINES

_BINARY: dict[str, tuple[Kind, str, str]] = {
    "pdf": ("pdf", "pdf", "extract"),
    "docx": ("docx", "docx", "extract"),
    "odt": ("odt", "odt", "extract"),
    "rtf": ("rtf", "rtf", "extract"),
    "mhtml": ("html", "html", "extract_archive"),
}
"""What a container is read as, with the module and the function that read it."""


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
    held_in = container(data, suffix, where)
    if held_in == "text":
        return _text(data, suffix, where, limits)
    kind, module, function = _BINARY[held_in]
    read: Callable[[bytes, str, Limits], Extract] = getattr(import_module(f"proseform.documents.{module}"), function)
    return kind, read(data, where, limits)


def plain(data: bytes, where: str, limits: Limits) -> tuple[Kind, Extract]:
    """What is known to be plain text: nothing is looked for in it.

    Raises:
        DocumentError: It is too long.
    """
    text, encoding, findings = encodings.decode(data, where)
    return "text", Extract(_within(text, where, limits), findings, encoding=encoding)


def _within(text: str, where: str, limits: Limits) -> str:
    """A text that may be looked at: markup and blanks may shrink what is left."""
    if len(text) > 2 * limits.chars:
        raise too_long(where, limits.chars)
    return text


def _text(data: bytes, suffix: str, where: str, limits: Limits) -> tuple[Kind, Extract]:
    """What bytes cannot tell: HTML, JSON, Markdown or plain text."""
    text, encoding, findings = encodings.decode(data, where, encodings.declared(data))
    kind, inner = _told(text, suffix, where, limits)
    return kind, Extract(inner.raw, (*findings, *inner.findings), encoding=encoding)


def _told(text: str, suffix: str, where: str, limits: Limits) -> tuple[Kind, Extract]:
    """As :func:`_text`, from a decoded text."""
    kind = of_text(text, suffix, where)
    if kind == "html":
        from proseform.documents import html

        return "html", html.extract_text(text, where, limits)
    if kind == "flat-odt":
        from proseform.documents import odt

        return "odt", odt.extract_flat(text, where, limits)
    _within(text, where, limits)
    if kind == "markdown":
        from proseform.documents import markdown

        return "markdown", markdown.extract(NEWLINES.sub("\n", text))
    if kind == "json":
        from proseform.documents import jsontext

        try:
            return "json", Extract(jsontext.dump_json(jsontext.parse_json(text, where)))
        except DocumentError:
            if suffix == ".json":
                raise
    return "text", Extract(text)
