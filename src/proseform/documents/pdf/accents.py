"""Accents that are drawn over or under a letter as glyphs of their own, as TeX does with its first fonts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from proseform.documents.pdf.glyphs import Glyph

_MARKS = {
    "\u0060": "\u0300", "\u00b4": "\u0301", "\u02c6": "\u0302", "\u02dc": "\u0303", "\u00af": "\u0304",
    "\u02d8": "\u0306", "\u02d9": "\u0307", "\u00a8": "\u0308", "\u02da": "\u030a", "\u02dd": "\u030b",
    "\u02c7": "\u030c", "\u00b8": "\u0327", "\u02db": "\u0328",
}  # fmt: skip
"""Accents that stand by themselves, and the marks that combine with a letter."""
_DOTLESS = str.maketrans("\u0131\u0237", "ij")
_CENTRED, _HEIGHT = 0.3, 0.5
"""Letter sizes by which middles and baselines of an accent and its letter differ at most."""


def composed(glyphs: Iterable[Glyph]) -> list[Glyph]:
    """Glyphs in which each accent has become part of the letter that it is drawn with, before or after it."""
    result: list[Glyph] = []
    for glyph in glyphs:
        if len(glyph.text) > 1 and glyph.text[0] in _MARKS:  # both begin in one place
            result.append(replace(glyph, text=_accented(glyph.text[1:], glyph.text[0])))
            continue
        before = result[-1] if result else None
        if before is not None and _together(before, glyph):
            if before.text in _MARKS and glyph.text[:1].isalpha():
                result[-1] = replace(glyph, text=_accented(glyph.text, before.text))
                continue
            if glyph.text in _MARKS and before.text[:1].isalpha():
                result[-1] = replace(before, text=_accented(before.text, glyph.text))
                continue
        result.append(glyph)
    return result


def _together(one: Glyph, other: Glyph) -> bool:
    """Whether two glyphs are drawn over each other."""
    size = max(one.piece.size, other.piece.size)
    apart = abs(one.start + one.end - other.start - other.end) / 2
    return (
        one.piece.along == other.piece.along and apart < _CENTRED * size and abs(one.base - other.base) < _HEIGHT * size
    )


def _accented(letter: str, accent: str) -> str:
    r"""A letter with an accent.

    >>> _accented("\u0131", "\u00b4"), _accented("C", "\u00b8")
    ('í', 'Ç')
    """
    return unicodedata.normalize("NFC", letter[:1].translate(_DOTLESS) + _MARKS[accent]) + letter[1:]
