"""One page: its lines, and what was noticed on it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from proseform.documents.extract import Omissions
from proseform.documents.pdf.accents import composed
from proseform.documents.pdf.fields import Entry, entries, joined
from proseform.documents.pdf.fonts import Fonts, fonts
from proseform.documents.pdf.glyphs import Drawn, Glyph, drawn
from proseform.documents.pdf.lines import Line, lines, once, rows
from proseform.documents.pdf.pdfium import Box, Opened, pdfium
from proseform.documents.pdf.visible import Sight, words

_STAMP, _TEXT = 25, 150
"""Letters and digits of a page: a scanner's stamp has fewer than the first, a page of text more than the second."""
_COVERED = 0.4
"""Share of a page that a scan covers at least."""
_ICONS, _BULLETS = ("\ue000", "\uf8ff"), "\uf0b7\uf0a7\uf0d8"
"""The private use area, where icons are, and those of Word's Symbol and Wingdings that normalisation knows."""
_COLLECTIONS = ("\u2e80", "\uffef")
"""Between these are the characters of the Adobe collections."""
_APOSTROPHE = 39
"""Its code in every encoding of letters, so that it is one between letters also where a font does not say so."""
_SOFT = "\u00ad"
_THAI = dict(zip(range(0xF700, 0xF71B), map(ord, (
    "\u0e10\u0e34\u0e35\u0e36\u0e37\u0e48\u0e49\u0e4a\u0e4b\u0e4c\u0e48\u0e49\u0e4a\u0e4b\u0e4c\u0e0d"
    "\u0e31\u0e4d\u0e47\u0e48\u0e49\u0e4a\u0e4b\u0e4c\u0e38\u0e39\u0e3a"
)), strict=True))  # fmt: skip
"""Where fonts for Thai have letters and marks that are moved to make room for others."""
_SWAPPED = {ord(letter) << 8: letter for letter in "fijlt"} | {0xCF00: "fi", 0xD200: "fl"}
"""Letters of ligatures as Ghostscript writes them: bytes swapped, and the last two of three added up."""
_SARA_AM = re.compile("\u0e4d([\u0e48-\u0e4b]?)\u0e32")
"""A Thai vowel that some fonts draw in two parts."""
_SHAPES = (("\u2e80", "\u2fdf"), ("\ufb1d", "\ufdff"), ("\ufe70", "\ufefc"))
"""Characters for the shape of others: radicals of ideographs, presentation forms of Hebrew and Arabic."""


@dataclass(frozen=True, slots=True)
class Page:
    """What was read of a page.

    Attributes:
        lines: Its lines.
        letters: Letters and digits.
        picture: Whether it is a picture, with next to no text.
        scanned: Whether its text is an invisible layer over a scan.
    """

    lines: list[Line]
    letters: int
    picture: bool
    scanned: bool

    @property
    def length(self) -> int:
        """Characters."""
        return sum(len(line.text) + 1 for line in self.lines)


@dataclass(slots=True)
class Noticed:
    """What was noticed while the pages of a document were read.

    Attributes:
        data: The document.
        drawing_ends: When drawing is given up, on the clock of :func:`time.process_time`.
        maps: What its fonts say; None until it is looked up.
        omissions: Text that nobody sees.
        fields: What form fields hold.
        notes: What notes on the pages say.
        comments: How many comments and stamps there are.
        undrawn: Pages that took too long to draw.
        unmapped: Glyphs that stand for no character.
        texts: What each font gave.
    """

    data: bytes
    drawing_ends: float
    maps: Fonts | None = None
    omissions: Omissions = field(default_factory=Omissions)
    fields: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    comments: int = 0
    undrawn: list[int] = field(default_factory=list)
    unmapped: int = 0
    texts: dict[str, list[str]] = field(default_factory=dict)

    def hide(self, text: str) -> None:
        """Leave out what nobody sees."""
        self.omissions.add("hidden", "Hidden text", f"{text} ")

    def entry(self, entry: Entry) -> bool:
        """Note a field, note or comment; whether it is read."""
        if entry.hidden:
            self.hide(entry.text)
        elif entry.kind == "comment":
            self.comments += 1
        else:
            (self.fields if entry.kind == "field" else self.notes).append(entry.text)
            return True
        return False


