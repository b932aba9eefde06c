"""Which glyphs of a page a reader sees: found by drawing the page with its text and without.

A word whose ink does not change the picture is not seen, whatever hides it: the colour of the ground, a shape or a
picture on top, a clip, a layer that is off, transparency, the edge of the page. Beside that are hidden: text that is
drawn in the colour of its ground below other text, text too small to read, and text in invisible mode, unless a scanned
picture with ink stands under it, which is how programs for OCR add text to a scan.

Left out: text that only some colour sight tells from its ground, and whether OCR has read a scan rightly.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proseform.documents.look import TINY_PT
from proseform.documents.pdf.glyphs import Drawn, Glyph, has_outline, union
from proseform.documents.pdf.pdfium import Box, callback, pdfium

_PIXELS = 2_000_000
"""Of the picture that a page is drawn as, at most; an A4 page has half a million at 72 dpi."""
_FAINT = 16
"""Levels of 255 that a pixel must change by to be seen; light grey (#ddd) letters on white change by more."""
_A4_HEIGHT_PT = 842.0
"""Of the page that :data:`~proseform.documents.look.TINY_PT` is meant for; letters on a smaller one may be smaller."""
_INVISIBLE, _CLIPS = 3, 4
"""Text rendering modes: neither filled nor stroked; from here on the letters also clip what is drawn later."""
_LARGEST_PICTURE = 10_000_000
"""Pixels of a picture that is drawn; larger ones need more memory than there is."""


@dataclass(slots=True)
class Pixels:
    """A page as a picture.

    Attributes:
        data: Four bytes a pixel, row by row.
        width: Pixels of a row.
        height: Rows.
    """

    data: memoryview
    width: int
    height: int

    def row(self, y: int, left: int, right: int) -> memoryview:
        """Part of a row."""
        at = 4 * y * self.width
        return self.data[at + 4 * left : at + 4 * right]


class Sight:
    """A page as it is seen, and as it would be without its text.

    Args:
        page: PDFium's handle.
        text_page: The handle of its text.
        drawn: What the page draws.
        until: When drawing is given up, on the clock of :func:`time.process_time`.
    """

    def __init__(self, page: Any, text_page: Any, drawn: Drawn, until: float) -> None:
        width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
        scale = min(1.0, (_PIXELS / max(width * height, 1.0)) ** 0.5)
        self.smallest = TINY_PT * min(1.0, height / _A4_HEIGHT_PT)
        self._size = max(1, round(width * scale)), max(1, round(height * scale))
        self._page, self._text_page, self._needed = page, text_page, bool(drawn.glyphs)
        self._corner, self._across, self._down = (self._device(*point) for point in ((0, 0), (1000, 0), (0, 1000)))
        large = [(item, box) for item, box, pixels in drawn.pictures if pixels > _LARGEST_PICTURE]
        self._unknown = [self._pixel_box(box) for _, box in large]
        for item, _ in large:
            pdfium.FPDFPageObj_SetIsActive(item, 0)
        self.whole = self._pixels(until) if drawn.glyphs else None
        for item in drawn.texts:
            pdfium.FPDFPageObj_SetIsActive(item, 0)
        self.bare = self._pixels(until) if self.whole else None
        for item in drawn.texts:
            pdfium.FPDFPageObj_SetIsActive(item, 1)

    @property
    def known(self) -> bool:
        """Whether the page could be drawn in time, or has no text that could be hidden."""
        return (self.whole is not None and self.bare is not None) or not self._needed

    def hides(self, word: Sequence[Glyph], *, scanned: bool) -> bool:
        """Whether a word is hidden from who looks at the page.

        Args:
            word: Glyphs of one piece that follow each other.
            scanned: Whether the page is a scan with a layer of text.
        """
        piece = word[0].piece
        if piece.size < self.smallest:
            return True
        left, top, right, bottom = self._pixel_box(union([glyph.box for glyph in word]))
        width, height = self._size
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            return True
        if self.whole is None or self.bare is None:
            return piece.mode == _INVISIBLE and not scanned
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if any(x0 < right and left < x1 and y0 < bottom and top < y1 for x0, y0, x1, y1 in self._unknown):
            return piece.mode == _INVISIBLE and not scanned
        middle_out = sorted(range(top, bottom), key=lambda y: abs(2 * y - top - bottom))
        if piece.mode == _INVISIBLE:
            return not (scanned and self._has_ink(self.bare, left, right, middle_out))
        if piece.mode >= _CLIPS:
            return not self._has_ink(self.whole, left, right, middle_out)
        seen = any(_differ(self.whole.row(y, left, right), self.bare.row(y, left, right)) for y in middle_out)
        if not seen:
            return not self._has_no_outline(word)
        return piece.mode == 0 and piece.fill is not None and self._is_ground(piece.fill, left, right, middle_out[:3])

    def _has_ink(self, pixels: Pixels, left: int, right: int, rows: Sequence[int]) -> bool:
        """Whether a place is not of one colour."""
        first = bytes(pixels.row(rows[0], left, left + 1)) if rows and right > left else b""
        return any(_differ(pixels.row(y, left, right), first * (right - left)) for y in rows)

    def _is_ground(self, fill: tuple[int, int, int, int], left: int, right: int, rows: Sequence[int]) -> bool:
        """Whether a colour is the one that a place has without its text."""
        red, green, blue, _ = fill
        ground = bytes((blue, green, red, 255)) * (right - left)
        return self.bare is not None and not any(_differ(self.bare.row(y, left, right), ground) for y in rows)

    def _has_no_outline(self, word: Sequence[Glyph]) -> bool:
        """Whether nothing is drawn of a word only because its font is not in the document, and PDFium has no like."""
        if word[0].piece.embedded:
            return False
        known = (glyph for glyph in word if glyph.index >= 0)
        return not any(has_outline(self._text_page, glyph.index, glyph.piece.size) for glyph in known)

    def _device(self, x: float, y: float) -> tuple[float, float]:
        """A point of the page as a pixel."""
        across, down = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(self._page, 0, 0, *self._size, 0, x, y, across, down)
        return across.value, down.value

    def _pixel_box(self, box: Box) -> tuple[int, int, int, int]:
        """A box of the page in pixels: left, top, right, bottom."""
        (x0, y0), (ax, ay), (dx, dy) = self._corner, self._across, self._down
        points = [
            (x0 + (ax - x0) * x / 1000 + (dx - x0) * y / 1000, y0 + (ay - y0) * x / 1000 + (dy - y0) * y / 1000)
            for x in box[::2]
            for y in box[1::2]
        ]
        columns, rows = zip(*points, strict=True)
        return int(min(columns)), int(min(rows)), int(max(columns)) + 1, int(max(rows)) + 1

    def _pixels(self, until: float) -> Pixels | None:
        """Draw the page; None where that takes too long."""
        width, height = self._size
        bitmap = pdfium.FPDFBitmap_Create(width, height, 0)
        if not bitmap:
            return None
        late = callback(pdfium.IFSDK_PAUSE, "NeedToPauseNow", lambda _: time.process_time() > until)
        pause = pdfium.IFSDK_PAUSE(version=1, NeedToPauseNow=late, user=None)
        try:
            pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
            status = pdfium.FPDF_RenderPageBitmap_Start(bitmap, self._page, 0, 0, width, height, 0, 0, pause)
            pdfium.FPDF_RenderPage_Close(self._page)
            if status != pdfium.FPDF_RENDER_DONE:
                return None
            data = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), 4 * width * height)
            return Pixels(memoryview(data), width, height)
        finally:
            pdfium.FPDFBitmap_Destroy(bitmap)


def words(glyphs: Sequence[Glyph]) -> list[list[Glyph]]:
    """Glyphs in runs of one piece without blanks."""
    result: list[list[Glyph]] = []
    before: Glyph | None = None
    for glyph in glyphs:
        if glyph.text.isspace():
            before = None
        elif before is not None and before.piece is glyph.piece:
            result[-1].append(glyph)
            before = glyph
        else:
            result.append([glyph])
            before = glyph
    return result


def _differ(one: memoryview, other: memoryview | bytes) -> bool:
    """Whether two rows of pixels differ by more than can be overlooked."""
    return one != other and any(abs(a - b) >= _FAINT for a, b in zip(one, other, strict=True))
