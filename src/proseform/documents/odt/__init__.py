"""OpenDocument text (ODT, OTT, flat FODT; OASIS OpenDocument 1.3) to lines, by a walk over lxml's trees.

Order: headers, body with tables and frames in place, notes, footers. Deleted text, comments, hidden, tiny and unseen
letters are left out and told as findings.

Knowingly left out: list numbers (every list item is ``- ``), pictures, charts, embedded objects, conditions of fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proseform.documents.archive import Archive, parse_xml
from proseform.documents.extract import Extract, Limits, Omissions, too_long
from proseform.documents.odt.styles import Styles, local, own
from proseform.documents.tables import row_lines
from proseform.errors import DocumentError
from proseform.input import Finding

_LEFT_OUT = {
    "tracked-changes": ("deleted", "Deleted text"),
    "annotation": ("comment", "Comments"),
    "deletion": ("deleted", "Deleted text"),
    "script": ("script", "Scripts"),
}
_SILENT = frozenset({
    "sequence-decls", "variable-decls", "user-field-decls", "dde-connection-decls", "forms", "event-listeners",
    "note-citation", "title", "desc", "bookmark", "table-source", "image", "object", "object-ole",
})  # fmt: skip
_FRAMES = frozenset({
    "frame", "custom-shape", "rect", "ellipse", "circle", "line", "polyline", "polygon", "path", "connector", "caption",
})  # fmt: skip
_PIECES = {"tab": "\t", "line-break": "\n", "soft-page-break": ""}


def extract(data: bytes, where: str, limits: Limits) -> Extract:
    """The text of an ODT: a line for each paragraph, a blank line before headings, a table's row as ``a | b``.

    Raises:
        DocumentError: Encrypted, damaged, too large, or too much text.
    """
    archive = Archive(data, where, "ODT")
    if b"encryption-data" in (archive.read("META-INF/manifest.xml") or b""):
        raise DocumentError(
            f"{where} is encrypted.", hint="Open it with its password, save a copy without one and give that."
        )
    content = archive.xml("content.xml")
    if content is None:
        raise archive.damaged("it has no text part")
    findings = []
    if any(name.startswith(("basic/", "scripts/")) and not name.endswith(("-lc.xml", "/")) for name in archive.names):
        findings.append(Finding("macro", "Macros were left out; none was run."))
    try:
        return _Walk([content, archive.xml("styles.xml")], where, limits).extract(findings)
    except RecursionError as error:
        raise archive.damaged("nested too deeply") from error


def extract_flat(text: str, where: str, limits: Limits) -> Extract:
    """As :func:`extract`, from a document that is one XML text (FODT).

    Raises:
        DocumentError: Damaged, too large, or too much text.
    """

    def damaged(why: str) -> DocumentError:
        return DocumentError(f"{where} is a damaged FODT: {why}.", hint="Save it again, or as DOCX or PDF.")

    _, _, rest = text.lstrip().partition("?>") if text.lstrip().startswith("<?xml") else ("", "", text)
    try:
        return _Walk([parse_xml(rest.encode(), where, damaged)], where, limits).extract([])
    except RecursionError as error:
        raise damaged("nested too deeply") from error


class _Walk:
    """One walk through a document.

    Args:
        roots: The parts that hold text and styles.
        where: The document's name for messages.
        limits: The most characters.
    """

    def __init__(self, roots: list[Any], where: str, limits: Limits) -> None:
        self.roots, self.where, self.limits = [root for root in roots if root is not None], where, limits
        self.omissions = Omissions()
        self.notes: list[str] = []
        self.frames: list[Any] = []
        self.styles, self.style = Styles([]), ""
        self.deletions = {
            own(region, "id")
            for root in self.roots
            for region in root.iter("{*}changed-region")
            if len(region.findall("{*}deletion"))
        }
        self.deleted: set[str] = set()  # the deletions that stand in the text and have begun
        self.chars = 0

    def extract(self, findings: list[Finding]) -> Extract:
        """The whole document."""
        heads: dict[tuple[str, ...], None] = {}  # what repeats comes once
        feet: dict[tuple[str, ...], None] = {}
        body: list[str] = []
        for root in self.roots:
            self.styles = Styles([root, *self.roots])
            for part in root.iterfind("{*}master-styles/{*}master-page/*"):
                if own(part, "display") != "false":
                    target = heads if local(part).startswith("header") else feet
                    target[tuple(self.blocks(part, self.styles.page))] = None
            for text in root.iterfind("{*}body/{*}text"):
                body += self.blocks(text, self.styles.page)
        notes = ["", *self.notes] if self.notes else []
        lines = [line for part in (*heads, body, notes, *feet) for line in part]
        return Extract("\n".join(lines), (*findings, *self.omissions.findings()))

    def blocks(self, parent: Any, ground: str, *, item: bool = False) -> Iterator[str]:
        """The lines below an element that stands on a ground of the given colour."""
        for element in parent:
            tag = local(element)
            if tag in {"p", "h"}:
                yield from self.paragraph(element, ground, item=item)
                item = False  # only the first paragraph of a list item bears its mark
            elif tag == "list-item":
                yield from self.blocks(element, ground, item=True)
            elif tag == "table":
                yield from self.table(element, ground)
            elif tag in _FRAMES:
                yield from self.blocks(element, self.styles.ground("graphic", own(element, "style-name")) or ground)
            elif not self.leaves_out(element):
                yield from self.blocks(element, ground, item=item)

    def leaves_out(self, element: Any) -> bool:
        """Whether an element is not shown; text that is in it is told."""
        tag = local(element)
        if tag == "change-start" and own(element, "change-id") in self.deletions:
            self.deleted.add(own(element, "change-id"))
        elif tag == "change-end":
            self.deleted.discard(own(element, "change-id"))
        kind, what = _LEFT_OUT.get(tag, ("", ""))
        hidden = "none" in {own(element, "display"), own(element, "visibility")} or own(element, "is-hidden") == "true"
        if hidden or own(element, "visibility") in {"collapse", "filter"}:
            kind, what = "hidden", "Hidden text"
        if kind:
            self.omissions.add(kind, what, _words(element))
        return bool(kind) or tag in _SILENT

    def paragraph(self, p: Any, ground: str, *, item: bool) -> Iterator[str]:
        """The lines of a paragraph, then those of the frames anchored in it."""
        if any(own(one, "is-hidden") == "true" for one in p.iter("{*}hidden-paragraph")):
            self.omissions.add("hidden", "Hidden text", _words(p))
            return
        around = self.frames, self.style
        self.frames, self.style = [], own(p, "style-name")
        text = "".join(self.runs(p, (), self.styles.ground("paragraph", self.style) or ground))
        frames, (self.frames, self.style) = self.frames, around
        self.chars += len(text)
        if self.chars > 4 * self.limits.chars:  # normalisation only shrinks it, though not by much
            raise too_long(self.where, self.limits.chars)
        if local(p) == "h" and text.strip():
            yield ""
        yield f"- {text}" if item and text.strip() else text
        yield from self.blocks(frames, ground)

    def table(self, table: Any, ground: str) -> Iterator[str]:
        """The rows of a table."""
        ground = self.styles.ground("table", own(table, "style-name")) or ground
        for row in table.iterdescendants("{*}table-row"):
            if next(row.iterancestors("{*}table")) is table and not self.leaves_out(row):  # else of a table within
                yield from row_lines([
                    list(self.blocks(cell, self.styles.ground("table-cell", own(cell, "style-name")) or ground))
                    for cell in row
                    if local(cell) == "table-cell"
                ])  # fmt: skip

    def runs(self, parent: Any, styles: tuple[str, ...], ground: str) -> Iterator[str]:
        """The text of a paragraph; what cannot be seen is left out."""
        yield self.seen(parent.text, styles, ground)
        for element in parent:
            tag = local(element)
            if tag == "s":
                yield " "  # however many: what is read keeps one
            elif tag in _PIECES:
                yield _PIECES[tag]
            elif tag == "note":
                self.notes += self.blocks(element, ground)
            elif tag in _FRAMES:
                self.frames.append(element)
            elif tag == "ruby-text":
                yield f"({''.join(element.itertext())})"
            elif not self.leaves_out(element):
                inner = (own(element, "style-name"), *styles) if tag in {"span", "a"} else styles
                yield from self.runs(element, inner, ground)
            yield self.seen(element.tail, styles, ground)

    def seen(self, text: str | None, styles: tuple[str, ...], ground: str) -> str:
        """A text, or nothing where people cannot see it; line ends in it are blanks."""
        text = " ".join((text or "").split("\n"))
        if not text.strip():
            return text
        unseen_as = self.styles.look(styles, self.style).unseen(ground)
        if self.deleted:
            self.omissions.add("deleted", "Deleted text", text)
            return ""
        if unseen_as:
            self.omissions.add("hidden", unseen_as, text)
        return "" if unseen_as else text


def _words(element: Any) -> str:
    """The text within an element, with a blank behind each paragraph."""
    if local(element) in {"script", "hidden-text"}:
        return "".join(element.itertext())
    pieces = ["".join(one.itertext()) for one in element.iter("{*}p", "{*}h")]
    return " ".join((*pieces, ""))
