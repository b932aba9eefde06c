"""The glyphs of a page: what each stands for, where, how large, and how it is drawn.

PDFium decodes fonts and places glyphs. The blanks and line ends that it adds by its own measure are dropped, since
:mod:`proseform.documents.pdf.lines` measures anew; so is its order of pieces, in favour of the order in which they are
drawn. ``ActualText`` (ISO 32000-1, 14.9.4) replaces the glyphs that it is about.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from proseform.documents.pdf.pdfium import Box, address, bounds, objects, parameter, pdfium, string

_ALEF_LAM = re.compile("[\u0622\u0623\u0625\u0627]\u0644")
"""What no ligature is: the one of these two letters is lam before alef."""
_LONGEST, _NARROW = 4, 0.5
"""Characters of ``ActualText`` for each letter that there is room for, and the width of one in letter sizes.

A ligature has three characters.
"""
_HYPHEN = "\x02"
"""What PDFium gives for a hyphen at the end of a line."""
_FLAT = 0.01
"""Slant below which a direction counts as along an axis."""
_POINT = 0.001
"""The size of letters that have none, in points."""


@dataclass(slots=True)
class Piece:
    """What one operator draws: glyphs of one font, size and colour.

    Attributes:
        item: PDFium's text object.
        holder: The object of the page that it is in: a form, or itself.
        order: Its number among the texts of the page.
        font: Name of the font, with a number that tells it from others of the name.
        embedded: Whether the document holds the font.
        mode: Text rendering mode (ISO 32000-1, table 106): 3 is invisible.
        fill: Red, green, blue and opacity, 0 to 255; None where it is a pattern.
        size: Height of a letter, in points of the page.
        along: Direction of writing, a unit vector.
        actual: ``ActualText`` of the marked run that it is in, None where there is none.
    """

    item: Any
    holder: Any
    order: int
    font: str = ""
    embedded: bool = True
    mode: int = 0
    fill: tuple[int, int, int, int] | None = None
    size: float = 0.0
    along: tuple[float, float] = (1.0, 0.0)
    actual: str | None = None


@dataclass(slots=True)
class Glyph:
    """One glyph.

    Attributes:
        text: The characters that it stands for.
        start: Where it begins along its line, in points.
        end: Where it ends there.
        base: Its baseline across lines, in points; grows downwards.
        box: Its place on the page.
        piece: What it is drawn with.
        index: Its number in PDFium's text of the page; -1 where it has none.
        mapped: Whether its font says which characters it stands for.
        code: Its character code, where it is not mapped.
    """

    text: str
    start: float
    end: float
    base: float
    box: Box
    piece: Piece
    index: int
    mapped: bool = True
    code: int = 0


@dataclass(slots=True)
class Drawn:
    """What a page draws.

    Attributes:
        glyphs: In the order in which they are drawn.
        texts: PDFium's text objects.
        pictures: Boxes of pictures, with the number of their pixels.
        outside: Texts that stand outside of the page.
        replaced: Texts of ``ActualText`` that say more than their glyphs show, and were not taken.
    """

    glyphs: list[Glyph] = field(default_factory=list)
    texts: list[Any] = field(default_factory=list)
    pictures: list[tuple[Any, Box, int]] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)


def drawn(page: Any, text_page: Any) -> Drawn:
    """What a page draws; both handles are PDFium's."""
    result = Drawn()
    pieces: list[Piece] = []
    for item, holder in objects(page):
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            pieces.append(_piece(item, holder, len(pieces)))
            result.texts.append(item)
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            width, height = ctypes.c_uint(), ctypes.c_uint()
            pdfium.FPDFImageObj_GetImagePixelSize(item, width, height)
            result.pictures.append((item, bounds(holder), width.value * height.value))
    glyphs: list[list[Glyph]] = [[] for _ in pieces]
    for glyph in _glyphs(text_page, {address(piece.item): piece for piece in pieces}):
        glyphs[glyph.piece.order].append(glyph)
    for run in _marked(pieces):
        _replace(run, glyphs, result)
    inside = _page_box(page)
    for piece, of_piece in zip(pieces, glyphs, strict=True):
        result.glyphs += _turned(of_piece)
        if not of_piece and not _meets(bounds(piece.holder), inside):
            result.outside.append(string(pdfium.FPDFTextObj_GetText, piece.item, text_page))
    return result


