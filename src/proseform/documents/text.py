"""Text: decoding, Markdown to lines, strict JSON."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from proseform.documents.extract import Extract, Limits, shown, too_long
from proseform.documents.kinds import Kind
from proseform.errors import DocumentError
from proseform.input import CONTROLS, Finding

if TYPE_CHECKING:
    from markdown_it.token import Token

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)  # UTF-32 LE begins as UTF-16 LE does
_BINARY_SHARE = 0.01  # control characters; text has none or a stray one
_GUESSED = Finding("encoding", "It is not UTF-8; it was read as Windows-1252 (cp1252), which is a guess.")
_HTML = re.compile(r"</?[a-zA-Z][^<>]*>")


def extract(data: bytes, suffix: str, where: str, limits: Limits) -> tuple[Kind, Extract]:
    """JSON, Markdown or plain text: bytes cannot tell them apart for certain, the suffix of the name helps.

    Raises:
        DocumentError: Not text, too much of it, or no valid JSON where the suffix promises it.
    """
    raw, encoding = decode(data, where)
    if len(raw) > 2 * limits.chars:  # before any parser sees it; markup and blanks may shrink what is left
        raise too_long(where, limits.chars)
    findings = (_GUESSED,) if encoding == "cp1252" else ()
    if suffix in {".md", ".markdown"}:
        return "markdown", Extract(markdown(raw), findings, encoding=encoding)
    if suffix == ".json" or (suffix != ".txt" and raw.lstrip().startswith(("{", "["))):
        try:
            return "json", Extract(dump_json(parse_json(raw, where)), findings, encoding=encoding)
        except DocumentError:
            if suffix == ".json":
                raise
    return "text", Extract(raw, findings, encoding=encoding)


def decode(data: bytes, where: str) -> tuple[str, str]:
    """Bytes to text and the encoding: by byte order mark, else UTF-8, else Windows-1252, as old Western editors wrote.

    Raises:
        DocumentError: NULs, undecodable bytes, or more control characters than text has.
    """
    binary = DocumentError(f"{where} is not text.", hint="Readable are PDF, DOCX, Markdown, plain text and JSON.")
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "")
    try:
        if encoding:
            text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        else:
            text, encoding = _guess(data)
    except UnicodeDecodeError as error:
        raise binary from error
    if "\0" in text:
        raise DocumentError(
            f"{where} contains NUL characters: it is binary, or UTF-16 without its byte order mark.",
            hint="Save it as UTF-8 text.",
        )
    if len(CONTROLS.findall(text)) > _BINARY_SHARE * len(text):
        raise binary
    return text, encoding


def _guess(data: bytes) -> tuple[str, str]:
    """Text without a byte order mark."""
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("cp1252"), "cp1252"


def parse_json(text: str, where: str) -> Any:
    """Strict JSON (RFC 8259) with an object or array at the top and no key twice.

    Raises:
        DocumentError: With line and column where the parser gives them.
    """

    def constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(items)
        if len(value) < len(items):
            keys = [key for key, _ in items]
            raise ValueError(f"key {shown(next(k for k in keys if keys.count(k) > 1))!r} occurs twice in one object")
        return value

    try:
        value = json.loads(text, parse_constant=constant, object_pairs_hook=pairs)
        dump_json(value).encode()  # half surrogate pairs are legal escapes, but no text
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeEncodeError are ValueErrors
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        reason = "half of a surrogate pair" if isinstance(error, UnicodeEncodeError) else reason
        raise DocumentError(
            f"{where} is not valid JSON: {reason}.", hint="Correct it there, or export it again."
        ) from error
    if not isinstance(value, dict | list):
        raise DocumentError(
            f"{where} holds a single JSON {type(value).__name__}, expected an object.",
            hint="Export the whole document.",
        )
    return value


def dump_json(value: Any) -> str:
    """JSON for reading: indented by 1, characters as themselves."""
    return json.dumps(value, ensure_ascii=False, indent=1)


def markdown(source: str) -> str:
    """Markdown (CommonMark and tables) to lines: markup is removed, lines and blank lines stay.

    ``# Title`` becomes ``Title``; bold, italics and code become their words, links and pictures their text; list items
    begin with ``- `` or ``1. ``; a table's row is ``a | b``.
    """
    from markdown_it import MarkdownIt  # plain text and PDFs do without

    first, *rest = source.split(
        "<!--"
    )  # comments go before the parser sees them: it takes quadratic time over unclosed ones
    source = first + "".join(part.partition("-->")[2] if "-->" in part else part for part in rest)
    source = re.sub("<(?=[!?])", "&lt;", source)  # as over <? and <![CDATA[
    lines = source.split("\n")
    end, out = 0, []
    for start, stop, text in _blocks(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)):
        if any(not line.strip() for line in lines[end:start]):
            out.append("")
        out.append(text)
        end = stop
    return "\n".join(out)


def _blocks(tokens: list[Token]) -> Iterator[tuple[int, int, str]]:
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
            text = _inline(token) if token.type == "inline" else token.content
            text = _HTML.sub("", text) if token.type == "html_block" else text
            if in_row:
                cells.append(text.replace("\n", " "))
            elif text.strip():
                yield start, stop, prefix + text.rstrip("\n")
                prefix = ""


def _inline(token: Token) -> str:
    """The words of a run of inline markup."""
    out = []
    for child in token.children or ():
        if child.type in {"text", "code_inline", "image"}:  # a picture's content is its alternative text
            out.append(child.content)
        elif child.type in {"softbreak", "hardbreak"} or (
            child.type == "html_inline" and child.content.lower().startswith("<br")
        ):
            out.append("\n")
    return "".join(out)
