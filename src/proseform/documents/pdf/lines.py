"""Glyphs to lines of words, by where they stand.

Glyphs that are drawn one after the other on one baseline are a row; a row is read from left to right, or from right to
left where its letters are. A gap between two glyphs is a blank where it is wider than the distance that letters have in
this run, which is how words are told apart without a glyph for the blank, and how letter-spaced headings stay whole.
Rows come in the order in which the page draws them.

Left out: joining wrapped lines to paragraphs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from proseform.documents.pdf import bidi
from proseform.documents.pdf.glyphs import Glyph, is_mark

_SAME = 0.2
"""Letter sizes by which baselines of one row differ at most, where nothing touches."""
_RAISED = 0.5
"""The same for what touches its neighbour: superscripts, small capitals."""
_TOUCHING = 1.0
"""Letter sizes between two glyphs that follow each other in a run."""
_TWICE = 0.12
"""Letter sizes between two drawings of one glyph that imitate bold type or a shadow."""
_WORD = 0.15
"""Letter sizes beyond the usual distance of letters that are a blank; TeX never sets a narrower one than 0.2."""
_WORD_IDEOGRAPHIC = 0.6
"""The same between ideographs, which are spread to fill a line."""
_WORD_JOINED = 0.06
"""The same in scripts whose letters hang on one stroke, as Devanagari's do: within a word there is no gap at all."""
_SPACED = 0.6
"""Letter sizes of the widest letter-spacing; what is wider apart are words or columns."""
_GAP = 1.35
"""Usual distances of lines that are a blank line: looser than within a block, tighter than a blank line."""
_LOOSE = 1.8
"""Letter sizes: where the usual distance is larger than in a loosely set text, it is the blank lines' own."""
_SHORT = 3
"""Gaps of a run that tell its letter-spacing, at least."""


@dataclass(slots=True)
class Segment:
    """Glyphs that follow each other without a jump."""

    glyphs: list[Glyph]
    start: float
    end: float

    def touches(self, glyph: Glyph) -> bool:
        """Whether a glyph continues it at either end."""
        reach = _TOUCHING * max(glyph.piece.size, self.glyphs[-1].piece.size)
        return abs(glyph.start - self.end) < reach or abs(self.start - glyph.end) < reach

    def add(self, glyph: Glyph) -> None:
        """Continue it."""
        self.glyphs.append(glyph)
        self.start, self.end = min(self.start, glyph.start), max(self.end, glyph.end)


@dataclass(slots=True)
class Row:
    """What stands on one baseline and is drawn without anything in between.

    Attributes:
        segments: Its parts.
        base: The baseline, in points; grows downwards.
        size: The largest letter size, in points.
        along: Direction of writing.
    """

    segments: list[Segment]
    base: float
    size: float
    along: tuple[float, float]

    @property
    def glyphs(self) -> Iterator[Glyph]:
        """All glyphs."""
        return (glyph for segment in self.segments for glyph in segment.glyphs)

    @property
    def text(self) -> str:
        """All characters, in the order of drawing."""
        return "".join(glyph.text for glyph in self.glyphs)

    def add(self, glyph: Glyph) -> bool:
        """Take a glyph into the row, unless it belongs to another."""
        size = max(self.size, glyph.piece.size)
        apart = abs(glyph.base - self.base)
        if glyph.piece.along != self.along or apart > _RAISED * size:
            return False
        segment = self.segments[-1]
        if segment.touches(glyph) and (apart <= _SAME * size or glyph.start >= segment.end - _SAME * size):
            segment.add(glyph)
        elif apart > _SAME * size or any(_overlap(glyph, other) for other in self.glyphs):
            return False
        else:
            self.segments.append(Segment([glyph], glyph.start, glyph.end))
        if glyph.piece.size > self.size:
            self.size, self.base = glyph.piece.size, glyph.base
        return True


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text.

    Attributes:
        text: Its words; empty lines stand between blocks.
        base: Its baseline, in points; grows downwards.
        size: Its largest letters, in points.
        start: Where it begins, in points.
        along: Direction of writing.
    """

    text: str
    base: float = 0.0
    size: float = 0.0
    start: float = 0.0
    along: tuple[float, float] = (1.0, 0.0)


def _overlap(one: Glyph, other: Glyph) -> bool:
    """Whether two glyphs stand in one place."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > _RAISED * min(one.end - one.start, other.end - other.start) > 0


def once(glyphs: Sequence[Glyph]) -> list[Glyph]:
    """Glyphs without those that are drawn again on top of themselves."""
    kept: list[Glyph] = []
    places: dict[tuple[str, int, int], list[Glyph]] = {}
    for glyph in glyphs:
        reach = _TWICE * glyph.piece.size
        cell = max(reach, 0.01)
        column, row = int(glyph.start / cell), int(glyph.base / cell)
        near = (
            other
            for across in (-1, 0, 1)
            for down in (-1, 0, 1)
            for other in places.get((glyph.text, column + across, row + down), ())
        )
        if not glyph.text.isspace() and any(
            abs(other.start - glyph.start) <= reach and abs(other.base - glyph.base) <= reach
            and other.piece.along == glyph.piece.along for other in near
        ):  # fmt: skip
            continue
        places.setdefault((glyph.text, column, row), []).append(glyph)
        kept.append(glyph)
    return kept


