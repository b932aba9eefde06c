"""Documents as people have them, read as text: PDF, DOCX, Markdown, plain text, JSON.

    read(path)               a file
    read_bytes(data, name)   an upload; the name only breaks ties
        what it is           by content (magic bytes), by suffix where bytes cannot tell (``.md``, ``.txt``, ``.json``)
        pdf.py  docx.py      to lines, in reading order
        text.py              decoding, Markdown, JSON
        normal.py            the one normalisation that every kind goes through, with offsets into what was extracted

A document is read as an input (:mod:`proseform.input`): its text, where every character stood in what was extracted,
and what was left out. The same content as PDF, DOCX and Markdown gives the same text, as far as the file says what
its lines and blank lines are. What cannot be read is a :class:`proseform.errors.DocumentError`, which names the file
and what to do.

Knowingly left out: OCR (the error says which tool does it), joining lines that a PDF has wrapped, the depth of nested
lists, footnotes, comments, and the meaning of JSON (a task's ``from_json`` turns JSON Resume and the like into text).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Literal, cast

from proseform.documents import text as texts
from proseform.documents.normal import as_input
from proseform.errors import DocumentError
from proseform.input import Finding, Input, Origin

__all__ = ["MAX_BYTES", "MAX_CHARS", "MAX_PAGES", "Document", "read", "read_bytes"]

Kind = Literal["pdf", "docx", "markdown", "text", "json"]

MAX_BYTES = 10 * 1024 * 1024
MAX_PAGES = 50
MAX_CHARS = 200_000

_READABLE = "Readable are PDF, DOCX, Markdown, plain text and JSON."
_PICTURES = {
    b"\x89PNG\r\n": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"II*\x00": "a TIFF picture",
    b"MM\x00*": "a TIFF picture",
    b"RIFF": "a WebP picture",
    b"BM": "a BMP picture",
}
_GUESSED = Finding("encoding", "It is not UTF-8; it was read as Windows-1252 (cp1252), which is a guess.")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read.

    Attributes:
        input: Its text, normalised (:func:`proseform.documents.normal.normalise`); for JSON the source, indented.
            ``input.raw`` is what was extracted: lines of a PDF, paragraphs of a DOCX, decoded text, Markdown without
            its markup.
        data: The parsed value of JSON, else None.
    """

    input: Input
    data: Any = None

    @property
    def text(self) -> str:
        """The text as the model sees it."""
        return self.input.text

    @property
    def kind(self) -> Kind:
        """What the content is, whatever the name says."""
        return cast("Kind", self.input.origin.kind)


def read(path: Path, *, max_bytes: int = MAX_BYTES, max_pages: int = MAX_PAGES, max_chars: int = MAX_CHARS) -> Document:
    """Read a file.

    Args:
        path: The file.
        max_bytes: Larger files are refused unread.
        max_pages: PDFs with more pages are refused.
        max_chars: Documents with more text are refused.

    Raises:
        DocumentError: The file is missing, not a regular file, or anything of :func:`read_bytes`.
    """
    name = texts.shown(path.name or str(path))
    try:
        if path.is_dir():
            raise DocumentError(f"{name} is a folder, not a file.", hint=f"Give one file. {_READABLE}")
        if not path.exists():
            raise DocumentError(
                f"There is no file {name} in {texts.shown(str(path.parent))}{_beside(path)}.", hint="Check the path."
            )
        if not path.is_file():  # reading a pipe or a device could block for ever
            raise DocumentError(f"{name} is not a regular file.", hint=f"Give a file. {_READABLE}")
        _check_size(path.stat().st_size, name, max_bytes)
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise DocumentError(
            f"{name} cannot be opened: {reason}.", hint="Check the path and its permissions."
        ) from error
    return read_bytes(data, path.name, max_bytes=max_bytes, max_pages=max_pages, max_chars=max_chars)


