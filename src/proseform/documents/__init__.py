"""Documents as people have them, read as text: PDF, DOCX, ODT, RTF, HTML, Markdown, plain text, JSON.

    read(path)               a file
    read_bytes(data, name)   an upload; the name only breaks ties
        apart.py             in a process of its own, within limits of time and memory (inside.py)
        readers.py           the reader of its kind, imported when it is first asked
        kinds.py             by what it holds, by suffix where that cannot tell; foreign.py: what is not read
        pdf/ docx/ odt/ rtf/ html/ markdown.py jsontext.py
                             to lines, in reading order; every reader gives an extract (extract.py)
        archive.py           zip archives within limits; tables.py the rows of a table as lines
        encodings.py         bytes to text, with the encoding that was used
        look.py              whether people can see letters: their size, their colour and what they stand on
        normal.py            the one normalisation that every kind goes through, with offsets into what was extracted

A document is read as an input (:mod:`proseform.input`): its text, where every character stood in what was extracted,
and findings. What a page shows is read; what it does not show (hidden, tiny and unseen text, comments, deleted text)
is left out of the text and told as a finding. The same content gives the same text in every kind, as far as the file
says what its lines and blank lines are. What cannot be read is a :class:`proseform.errors.DocumentError`, which names
the file and what to do.

Knowingly left out: OCR (the error says which tool does it), joining lines that a PDF has wrapped, the depth of nested
lists, and the meaning of JSON (a task's ``from_json`` turns JSON Resume and the like into text).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, cast

from proseform.documents import apart
from proseform.documents.apart import SIDE_BY_SIDE
from proseform.documents.extract import Limits, shown, too_long
from proseform.documents.jsontext import parse_json
from proseform.documents.kinds import READABLE, Kind
from proseform.documents.normal import as_input
from proseform.errors import DocumentError
from proseform.injection import noticed
from proseform.input import Input, Origin

__all__ = ["MAX_BYTES", "MAX_CHARS", "MAX_PAGES", "SIDE_BY_SIDE", "Document", "read", "read_bytes"]

MAX_BYTES = 10 * 1024 * 1024
MAX_PAGES = 50
MAX_CHARS = 200_000
_SUFFIXES = {".pdf", ".docx", ".odt", ".rtf", ".html", ".md", ".txt", ".json"}


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


def read(
    path: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_pages: int = MAX_PAGES,
    max_chars: int = MAX_CHARS,
    deadline: float | None = None,
) -> Document:
    """Read a file.

    Args:
        path: The file.
        max_bytes: Larger files are refused unread.
        max_pages: PDFs with more pages are refused.
        max_chars: Documents with more text are refused.
        deadline: When to give up, on the clock of :func:`time.monotonic`.

    Raises:
        DocumentError: The file is missing, not a regular file, or anything of :func:`read_bytes`.
        Refusal: ``deadline``.
    """
    name = shown(path.name or str(path))
    try:
        if path.is_dir():
            raise DocumentError(f"{name} is a folder, not a file.", hint=f"Give one file. {READABLE}")
        if not path.exists():
            raise DocumentError(
                f"There is no file {name} in {shown(str(path.parent))}{_beside(path)}.", hint="Check the path."
            )
        if not path.is_file():  # reading a pipe or a device could block for ever
            raise DocumentError(f"{name} is not a regular file.", hint=f"Give a file. {READABLE}")
        _check_size(path.stat().st_size, name, max_bytes)
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise DocumentError(
            f"{name} cannot be opened: {reason}.", hint="Check the path and its permissions."
        ) from error
    return read_bytes(data, path.name, max_bytes=max_bytes, max_pages=max_pages, max_chars=max_chars, deadline=deadline)


def read_bytes(
    data: bytes,
    name: str,
    *,
    max_bytes: int = MAX_BYTES,
    max_pages: int = MAX_PAGES,
    max_chars: int = MAX_CHARS,
    deadline: float | None = None,
) -> Document:
    r"""Read an upload.

    Args:
        data: Its bytes.
        name: Its name, for messages and for kinds that bytes cannot tell.
        max_bytes: See :func:`read`, as for the other limits.
        max_pages: See there.
        max_chars: See there.
        deadline: See there.

    Raises:
        DocumentError: Empty, oversized, encrypted, scanned, corrupt, a picture, an old or foreign format, or not text;
            the message says which. Also where reading takes too much time or memory.
        Refusal: ``deadline``.

    Example:
        >>> read_bytes(b"# Ana Silva\r\n* **Python**: 4 years\r\n", "letter.md").text
        'Ana Silva\n- Python: 4 years'
    """
    suffix = PurePath(name).suffix.lower()
    where = shown(name)
    _check_size(len(data), where, max_bytes)
    if not data.strip():
        raise DocumentError(f"{where} is empty.", hint="Save it again with its content.")
    kind, extract = apart.extract(data, suffix, where, Limits(max_pages, max_chars), deadline)
    origin = Origin(where, kind, extract.encoding or "", extract.pages or 0)
    if kind == "json":  # as it stands: blanks of its own are none of a layout's
        given = Input.of(extract.raw, origin=origin, findings=extract.findings)
        document = Document(noticed(given), parse_json(extract.raw, where))
    else:
        document = Document(noticed(as_input(extract.raw, origin, extract.findings)))
    if not document.text:
        raise DocumentError(f"{where} holds no text.", hint="Save it again with its content.")
    if len(document.text) > max_chars:
        raise too_long(where, max_chars)
    return document


def _check_size(size: int, where: str, max_bytes: int) -> None:
    """Refuse what is larger than allowed."""
    if size > max_bytes:
        raise DocumentError(
            f"{where} is larger than {max_bytes / 2**20:.3g} MiB.",
            hint="Save it without pictures or at a lower resolution.",
        )


def _beside(path: Path) -> str:
    """What lies in the same folder, for a mistyped name."""
    names = sorted(p.name for p in path.parent.glob("*") if p.suffix.lower() in _SUFFIXES)[:6]
    return f"; there are: {', '.join(map(shown, names))}" if names else ""