def rows(glyphs: Iterable[Glyph]) -> list[Row]:
    """Glyphs as rows, in the order in which they are drawn."""
    result: list[Row] = []
    for glyph in glyphs:
        if not result or not result[-1].add(glyph):
            segment = Segment([glyph], glyph.start, glyph.end)
            result.append(Row([segment], glyph.base, glyph.piece.size, glyph.piece.along))
    return result


def lines(parts: Sequence[Row]) -> list[Line]:
    """Rows as lines of words."""
    from_right = bidi.leans("".join(row.text for row in parts)) > 0
    result = []
    for row in parts:
        text = _words(row, page_from_right=from_right)
        if text.strip():
            start = min(segment.start for segment in row.segments)
            result.append(Line(text, row.base, row.size, start, row.along))
    return result


def spread(given: Sequence[Line]) -> Iterator[Line]:
    """Lines with an empty one where the distance says that a block ends."""
    gaps = [below.base - above.base if above.along == below.along else 0.0 for above, below in pairwise(given)]
    down = sorted(gap for gap in gaps if gap > 1.0)
    usual = down[len(down) // 4] if down else 0.0  # a low quartile: in a short paper blank lines are many
    for number, line in enumerate(given):
        if number and line.along == given[number - 1].along:
            small, large = sorted((line.size, given[number - 1].size))
            wide = gaps[number - 1] > _GAP * max(large, min(usual, _LOOSE * small))
            if wide or gaps[number - 1] < -2 * large:  # up: the next column
                yield Line("")
        yield line


def _words(row: Row, *, page_from_right: bool) -> str:
    """The text of a row."""
    text = row.text
    if bidi.has_right_to_left(text):
        clusters = _blanks(_marked(sorted(row.glyphs, key=_start)))
        return bidi.logical(list(clusters), right_to_left=page_from_right or bidi.leans(text) > 0)
    segments = sorted(row.segments, key=lambda segment: segment.start)
    return "".join(_blanks([glyph for segment in segments for glyph in _ordered(segment.glyphs)]))


def _blanks(glyphs: Sequence[Glyph]) -> Iterator[str]:
    """The characters of glyphs, and a blank where a gap between them is one."""
    spacing = _spacing(glyphs)
    for number, glyph in enumerate(glyphs):
        if number:
            before = glyphs[number - 1]
            wide = _WORD_IDEOGRAPHIC if _is_wide(before) and _is_wide(glyph) else _WORD
            wide = _WORD_JOINED if _is_joined(before) and _is_joined(glyph) else wide
            gap = glyph.start - before.end - spacing[number - 1]
            unknown = before.index < 0 or glyph.text.isspace() or before.text.isspace()
            if not unknown and gap > wide * min(before.piece.size, glyph.piece.size):
                yield " "
        yield " " if glyph.text.isspace() else glyph.text


def _start(glyph: Glyph) -> float:
    """Where a glyph begins."""
    return glyph.start


def _ordered(glyphs: Sequence[Glyph]) -> Sequence[Glyph]:
    """Glyphs as drawn; from left to right where the drawing went back, as for a character of another font."""
    if not any(after.start < before.start - _RAISED * before.piece.size for before, after in pairwise(glyphs)):
        return glyphs
    clusters: list[list[Glyph]] = []
    for glyph in glyphs:
        if clusters and is_mark(glyph.text):
            clusters[-1].append(glyph)
        else:
            clusters.append([glyph])
    return [glyph for cluster in sorted(clusters, key=lambda cluster: cluster[0].start) for glyph in cluster]


def _spacing(glyphs: Sequence[Glyph]) -> list[float]:
    """The distance of letters from each glyph to the next, in points: the usual one of its run of one size."""
    gaps = [max(0.0, after.start - before.end) for before, after in pairwise(glyphs)]
    result = [0.0] * len(gaps)
    begin = 0
    for index in range(len(gaps) + 1):
        ends = index == len(gaps) or glyphs[index].piece.size != glyphs[index + 1].piece.size
        if not ends:
            continue
        run = [
            gap
            for gap, before, after in zip(gaps[begin:index], glyphs[begin:], glyphs[begin + 1 :], strict=False)
            if not before.text.isspace() and not after.text.isspace()
        ]
        usual = median(run) if len(run) >= _SHORT else 0.0
        if usual <= _SPACED * glyphs[min(index, len(glyphs) - 1)].piece.size:
            result[begin:index] = [usual] * (index - begin)
        begin = index + 1
    return result


def _marked(glyphs: Sequence[Glyph]) -> list[Glyph]:
    """Glyphs in which each mark has become part of the letter that it stands over."""
    letters = [glyph for glyph in glyphs if not is_mark(glyph.text)]
    added: dict[int, str] = {}
    for mark in (glyph for glyph in glyphs if is_mark(glyph.text)):
        middle = (mark.start + mark.end) / 2
        at = min(range(len(letters)), key=lambda i: abs((letters[i].start + letters[i].end) / 2 - middle), default=-1)
        if at >= 0:
            added[at] = added.get(at, "") + mark.text
    return [replace(glyph, text=glyph.text + added[at]) if at in added else glyph for at, glyph in enumerate(letters)]


def _is_wide(glyph: Glyph) -> bool:
    """Whether a glyph is an ideograph or of its width."""
    return bool(glyph.text) and unicodedata.east_asian_width(glyph.text[0]) in {"W", "F"}


def _is_joined(glyph: Glyph) -> bool:
    """Whether a glyph hangs on a stroke (Devanagari, Bengali, Gurmukhi)."""
    return "\u0900" <= glyph.text[:1] <= "\u0a7f"