def read_bytes(
    data: bytes, name: str, *, max_bytes: int = MAX_BYTES, max_pages: int = MAX_PAGES, max_chars: int = MAX_CHARS
) -> Document:
    r"""Read an upload.

    Args:
        data: Its bytes.
        name: Its name, for messages and for kinds that bytes cannot tell.
        max_bytes: See :func:`read`, as for the other limits.
        max_pages: See there.
        max_chars: See there.

    Raises:
        DocumentError: Empty, oversized, encrypted, scanned, corrupt, a picture, an old or foreign format, or not text;
            the message says which.

    Example:
        >>> read_bytes(b"# Ana Silva\r\n* **Python**: 4 years\r\n", "letter.md").text
        'Ana Silva\n- Python: 4 years'
    """
    suffix = PurePath(name).suffix.lower()
    where = texts.shown(name)
    _check_size(len(data), where, max_bytes)
    if not data.strip():
        raise DocumentError(f"{where} is empty.", hint="Save it again with its content.")
    container = _container(data, suffix, where)
    if container == "pdf":
        from proseform.documents import pdf  # pypdf takes longer to import than a text file to read

        raw, pages = pdf.extract(data, where, max_pages=max_pages, max_chars=max_chars)
        document = Document(as_input(raw, Origin(where, "pdf", pages=pages)))
    elif container == "zip":
        from proseform.documents import docx  # as above

        document = Document(as_input(docx.extract(data, where, max_chars=max_chars), Origin(where, "docx")))
    else:
        document = _text(data, suffix, where, max_chars)
    if not document.text:
        raise DocumentError(f"{where} holds no text.", hint="Save it again with its content.")
    if len(document.text) > max_chars:
        raise texts.too_long(where, max_chars)
    return document


def _container(data: bytes, suffix: str, where: str) -> Literal["pdf", "zip", "none"]:
    """What the magic bytes say.

    Raises:
        DocumentError: A format that is not read; the message says which, and what to do.
    """
    head = data[:1024].lstrip()
    if head.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head):  # readers allow junk before the header
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(b"PK\x05\x06"):
        raise DocumentError(f"{where} is an empty zip archive.", hint=_READABLE)
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise DocumentError(
                f"{where} is encrypted.", hint="Open it with its password, save a copy without one and give that."
            )
        raise DocumentError(f"{where} is in Word's format from before 2007 (.doc).", hint="Save it as DOCX or PDF.")
    if head.startswith(b"{\\rtf"):
        raise DocumentError(f"{where} is RTF.", hint="Save it as DOCX or PDF.")
    if head[:9].lower().startswith((b"<!doctype", b"<html")):
        raise DocumentError(
            f"{where} is a web page (HTML).", hint="Print it to PDF, or save the document that the page links to."
        )
    picture = next((words for magic, words in _PICTURES.items() if data.startswith(magic)), "")
    picture = "a HEIC or AVIF picture" if data[4:12] in {b"ftypheic", b"ftypmif1", b"ftypavif"} else picture
    if picture and not _is_ascii(data):  # "BM" and "RIFF" can also begin a plain text
        raise DocumentError(
            f"{where} is {picture}, it holds no text.",
            hint="Run OCR first: img2pdf, then ocrmypdf, gives a PDF with text.",
        )
    return "none"


def _text(data: bytes, suffix: str, where: str, max_chars: int) -> Document:
    """JSON, Markdown or plain text: bytes cannot tell them apart for certain, the suffix helps."""
    raw, encoding = texts.decode(data, where)
    if len(raw) > 2 * max_chars:  # before any parser sees it; markup and blanks may shrink what is left
        raise texts.too_long(where, max_chars)
    origin = Origin(where, "text", encoding)
    findings = [_GUESSED] if encoding == "cp1252" else []
    if suffix == ".json" or (suffix not in {".md", ".markdown", ".txt"} and raw.lstrip().startswith(("{", "["))):
        try:
            value = texts.parse_json(raw, where)
        except DocumentError:
            if suffix == ".json":
                raise
        else:
            shown = Input.of(texts.dump_json(value), origin=replace(origin, kind="json"), findings=findings)
            return Document(shown, value)
    if suffix in {".md", ".markdown"}:
        return Document(as_input(texts.markdown(raw), replace(origin, kind="markdown"), findings))
    return Document(as_input(raw, origin, findings))


def _is_ascii(data: bytes) -> bool:
    """Whether the first part is printable ASCII."""
    return all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in data[:256])  # noqa: PLR2004 - the printable range


def _check_size(size: int, where: str, max_bytes: int) -> None:
    """Refuse what is larger than allowed."""
    if size > max_bytes:
        raise DocumentError(
            f"{where} is larger than {max_bytes / 2**20:.3g} MiB.",
            hint="Save it without pictures or at a lower resolution.",
        )


def _beside(path: Path) -> str:
    """What lies in the same folder, for a mistyped name."""
    names = sorted(
        p.name for p in path.parent.glob("*") if p.suffix.lower() in {".pdf", ".docx", ".md", ".txt", ".json"}
    )[:6]
    return f"; there are: {', '.join(map(texts.shown, names))}" if names else ""