def read(document: Opened, number: int, noticed: Noticed) -> Page:
    """Read a page, counted from 0."""
    page = document.document[number]
    text_page = page.get_textpage()
    drawing = drawn(page.raw, text_page.raw)
    _map(drawing.glyphs, noticed)
    covered = _covered(drawing, page.get_size())
    invisible = sum(glyph.piece.mode == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE for glyph in drawing.glyphs)
    scanned = covered >= _COVERED and 2 * invisible > len(drawing.glyphs)
    sight = Sight(page.raw, text_page.raw, drawing, noticed.drawing_ends)
    if not sight.known:
        noticed.undrawn.append(number + 1)
    seen, hidden = _split(drawing.glyphs, sight, scanned=scanned)
    for text in (*(line.text for line in lines(rows(once(hidden)))), *drawing.outside):
        noticed.hide(text)
    for text in drawing.replaced:
        noticed.omissions.add("hidden", "Text in the place of shorter text (ActualText)", f"{text} ")
    glyphs = composed(_characters(once(seen), noticed))
    added = [entry for entry in entries(page.raw, document.form) if noticed.entry(entry)]
    result = joined(_mended(lines(rows(glyphs))), added)
    letters = sum(c.isalnum() for line in result for c in line.text)
    few = _TEXT if covered >= _COVERED else _STAMP
    text_page.close()
    page.close()
    return Page(
        result,
        letters=letters,
        picture=bool(drawing.pictures) and letters < few,
        scanned=scanned,
    )


def _covered(drawing: Drawn, size: tuple[float, float]) -> float:
    """The share of a page that pictures cover; what lies on each other counts twice."""
    return sum(_area(box, size) for _, box, _ in drawing.pictures) / max(size[0] * size[1], 1.0)


def _area(box: Box, size: tuple[float, float]) -> float:
    """The area of a box, cut to a page's width and height."""
    left, bottom, right, top = box
    return min(right - left, size[0]) * min(top - bottom, size[1])


def _map(glyphs: Sequence[Glyph], noticed: Noticed) -> None:
    """Look up what PDFium does not know of the fonts, where a page needs it."""
    guessed = any(_COLLECTIONS[0] <= glyph.text <= _COLLECTIONS[1] for glyph in glyphs)
    if not guessed and all(glyph.mapped for glyph in glyphs):
        return
    if noticed.maps is None:
        noticed.maps = fonts(noticed.data)
    for number, glyph in enumerate(glyphs):
        name = glyph.piece.font.rpartition(" ")[0]
        if not glyph.mapped and (text := noticed.maps.names.get(name, {}).get(glyph.code)):
            glyph.text, glyph.mapped = text, True
        elif glyph.code == _APOSTROPHE and all(_is_letter(beside) for beside in glyphs[number - 1 : number + 2 : 2]):
            glyph.mapped = True
        elif name in noticed.maps.silent and glyph.piece.actual is None:
            glyph.mapped = False


def _is_letter(glyph: Glyph) -> bool:
    """Whether a glyph stands for letters or for an accent."""
    return glyph.mapped and unicodedata.category(glyph.text[:1] or " ")[0] in "LMS"


def _split(glyphs: Sequence[Glyph], sight: Sight, *, scanned: bool) -> tuple[list[Glyph], list[Glyph]]:
    """Glyphs that are seen, and glyphs that are hidden; blanks and punctuation go with the word before them."""
    verdicts: dict[int, bool] = {}
    verdict = False
    for word in words(glyphs):
        if word[0].piece.mode or any(c.isalnum() for glyph in word for c in glyph.text):
            verdict = sight.hides(word, scanned=scanned)
        verdicts.update(dict.fromkeys(map(id, word), verdict))
    seen: list[Glyph] = []
    hidden: list[Glyph] = []
    for glyph in glyphs:
        verdict = verdicts.get(id(glyph), verdict)
        (hidden if verdict else seen).append(glyph)
    return seen, hidden


def _characters(glyphs: Iterable[Glyph], noticed: Noticed) -> Iterable[Glyph]:
    """Glyphs as text: icons go, what no font maps becomes U+FFFD, and what each font gives is noted."""
    for glyph in glyphs:
        glyph.text = _plain(glyph.text) if glyph.mapped else "\ufffd"
        icon = _ICONS[0] <= glyph.text <= _ICONS[1] and glyph.text not in _BULLETS
        if icon or not glyph.mapped:
            noticed.unmapped += 1
        if not icon:
            noticed.texts.setdefault(glyph.piece.font, []).append(glyph.text)
            yield glyph


def _plain(text: str) -> str:
    """The characters that a glyph's shape is of."""
    if len(text) > 1 and all(ord(character) in _SWAPPED for character in text):
        return text.translate(_SWAPPED)
    shaped = any(first <= text[:1] <= last for first, last in _SHAPES)
    return unicodedata.normalize("NFKC", text) if shaped else text.translate(_THAI)


def _mended(given: Sequence[Line]) -> list[Line]:
    """Lines in which vowels of two parts are one, and soft hyphens are hyphens, as they are drawn.

    A soft hyphen stays one where it breaks a word at a line's end.
    """
    result = []
    for number, line in enumerate(given):
        text = _SARA_AM.sub("\\1\u0e33", line.text)
        if _SOFT in text:
            after = given[number + 1].text if number + 1 < len(given) else ""
            broken = text[-2:-1].isalpha() and text.endswith(_SOFT) and after[:1].islower()
            text = text.replace(_SOFT, "-")
            text = f"{text[:-1]}{_SOFT}" if broken else text
        result.append(replace(line, text=text))
    return result
