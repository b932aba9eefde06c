"""Markdown (CommonMark and tables) to lines: markup is removed, lines and blank lines stay.

HTML within it is taken as a browser shows it: what it hides is left out and told as a finding, as comments are. Front
matter, which programs for web sites put above the text and no page shows, is left out and told too, unless there is
nothing else.

Knowingly left out: extensions (footnotes, definition lists, mathematics), which stay as they are written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from proseform.documents.extract import Extract, Omissions
from proseform.documents.html import css

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)\n(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_LINE_TAGS = frozenset({
    "br", "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ul", "ol", "table", "tr", "section", "article",
    "header", "footer", "blockquote", "pre",
})  # fmt: skip
_VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
})  # fmt: skip
_NEVER = frozenset({"script", "style", "template"})


def extract(source: str) -> Extract:
    """The text of a Markdown document.

    ``# Title`` becomes ``Title``; bold, italics and code become their words, links and pictures their text; list items
    begin with ``- `` or ``1. ``; a table's row is ``a | b``.

    Args:
        source: The document, with line feeds as line ends.
    """
    front = _FRONT.match(source)
    reader = _Reader()
    if front is not None and source[front.end() :].strip():
        reader.omissions.add("front_matter", "Front matter", front[2])
        source = source[front.end() :]
    return Extract(reader.read(source), reader.omissions.findings())


class _Reader:
    """Reads one document."""

    def __init__(self) -> None:
        self.omissions = Omissions()
        self.html = _Html(self.omissions)

    def read(self, source: str) -> str:
        """The lines of a document without front matter."""
        from markdown_it import MarkdownIt  # plain text and PDFs do without

        first, *rest = source.split("<!--")  # comments go first: the parser takes quadratic time over unclosed ones
        for comment in rest:
            text, closed, after = comment.partition("-->")
            if closed:
                self.omissions.add("comment", "Comments", f"{text} ")
            first += after if closed else comment
        source = re.sub("<(?=[!?])", "&lt;", first)  # as over <? and <![CDATA[
        lines = source.split("\n")
        end, out = 0, []
        for start, stop, text in self.blocks(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)):
            if any(not line.strip() for line in lines[end:start]):
                out.append("")
            out.append(text)
            end = stop
        return "\n".join(out)

    def blocks(self, tokens: list[Token]) -> Iterator[tuple[int, int, str]]:
        """Pieces of text with the source lines [start, stop) that they come from."""
        prefix, cells, row = "", [""], (0, 0)
        in_row = False
        for token in tokens:
            start, stop = token.map or row
            if token.type == "list_item_open":
                prefix = f"{token.info}. " if token.info else "- "
            elif token.type == "tr_open":
                cells, row, in_row = [], (start, stop), True
            elif token.type == "tr_close":
                yield *row, " | ".join(cells)
                in_row = False
            elif token.type in {"inline", "fence", "code_block", "html_block"}:
                text = self.text(token)
                if in_row:
                    cells.append(text.replace("\n", " "))
                elif text.strip():
                    yield start, stop, prefix + text.strip("\n")
                    prefix = ""

    def text(self, token: Token) -> str:
        """The words of a block."""
        if token.type == "html_block":
            return self.html.tags(token.content)
        if token.type != "inline":
            return self.html.shown(token.content)
        out = ""
        for child in token.children or ():
            if child.type in {"text", "code_inline", "image"}:  # a picture's content is its alternative text
                out += self.html.shown(child.content)
            elif child.type in {"softbreak", "hardbreak"}:
                out += "\n"
            elif child.type == "html_inline":
                out += self.html.tags(child.content)
        return out


class _Html(HTMLParser):
    """The tags within a document, one after the other, and whether what stands between them is shown.

    Args:
        omissions: Takes what is not.
    """

    def __init__(self, omissions: Omissions) -> None:
        super().__init__()
        self.omissions = omissions
        self._open: list[tuple[str, bool]] = []
        self._count: Counter[str] = Counter()
        self._hiding = 0
        self._out = ""

    def tags(self, source: str) -> str:
        """The text of a piece of HTML, whose elements may end in a later one."""
        self._out = ""
        self.feed(source)
        self.close()
        return self._out

    def shown(self, text: str) -> str:
        """A text between tags, or nothing where they hide it."""
        if self._hiding:
            self.omissions.add("hidden", "Hidden text", f"{text} ")
            return ""
        return text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        if tag in _LINE_TAGS:
            self._break()
        if tag not in _VOID:
            style = dict(attrs)
            hides = tag in _NEVER or "hidden" in style or css.hides(css.declarations(style.get("style") or ""))
            self._open.append((tag, hides))
            self._count[tag] += 1
            self._hiding += hides

    def handle_endtag(self, tag: str) -> None:
        """An element ends, and those within it that have not."""
        ended = "" if self._count[tag] else tag
        while ended != tag:
            ended, hides = self._open.pop()
            self._count[ended] -= 1
            self._hiding -= hides
        if tag in _LINE_TAGS:
            self._break()

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._open and self._open[-1][0] in _NEVER:
            return
        self._out += self.shown(data)

    def _break(self) -> None:
        """The end of a line."""
        if not self._out.endswith("\n"):
            self._out += "\n"
