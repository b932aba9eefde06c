"""Web pages (HTML, XHTML, web archives in MIME) to lines, by lxml.

lxml comes with the readers of DOCX and ODT anyway, and parses what browsers write into a tree, which hidden elements
and the rows of tables need. What a page hides is left out and told: ``hidden``, ``display: none`` and their like, also
by rules of the page's own style sheets (css.py); deleted text; comments; scripts and style sheets.

Knowingly left out: what scripts write, frames, what stands in form fields.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from typing import Any

from proseform.documents import encodings
from proseform.documents.archive import MAX_TAGS
from proseform.documents.extract import Extract, Limits, Omissions, too_long
from proseform.documents.html import css
from proseform.documents.look import UNKNOWN, WHITE, Look, unseen
from proseform.documents.tables import row_lines
from proseform.errors import DocumentError
from proseform.input import Finding

_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "search", "section",
    "summary", "table", "tbody", "tfoot", "thead", "tr", "td", "th", "ul", "option",
})  # fmt: skip
_APART = frozenset({
    "blockquote", "dl", "fieldset", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table",
    "ul",
})  # fmt: skip
"""Blocks with a blank line before and behind, unless they stand in a list or a table."""
_NEVER = frozenset({
    "script", "style", "template", "noscript", "head", "title", "meta", "link", "base", "object", "embed", "iframe",
    "canvas", "audio", "video", "map", "datalist", "rp", "svg", "select",
})  # fmt: skip
_UNREAD = {"script": "scripts", "style": "style sheets", "iframe": "frames"}
_PROLOGUE = re.compile(r"\A\s*<\?xml[^>]*>")
_SPACES = re.compile("[ \t\r\n\f]+")


def extract(data: bytes, where: str, limits: Limits, *, declaration: str = "") -> Extract:
    """The text of a web page.

    Args:
        data: The page.
        where: Its name for messages.
        limits: The most characters.
        declaration: The encoding that is stated with it.

    Raises:
        DocumentError: No text, too much of it, or more tags than a page of text has.
    """
    text, encoding, findings = encodings.decode(data, where, declaration or encodings.declared(data))
    page = extract_text(text, where, limits)
    return Extract(page.raw, (*findings, *page.findings), encoding=encoding)


def extract_text(text: str, where: str, limits: Limits) -> Extract:
    """As :func:`extract`, from a page that is decoded.

    Raises:
        DocumentError: Too much text, or more tags than a page of text has.
    """
    tags = text.count("<")
    if tags > MAX_TAGS:
        raise DocumentError(f"{where} holds {tags:,} HTML tags, at most {MAX_TAGS:,} are read.", hint="Save it as PDF.")
    page = _Walk(_parsed(text, where)).extract()
    if len(page.raw) > 4 * limits.chars:  # normalisation only shrinks it, though not by much
        raise too_long(where, limits.chars)
    return page


def extract_archive(data: bytes, where: str, limits: Limits) -> Extract:
    """As :func:`extract`, from a web archive (MHTML): its first page.

    Raises:
        DocumentError: It holds no page.
    """
    for part in email.message_from_bytes(data, policy=email.policy.default).walk():
        if part.get_content_type() == "text/html":
            page = part.get_payload(decode=True)
            charset = encodings.known(part.get_content_charset(""))
            return extract(page if isinstance(page, bytes) else b"", where, limits, declaration=charset)
    raise DocumentError(f"{where} is a web archive without a page.", hint="Print the page to PDF.")


def _parsed(text: str, where: str) -> Any:
    """The tree of a page; lxml makes one of anything, at most 256 elements deep.

    Raises:
        DocumentError: It is deeper: the parser leaves out the rest.
    """
    from lxml import etree  # a text file does without

    text = _PROLOGUE.sub("", text, count=1)  # which a parser of HTML takes for a comment
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_pis=True)
    root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        raise DocumentError(f"{where} is nested too deeply.", hint="Print it to PDF.")
    return etree.Element("html") if root is None else root


class _Walk:
    """One walk through a page.

    Args:
        root: Its root element.
    """

    def __init__(self, root: Any) -> None:
        self.root, self.sheet = root, css.Sheet(root)
        self.omissions = Omissions()
        self.doubtful = False
        self.lines: list[str] = []
        self.line = ""  # the one that is not complete
        self.gap = False  # whether a blank line comes before the next
        self.mark = ""  # what a list puts before it
        self.packed = 0  # lists and tables around

    def extract(self) -> Extract:
        """The whole page."""
        body = self.root.find("body")
        self.inside(self.root if body is None else body, Look(ground=self.sheet.ground), pre=False)
        self.end()
        for comment in self.root.xpath("//comment()"):
            self.omissions.add("comment", "Comments", f"{comment.text} ")
        counts = {words: sum(1 for _ in self.root.iter(tag)) for tag, words in _UNREAD.items()}
        told = ", ".join(f"{words} ({count})" for words, count in counts.items() if count)
        findings = [Finding("script", f"Left out were {told}.")] if told else []
        if self.doubtful:
            findings.append(Finding("contrast", "White text was kept; what stands behind it is not known."))
        return Extract("\n".join(self.lines), (*findings, *self.omissions.findings()))

    def inside(self, parent: Any, around: Look, *, pre: bool) -> None:
        """The text and the elements that an element holds."""
        style = self.sheet.style(parent)
        if css.hides(style):
            self.omissions.add("hidden", "Hidden text", " ".join(_words(parent)) + " ")
            return
        look = css.look(style, around)
        pre = pre or parent.tag == "pre" or style.get("white-space", "").startswith("pre")
        self.write(parent.text or "", look, pre=pre)
        for element in parent:
            if isinstance(element.tag, str) and element.tag not in _NEVER:
                self.element(element, look, pre=pre)
            self.write(element.tail or "", look, pre=pre)

    def element(self, element: Any, around: Look, *, pre: bool) -> None:
        """An element within the text."""
        tag = element.tag
        if tag == "br":
            self.end()
        elif tag == "del":
            self.omissions.add("deleted", "Deleted text", " ".join(_words(element)) + " ")
        elif tag == "img":
            self.write(element.get("alt", ""), around, pre=False)
        elif tag == "tr":
            self.row(element, around)
        elif tag == "rt":
            self.write(f"({''.join(_words(element)).strip()})", around, pre=False)
        elif tag in _BLOCKS:
            self.block(element, around, pre=pre)
        else:
            self.inside(element, around, pre=pre)

    def block(self, element: Any, around: Look, *, pre: bool) -> None:
        """An element that stands on lines of its own."""
        tag = element.tag
        apart = tag in _APART and not self.packed
        self.end()
        self.gap |= apart
        packs = tag in {"ul", "ol", "dl", "menu", "table"}
        self.packed += packs
        if tag == "li":
            self.mark = _marker(element)
        self.inside(element, around, pre=pre)
        self.end()
        self.packed -= packs
        self.gap |= apart
        if tag == "li":
            self.mark = ""

    def row(self, row: Any, around: Look) -> None:
        """A row of a table."""
        self.end()
        style = self.sheet.style(row)
        if css.hides(style):
            self.omissions.add("hidden", "Hidden text", " ".join(_words(row)) + " ")
            return
        look = css.look(style, around)
        cells = []
        around_row = self.lines, self.gap
        for cell in row:
            if isinstance(cell.tag, str) and cell.tag not in _NEVER:
                self.lines, self.gap = [], False
                self.inside(cell, look, pre=False)
                self.end()
                cells.append(self.lines)
        self.lines, self.gap = around_row
        lines = row_lines(cells)
        if lines and self.gap and self.lines:
            self.lines.append("")
        self.gap &= not lines
        self.lines += lines

    def write(self, text: str, look: Look, *, pre: bool) -> None:
        """Text on the line, unless people cannot see it."""
        if text.strip():
            unseen_as = look.unseen(WHITE)
            if unseen_as:
                self.omissions.add("hidden", unseen_as, text)
                return
            self.doubtful |= look.ground == UNKNOWN and unseen(look.colour or "", WHITE)
        if pre:
            first, *rest = text.split("\n")
            self.line += first
            for line in rest:
                self.end(blank=True)
                self.line = line
        else:
            self.line += _SPACES.sub(" ", text)

    def end(self, *, blank: bool = False) -> None:
        """The end of a line; one that holds nothing counts only where it is kept as written."""
        text, self.line = self.line.strip(), ""
        if text or (blank and self.lines):
            if self.gap and self.lines:
                self.lines.append("")
            self.lines.append(self.mark + text if text else "")
            self.gap, self.mark = False, "" if text else self.mark


def _marker(item: Any) -> str:
    """What a list puts before an item: its number in an ordered one, else a dash."""
    parent = item.getparent()
    if parent is None or parent.tag != "ol":
        return "- "
    start = parent.get("start", "1")
    before = sum(1 for one in item.itersiblings("li", preceding=True))
    return f"{(int(start) if start.isdecimal() and start.isascii() and len(start) < 9 else 1) + before}. "  # noqa: PLR2004


def _words(element: Any) -> Iterator[str]:
    """The pieces of text within an element, but for what no page shows anyway."""
    for one in element.iter():
        if isinstance(one.tag, str) and one.tag not in _NEVER and one.text and one.text.strip():
            yield one.text.strip()
        if one is not element and one.tail and one.tail.strip():
            yield one.tail.strip()