def _glyphs(text_page: Any, pieces: dict[int, Piece]) -> list[Glyph]:
    """The glyphs that PDFium's text of a page has, without what it added."""
    x, y, box = ctypes.c_double(), ctypes.c_double(), pdfium.FS_RECTF()
    glyphs: list[Glyph] = []
    last: Piece | None = None
    for index in range(pdfium.FPDFText_CountChars(text_page)):
        piece = pieces.get(address(pdfium.FPDFText_GetTextObject(text_page, index)))
        if piece is None or pdfium.FPDFText_IsGenerated(text_page, index) == 1:
            continue
        if not piece.size:
            _measure(piece, text_page, index)
        code = pdfium.FPDFText_GetUnicode(text_page, index)
        mapped = pdfium.FPDFText_HasUnicodeMapError(text_page, index) != 1
        text = chr(code) if code <= 0x10FFFF else "\ufffd"  # noqa: PLR2004 - the last code point
        if text == _HYPHEN and pdfium.FPDFText_IsHyphen(text_page, index) == 1:
            text, mapped = "-", True
        pdfium.FPDFText_GetCharOrigin(text_page, index, x, y)
        pdfium.FPDFText_GetLooseCharBox(text_page, index, box)
        glyph = _placed(text, x.value, y.value, (box.left, box.bottom, box.right, box.top), piece, index)
        glyph.mapped, glyph.code = mapped, code
        before = glyphs[-1] if glyphs and last is piece else None
        same = before is not None and (glyph.start, glyph.base) == (before.start, before.base)
        if before is not None and same and mapped and not is_mark(before.text):
            before.text = _ligature(before.text, text)
            before.end, before.box = max(before.end, glyph.end), union((before.box, glyph.box))
        else:
            glyphs.append(glyph)
        last = piece
    return glyphs


def has_outline(text_page: Any, index: int, size: float) -> bool:
    """Whether PDFium has anything to draw for a glyph of a size in points."""
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(text_page, index, left, right, bottom, top)
    return bool(top.value - bottom.value > _FLAT * size)


def is_mark(text: str) -> bool:
    """Whether a text is only marks that take no place of their own."""
    return all(unicodedata.category(character) == "Mn" for character in text)


def _ligature(before: str, text: str) -> str:
    """The characters of one glyph. PDFium turns what runs from right to left, within a glyph as well."""
    if unicodedata.bidirectional(text) not in {"R", "AL"}:
        return before + text
    turned = text + before
    return turned[::-1] if _ALEF_LAM.fullmatch(turned) else turned


def union(boxes: Sequence[Box]) -> Box:
    """The box around boxes."""
    left, bottom, right, top = zip(*boxes, strict=True)
    return min(left), min(bottom), max(right), max(top)


def _placed(text: str, x: float, y: float, box: Box, piece: Piece, index: int) -> Glyph:
    """A glyph by its origin and its box on the page."""
    right, up = piece.along
    left, bottom, far, top = box
    start = x * right + y * up
    if abs(up) < _FLAT or abs(right) < _FLAT:
        end = _extent(box, piece.along)[1]
    else:
        end = 2 * ((left + far) / 2 * right + (bottom + top) / 2 * up) - start
    return Glyph(text, start, max(start, end), x * up - y * right, box, piece, index)


def _extent(box: Box, along: tuple[float, float]) -> tuple[float, float]:
    """Where a box begins and ends along a direction."""
    ends = [x * along[0] + y * along[1] for x in box[::2] for y in box[1::2]]
    return min(ends), max(ends)


def _piece(item: Any, holder: Any, order: int) -> Piece:
    """A text object with how it is drawn."""
    piece = Piece(item, holder, order, mode=pdfium.FPDFTextObj_GetTextRenderMode(item))
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if pdfium.FPDFPageObj_GetFillColor(item, red, green, blue, alpha):
        piece.fill = (red.value, green.value, blue.value, alpha.value)
    font = pdfium.FPDFTextObj_GetFont(item)
    if font:
        piece.embedded = pdfium.FPDFFont_GetIsEmbedded(font) == 1
        buffer = ctypes.create_string_buffer(256)
        pdfium.FPDFFont_GetBaseFontName(font, buffer, len(buffer))
        piece.font = f"{buffer.value.decode('utf-8', 'replace')} {address(font)}"
    return piece


