"""DOCX to lines, by python-docx.

python-docx opens the package and knows the sections. The body is walked here, because ``Document.paragraphs`` skips
what document templates consist of: content controls, text boxes and tracked insertions. Order: headers, body with
tables in place, footers.

Knowingly left out: footnotes, comments, deleted text, list numbers (every list item is ``- ``), pictures.
"""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from proseform.documents.extract import Extract, Limits, reason, too_long
from proseform.errors import DocumentError

if TYPE_CHECKING:
    from docx.document import Document

MAX_SECONDS = 20.0
"""Longest time for one document; a page takes about 0.02 s."""
MAX_UNPACKED = 64 * 1024 * 1024
MAX_XML = 8 * 1024 * 1024
MAX_PARTS = 2000

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_BREAKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "\u00ad"}
_GONE = {
    "del",
    "moveFrom",
    "Fallback",
    "txbxContent",
    "pPr",
    "rPr",
}  # Fallback repeats a text box for old readers; boxes come after their line
_FOREIGN = {
    "xl/": ("an Excel workbook", "Save it as PDF."),
    "ppt/": ("a PowerPoint presentation", "Save it as PDF."),
    "META-INF/": ("an OpenDocument or Java archive", "Save it as DOCX or PDF."),
    "Index/": ("an Apple Pages document", "Export it as DOCX or PDF."),
}


def extract(data: bytes, where: str, limits: Limits) -> Extract:
    """The text of a DOCX: a line for each paragraph, a blank line before headings, a table's row as ``a | b``.

    Raises:
        DocumentError: Not a DOCX, damaged, larger unpacked than ``MAX_UNPACKED``, too much text, or not read within
            ``MAX_SECONDS``.
    """
    import docx  # see the package's head

    try:
        _check_archive(data, where)
        walk = _Walk(docx.Document(io.BytesIO(data)), where, limits.chars)
        return Extract("\n".join(walk.everything()))
    except DocumentError:
        raise
    except Exception as error:  # zipfile, lxml and python-docx raise errors of a dozen kinds on broken files
        raise DocumentError(
            f"{where} is a damaged DOCX: {reason(error)}.",
            hint="Open it in a word processor and save it again, or as PDF.",
        ) from error


def _check_archive(data: bytes, where: str) -> None:
    """Refuse foreign archives and zip bombs by the directory: zipfile unpacks no more of a part than it declares."""
    try:
        parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, UnicodeDecodeError) as error:
        raise DocumentError(
            f"{where} is a damaged zip archive or DOCX: {reason(error)}.", hint="Download or save it again."
        ) from error
    names = [part.filename for part in parts]
    if "word/document.xml" not in names:
        what, hint = next(
            (v for k, v in _FOREIGN.items() if any(n.startswith(k) for n in names)),
            ("a zip archive", "Unpack it and give the file."),
        )
        raise DocumentError(f"{where} is {what}, not a DOCX.", hint=hint)
    if any(part.flag_bits & 1 for part in parts):
        raise DocumentError(
            f"{where} is an encrypted zip archive.", hint="Save a copy without a password and give that."
        )
    size = sum(part.file_size for part in parts)
    xml = sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))
    if size > MAX_UNPACKED or xml > MAX_XML or len(parts) > MAX_PARTS:
        what = f"{len(parts)} parts of {size / 2**20:.0f} MiB, {xml / 2**20:.0f} MiB of them XML"
        raise DocumentError(
            f"{where} unpacks to {what}: too large.", hint="Save it without pictures and embedded files, or as PDF."
        )


