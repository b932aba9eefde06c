"""What kind of document bytes are: by what they hold, by the suffix of the name where that cannot tell.

What is not read is refused by its own name, with what to do. Knowingly left out: kinds that are rare.
"""

from __future__ import annotations

import re
from typing import Literal

from proseform.documents import foreign
from proseform.documents.archive import Archive
from proseform.errors import DocumentError

Kind = Literal["pdf", "docx", "odt", "rtf", "html", "markdown", "text", "json"]
"""What is read."""

READABLE = "Readable are PDF, DOCX, ODT, RTF, HTML, Markdown, plain text and JSON."

_ODT = "application/vnd.oasis.opendocument.text"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_RTF = re.compile(
    rb"\{\s*\\(rtf|pard|plain|par|b|i|ul|f[0-9]|fs[0-9]|cf[0-9]|s[0-9]|q[lcrj]|ansi|fonttbl|colortbl|stylesheet|info|"
    rb"trowd|sectd|header|footer|\*\\generator)(?![a-z])|\\(rtf1|pard|trowd|sectd)(?![a-z])"
)
"""How RTF begins, and parts of it do that programs put on the clipboard or into databases."""
_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:[ \t]?[^\r\n]*\r?\n([ \t]+[^\r\n]*\r?\n)*")
_MIME = re.compile(rb"(?im)^mime-version:[ \t]*1\.0")
_WEB_ARCHIVE = re.compile(rb"(?im)^content-type:[ \t]*(multipart/related|text/html)")
_SKIPPED = re.compile(r"(?s)\s*(<\?.*?\?>|<!--.*?-->|<!doctype[^<>\[]*>)", re.IGNORECASE)
_HTML = frozenset({
    "html", "head", "body", "title", "meta", "link", "style", "script", "base", "main", "article", "section",
    "header", "footer", "nav", "div", "p", "span", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl",
    "table", "tr", "td", "pre", "blockquote", "center", "font", "b", "i", "strong", "em", "a", "br", "hr", "img",
    "form", "address",
})  # fmt: skip
_TAG = re.compile(r"\s*<([A-Za-z_][\w.:-]*)(?=[\s/>])")
_MARKDOWN = frozenset({".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd"})


def container(data: bytes, suffix: str, where: str) -> Literal["pdf", "docx", "odt", "rtf", "mhtml", "text"]:
    """What the bytes say; ``text`` for every kind that is told by its text or its name.

    Args:
        data: The file.
        suffix: The suffix of its name, in lower case.
        where: Its name for messages.

    Raises:
        DocumentError: A format that is not read; the message says which, and what to do.
    """
    head = data[:1024].lstrip()
    if head.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head):  # readers allow junk before the header
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(data, where)
    if _RTF.match(data, len(data) - len(data.lstrip())):
        return "rtf"
    if data.startswith(_OLE):
        raise foreign.compound(data, where)
    kind = foreign.magic(data)
    if kind is not None:
        raise foreign.refusal(where, *kind)
    headers = _headers(head)
    if _MIME.search(headers):
        if _WEB_ARCHIVE.search(headers) and suffix not in {".eml", ".email"}:
            return "mhtml"
        raise foreign.refusal(where, *foreign.MAIL)
    return "text"


def of_text(text: str, suffix: str, where: str) -> Literal["html", "flat-odt", "json", "markdown", "text"]:
    """What a text is; ``json`` where it may be, which its parser decides.

    Raises:
        DocumentError: Markup or data of a kind that is not read; the message says which, and what to do.
    """
    start = 0
    while skipped := _SKIPPED.match(text, start):
        start = skipped.end()
    tag = _TAG.match(text, start)
    name = tag[1].lower() if tag else ""
    marked = suffix in _MARKDOWN
    if name == "html" or (not marked and (suffix in {".html", ".htm", ".xhtml"} or (name in _HTML and "</" in text))):
        return "html"
    if name == "office:document":
        return "flat-odt"
    kind = foreign.markup(text, name)
    if kind is not None:
        raise foreign.refusal(where, *kind)
    if marked:
        return "markdown"
    if suffix == ".json" or (suffix != ".txt" and text.lstrip().startswith(("{", "["))):
        return "json"
    return "text"


def _zipped(data: bytes, where: str) -> Literal["docx", "odt"]:
    """The document that a zip archive is.

    Raises:
        DocumentError: It is none that is read.
    """
    archive = Archive(data, where, "zip archive, or a damaged document in one")
    if not archive.names:
        raise DocumentError(f"{where} is an empty zip archive.", hint=READABLE)
    media_type = (archive.read("mimetype") or b"")[:200].decode("latin-1").strip()
    if media_type.startswith(_ODT) or (not media_type and "meta-inf/manifest.xml" in archive.names):
        return "odt"
    kind = foreign.zipped(archive.names, media_type)
    if kind is not None:
        raise foreign.refusal(where, *kind)
    return "docx"


def _headers(head: bytes) -> bytes:
    """The lines of a mail's header that the first bytes hold; empty where they are no header."""
    end = 0
    while line := _HEADER.match(head, end):
        end = line.end()
    return head[:end]