def _measure(piece: Piece, text_page: Any, index: int) -> None:
    """Fill in a piece's size and direction, by its first glyph."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(text_page, index, matrix)
    size = pdfium.FPDFText_GetFontSize(text_page, index)
    length = math.hypot(matrix.a, matrix.b) or 1.0
    sign = -1.0 if size < 0 else 1.0
    piece.size = abs(size) * math.hypot(matrix.c, matrix.d) or _POINT
    piece.along = (sign * matrix.a / length, sign * matrix.b / length)


def _marked(pieces: list[Piece]) -> list[list[Piece]]:
    """The runs of pieces that have an ``ActualText``, which is noted."""
    runs: dict[int, list[Piece]] = {}
    for piece in pieces:
        for index in range(pdfium.FPDFPageObj_CountMarks(piece.item)):
            mark = pdfium.FPDFPageObj_GetMark(piece.item, index)
            actual = parameter(mark, b"ActualText")
            if actual is not None:
                piece.actual = actual
                runs.setdefault(address(mark), []).append(piece)
                break
    return list(runs.values())


def _replace(run: list[Piece], by_piece: list[list[Glyph]], result: Drawn) -> None:
    """Let the pieces of one marked run read as their ``ActualText``, unless it says more than there is room for."""
    actual = run[0].actual or ""
    glyphs = [glyph for piece in run for glyph in by_piece[piece.order]]
    for piece in run:
        by_piece[piece.order] = []
        piece.size = piece.size or _size(piece.item)
    first = glyphs[0] if glyphs else None  # without: PDFium passes over glyphs that stand for nothing
    piece = first.piece if first else run[0]
    inked = [bounds(one.item) for one in run if one.item is one.holder]
    boxes = [*inked, *(glyph.box for glyph in glyphs)] or [bounds(piece.holder)]
    extents = [_extent(box, piece.along) for box in boxes]
    letters = sum(end - start for start, end in extents[: len(inked) or None]) / (piece.size * _NARROW)
    if len(actual) > _LONGEST * max(1.0, letters):
        result.replaced.append(actual)
        return
    box = union(boxes)
    base = first.base if first else _placed("", box[0], box[1], box, piece, -1).base
    extents += [(glyph.start, glyph.end) for glyph in glyphs]
    start, end = min(start for start, _ in extents), max(end for _, end in extents)
    by_piece[piece.order] = [Glyph(actual, start, end, base, box, piece, first.index if first else -1)]


def _size(item: Any) -> float:
    """The size of a text object of which no glyph is known, in points."""
    size, matrix = ctypes.c_float(), pdfium.FS_MATRIX()
    pdfium.FPDFTextObj_GetFontSize(item, size)
    pdfium.FPDFPageObj_GetMatrix(item, matrix)
    return abs(size.value) * math.hypot(matrix.c, matrix.d) or 1.0


def _turned(glyphs: list[Glyph]) -> list[Glyph]:
    """Glyphs of one piece; where they stand one below the other, as in vertical Japanese, along that line."""
    if len(glyphs) > 1 and glyphs[0].piece.along[0] > 1 - _FLAT:
        across = abs(glyphs[-1].base - glyphs[0].base)
        if across > abs(glyphs[-1].start - glyphs[0].start) and across > glyphs[0].piece.size / 2:
            for glyph in glyphs:
                left, bottom, right, top = glyph.box
                glyph.start, glyph.end, glyph.base = -top, -bottom, -(left + right) / 2
            glyphs[0].piece.along = (0.0, -1.0)
    return glyphs


def _page_box(page: Any) -> Box:
    """What is shown of a page."""
    box = pdfium.FS_RECTF()
    pdfium.FPDF_GetPageBoundingBox(page, box)
    return box.left, box.bottom, box.right, box.top


def _meets(one: Box, other: Box) -> bool:
    """Whether two boxes touch."""
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