class _Walk:
    """One walk through a document, with its styles, its deadline and its budget of characters."""

    def __init__(self, document: Document, where: str, max_chars: int) -> None:
        self.document, self.where, self.max_chars = document, where, max_chars
        self.deadline, self.chars = time.monotonic() + MAX_SECONDS, 0
        self.headings: set[str] = set()
        self.lists: set[str] = set()
        for style in document.styles:
            if (style.name or "").startswith(("Heading", "Title")):
                self.headings.add(style.style_id)
            elif (style.name or "").startswith("List") or any(
                n.get(f"{_W}val") != "0" for n in style.element.iter(f"{_W}numId")
            ):
                self.lists.add(style.style_id)

    def everything(self) -> list[str]:
        """Headers, body and footers; a header that repeats on the pages of several sections comes once."""
        sections = list(self.document.sections)
        pages = [(s.header, s.footer) for s in sections]
        pages += [(s.first_page_header, s.first_page_footer) for s in sections if s.different_first_page_header_footer]
        seen: set[tuple[str, ...]] = {()}
        heads, feet = (
            [
                line
                for part in parts
                if not part.is_linked_to_previous
                for line in self.once(part._element, seen)  # noqa: SLF001 - no public way
            ]
            for parts in zip(*pages, strict=True)
        )
        return [*heads, *self.blocks(self.document.element.body), *feet]

    def once(self, part: Any, seen: set[tuple[str, ...]]) -> tuple[str, ...]:
        """The lines of a header or footer, once."""
        lines = tuple(self.blocks(part))
        new = lines not in seen
        seen.add(lines)
        return lines if new else ()

    def blocks(self, parent: Any) -> Iterator[str]:
        """The lines below an element."""
        for child in parent:
            tag = _name(child)
            if tag == "p":
                yield from self.paragraph(child)
            elif tag == "tbl":
                yield from self.table(child)
            elif tag not in _GONE:  # content controls and other wrappers
                yield from self.blocks(child)

    def paragraph(self, p: Any) -> Iterator[str]:
        """The lines of a paragraph, then those of the text boxes anchored in it."""
        if time.monotonic() > self.deadline:
            raise DocumentError(
                f"{self.where} takes too long to read (over {MAX_SECONDS:.0f} s).", hint="Save it as PDF."
            )
        text = "".join(_runs(p))
        self.chars += len(text)
        if self.chars > 4 * self.max_chars:
            raise too_long(self.where, self.max_chars)
        style = next((s.get(f"{_W}val") for s in p.iterfind(f"{_W}pPr/{_W}pStyle")), "")
        number = next((n.get(f"{_W}val") for n in p.iterfind(f"{_W}pPr/{_W}numPr/{_W}numId")), None)
        if style in self.headings and text.strip():
            yield ""
        item = (
            number != "0" if number is not None else style in self.lists
        )  # 0 takes a paragraph out of its style's list
        yield f"- {text}" if item and text.strip() else text
        for box in _boxes(p):
            yield from self.blocks(box)

    def table(self, table: Any) -> Iterator[str]:
        """One line for a row of single-line cells; else cell after cell, as in tables that only lay out a page."""
        for row in _below(table, "tr"):
            cells = ["\n".join(self.blocks(cell)).split("\n") for cell in _below(row, "tc")]
            cells = [lines for lines in cells if any(line.strip() for line in lines)]
            if all(sum(1 for line in lines if line.strip()) == 1 for lines in cells):
                yield " | ".join(line.strip() for lines in cells for line in lines if line.strip())
            else:
                yield from (line for lines in cells for line in lines)


def _name(element: Any) -> str:
    """An element's name without its namespace; empty for comments and instructions."""
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""


def _below(parent: Any, tag: str) -> Iterator[Any]:
    """A table's rows, or a row's cells, through content controls but not into the tables within."""
    for child in parent:
        if _name(child) == tag:
            yield child
        elif _name(child) in {"sdt", "sdtContent", "ins"}:
            yield from _below(child, tag)


def _runs(parent: Any) -> Iterator[str]:
    """The text of a paragraph, links and insertions included, deletions and text boxes not."""
    for child in parent:
        tag = _name(child)
        if tag == "t":
            yield child.text or ""
        elif tag in _BREAKS:
            yield _BREAKS[tag]
        elif tag not in _GONE:
            yield from _runs(child)


def _boxes(parent: Any) -> Iterator[Any]:
    """The text boxes of a paragraph."""
    for child in parent:
        tag = _name(child)
        if tag == "txbxContent":
            yield child
        elif tag not in {"Fallback", "del", "p"}:
            yield from _boxes(child)
