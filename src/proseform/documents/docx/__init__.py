"""Word's documents since 2007 (DOCX, DOCM, DOTX, DOTM; Transitional and Strict) to lines, by a walk over lxml's trees.

What a page shows comes in this order: headers, body with tables and text boxes in place, footnotes and endnotes,
footers. What no page shows is left out and told as a finding: deleted text, comments, hidden, tiny and unseen letters,
macros, embedded files.

Knowingly left out: list numbers (every list item is ``- ``), pictures, charts, symbols of fonts without Unicode.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import PurePosixPath
from typing import Any

from proseform.documents.archive import Archive
from proseform.documents.docx.letters import Styles, box_ground, fill, look, page_ground
from proseform.documents.docx.package import Part, main_part, opened
from proseform.documents.docx.wordml import (
    DELETED,
    SILENT,
    attribute,
    below,
    boxes,
    child,
    local,
    relation,
    run_text,
    shown,
    switch,
    value,
    words,
)
from proseform.documents.extract import Extract, Limits, Omissions, too_long
from proseform.documents.look import UNKNOWN, WHITE, unseen
from proseform.documents.tables import row_lines
from proseform.errors import DocumentError
from proseform.input import Finding

_FEW_LETTERS = 25
"""With pictures and no more letters than this a document is a scan."""


def extract(data: bytes, where: str, limits: Limits, *, embedded: bool = False) -> Extract:
    """The text of a DOCX: a line for each paragraph, a blank line before headings, a table's row as ``a | b``.

    Args:
        data: The file.
        where: Its name for messages.
        limits: The most characters.
        embedded: Whether it lies within another document: what is embedded in it is not read.

    Raises:
        DocumentError: No DOCX, damaged, too large, too much text, or pictures without text.
    """
    archive = Archive(data, where, "DOCX")
    walk = _Walk(main_part(archive), limits, embedded=embedded)
    try:
        lines = list(walk.everything())
    except RecursionError as error:
        raise archive.damaged("nested too deeply") from error
    if sum(map(str.isalnum, "".join(lines))) < _FEW_LETTERS and any("/media/" in name for name in archive.names):
        raise DocumentError(
            f"{where} holds pictures and no text.", hint="Run OCR first: print it to PDF, then ocrmypdf in.pdf out.pdf."
        )
    return Extract("\n".join(lines), (*walk.findings, *walk.omissions.findings()))


class _Walk:
    """One walk through a document, with its styles, what it left out, and its budget of characters.

    Args:
        main: The part that holds the text.
        limits: The most characters.
        embedded: See :func:`extract`.
    """

    def __init__(self, main: Part, limits: Limits, *, embedded: bool) -> None:
        self.main, self.part, self.limits, self.embedded = main, main, limits, embedded
        self.chars = 0
        self.styles = Styles(main.root_of("styles"))
        self.omissions = Omissions()
        self.findings: list[Finding] = []
        self.page = page_ground(main)
        self.doubtful = False

    def everything(self) -> Iterator[str]:
        """The lines of the whole document."""
        body = child(self.main.root, "body")
        if body is None:
            raise self.main.archive.damaged(f"its text part is <{local(self.main.root)}>")
        heads, feet = self.margins()
        yield from heads
        yield from self.blocks(body, self.page)
        for kind in ("footnotes", "endnotes"):
            notes = list(self.notes(kind))
            yield from ("", *notes) if any(map(str.strip, notes)) else ()
        yield from feet
        comments = self.main.root_of("comments")
        for comment in () if comments is None else comments:
            self.omissions.add("comment", "Comments", words(comment))
        self.attachments()

    def margins(self) -> tuple[list[str], list[str]]:
        """Headers and footers of all sections; one that repeats comes once."""
        even = ["even"] if switch(self.main.root_of("settings"), "evenAndOddHeaders") else []
        read: set[str] = set()
        seen: set[tuple[str, ...]] = {()}
        lines: dict[str, list[str]] = {"headerReference": [], "footerReference": []}
        for section in self.main.root.iter("{*}sectPr"):
            references = {(local(one), attribute(one, "type") or "default"): relation(one) for one in section}
            kinds = [*(["first"] if switch(section, "titlePg") else []), "default", *even]
            for tag, kind in product(lines, kinds):
                part = self.main.relations.get(references.get((tag, kind), ""), ("", ""))[1]
                if part in read:
                    continue
                read.add(part)
                once = tuple(self.within(part))
                if once not in seen:
                    seen.add(once)
                    lines[tag] += once
        return lines["headerReference"], lines["footerReference"]

    def within(self, name: str) -> Iterator[str]:
        """The lines of another part, such as a header; its relations are its own."""
        part = opened(self.main.archive, name)
        if part is not None:
            self.part, whole = part, self.part
            yield from self.blocks(part.root, self.page)
            self.part = whole

    def notes(self, kind: str) -> Iterator[str]:
        """The lines of footnotes or endnotes, without the rules that separate them from the text."""
        part = self.main.part(kind)
        for note in () if part is None else part.root:
            if attribute(note, "type") in {"", "normal"}:
                yield from self.blocks(note, self.page)

    def blocks(self, parent: Any, ground: str) -> Iterator[str]:
        """The lines below an element that stands on a ground of the given colour."""
        for element in shown(parent):
            tag = local(element)
            if tag == "p":
                yield from self.paragraph(element, ground)
            elif tag == "tbl":
                yield from self.table(element, ground)
            elif tag == "altChunk":
                yield from self.chunk(element)
            elif tag in DELETED:
                self.omissions.add("deleted", "Deleted text", words(element))
            elif tag not in SILENT:  # content controls and other wrappers
                yield from self.blocks(element, ground)

    def paragraph(self, p: Any, ground: str) -> Iterator[str]:
        """The lines of a paragraph, then those of the text boxes anchored in it."""
        properties = child(p, "pPr")
        style = value(properties, "pStyle")
        text = "".join(self.runs(p, style, fill(properties) or self.styles.ground(style) or ground))
        self.chars += len(text)
        if self.chars > 4 * self.limits.chars:  # normalisation only shrinks it, though not by much
            raise too_long(self.main.archive.where, self.limits.chars)
        if style in self.styles.headings and text.strip():
            yield ""
        number = value(properties, "numPr", "numId")  # 0 takes a paragraph out of its style's list
        item = number != "0" if number else style in self.styles.lists
        yield f"- {text}" if item and text.strip() else text
        for box in boxes(p):
            yield from self.box(box, ground)

    def box(self, box: Any, ground: str) -> Iterator[str]:
        """The lines of a text box, of a diagram (SmartArt), or the words that WordArt draws."""
        tag = local(box)
        if any(one.get("hidden") in {"1", "true"} for up in box.iterancestors("{*}anchor", "{*}inline") for one in up):
            self.omissions.add("hidden", "Text in a hidden shape", words(box))
        elif tag == "txbxContent":
            yield from self.blocks(box, box_ground(box, ground))
        elif tag == "relIds":
            diagram = opened(self.main.archive, self.part.relations.get(relation(box, "dm"), ("", ""))[1])
            for p in () if diagram is None else diagram.root.iter("{*}p"):
                yield "".join(self.runs(p, "", UNKNOWN))
        else:
            yield box.get("string", "")

    def table(self, table: Any, ground: str) -> Iterator[str]:
        """One line for a row of single-line cells; else cell after cell, as in tables that only lay out a page."""
        properties = child(table, "tblPr")
        if self.styles.shaded(value(properties, "tblStyle")):
            ground = UNKNOWN
        ground = fill(properties) or ground
        for row in below(table, "tr"):
            if child(row, "trPr", "del") is not None:
                self.omissions.add("deleted", "Deleted text", words(row))
                continue
            cells = [
                "\n".join(self.blocks(cell, fill(child(cell, "tcPr")) or ground)).split("\n")
                for cell in below(row, "tc")
            ]
            yield from row_lines(cells)

    def runs(self, parent: Any, style: str, ground: str) -> Iterator[str]:
        """The text of a paragraph, links and insertions included; what cannot be seen is left out."""
        for element in shown(parent):
            tag = local(element)
            if tag == "r":
                text = run_text(element)
                unseen_as = self.unseen(element, style, ground) if text.strip() else ""
                if unseen_as:
                    self.omissions.add("hidden", unseen_as, text)
                else:
                    yield text
            elif tag in DELETED:
                self.omissions.add("deleted", "Deleted text", words(element))
            elif tag not in SILENT:
                yield from self.runs(element, style, ground)

    def unseen(self, run: Any, style: str, ground: str) -> str:
        """Why people cannot see a run, in words; empty where they can."""
        properties = child(run, "rPr")
        letters = self.styles.effective(look(properties), value(properties, "rStyle"), style)
        if (letters.ground or ground) == UNKNOWN and unseen(letters.colour or "", WHITE) and not self.doubtful:
            self.doubtful = True
            self.findings.append(Finding("contrast", "White text was kept; what stands behind it is not known."))
        return letters.unseen(ground)

    def chunk(self, element: Any) -> Iterator[str]:
        """The lines of a document that is embedded to be shown in place (``w:altChunk``)."""
        name = self.part.relations.get(relation(element), ("", ""))[1]
        data = self.main.archive.read(name)
        why = "it is not there" if data is None else "it lies within an embedded document" if self.embedded else ""
        inner = Extract("")
        if data is not None and not why:
            try:
                inner = self.inner(data, name)
            except DocumentError as error:
                why = error.message.rstrip(".")
        if why:
            self.findings.append(Finding("embedded", f"An embedded document was left out: {why}."))
        self.findings += inner.findings
        self.chars += len(inner.raw)
        yield from inner.raw.split("\n")

    def inner(self, data: bytes, name: str) -> Extract:
        """An embedded document, by the reader of its kind."""
        from proseform.documents import kinds, readers  # they import this module

        suffix = PurePosixPath(name).suffix
        if kinds.container(data, suffix, name) == "docx":
            return extract(data, name, self.limits, embedded=True)
        return readers.extract(data, suffix, name, self.limits)[1]

    def attachments(self) -> None:
        """Findings for macros and embedded files."""
        names = self.main.archive.names
        if any(name.endswith("/vbaproject.bin") for name in names):
            self.findings.append(Finding("macro", "Macros were left out; none was run."))
        files = [name.rpartition("/")[2] for name in names if name.startswith("word/embeddings/") and name[-1] != "/"]
        if files:
            listed = ", ".join(files[:3]) + (" …" if len(files) > 3 else "")  # noqa: PLR2004
            self.findings.append(Finding("embedded", f"Embedded files were left out ({len(files)}): {listed}."))
