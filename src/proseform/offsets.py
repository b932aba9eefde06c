"""Offsets: where each character of an edited text stood in the original.

An edit removes or replaces pieces of a text and keeps the rest. :class:`Offsets` stores the kept runs only, so that a
text without edits costs one run, a position is found by bisection, and edits made one after another are composed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Edit = tuple[int, int, str]
"""``[start, end)`` of a text is replaced by a string."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """The kept runs of an edited text, and the length of both texts.

    Attributes:
        runs: ``(text, raw, length)``: ``text[t : t + n]`` stood at ``raw[r : r + n]``; in order, and maximal.
        text: Code points of the edited text.
        raw: Code points of the original.
    """

    runs: tuple[tuple[int, int, int], ...]
    text: int
    raw: int

    @classmethod
    def same(cls, length: int) -> Offsets:
        """The offsets of a text that was not edited."""
        return cls(((0, 0, length),) if length else (), length, length)

    def locate(self, start: int, end: int) -> tuple[int, int]:
        r"""Where ``text[start:end]`` stood in the original; O(log n) in the number of edits.

        A replaced piece counts as a whole: a span that touches it covers all of what was replaced. What was removed at
        the border of a span lies outside it.

        Raises:
            IndexError: The span does not lie within the text.

        >>> _, offsets = edited("a\tb", [(1, 2, "  ")])
        >>> offsets.locate(0, 2), offsets.locate(3, 4)
        ((0, 2), (2, 3))
        """
        if not 0 <= start <= end <= self.text:
            raise IndexError(f"no span [{start}, {end}) in a text of {self.text} characters")
        first = self._place(start)[0] if start < self.text else self.raw
        return (first, first) if start == end else (first, self._place(end - 1)[1])

    def _place(self, position: int) -> tuple[int, int]:
        """The span of the original that one character came from."""
        index = bisect_right(self.runs, position, key=lambda run: run[0]) - 1
        if index >= 0:
            text, raw, length = self.runs[index]
            if position < text + length:
                return raw + position - text, raw + position - text + 1
            before = raw + length
        else:
            before = 0
        return before, self.runs[index + 1][1] if index + 1 < len(self.runs) else self.raw

    def inverse(self) -> Offsets:
        """The same runs seen from the original: ``inverse().locate`` takes a span of the original to the text."""
        return Offsets(tuple((raw, text, length) for text, raw, length in self.runs), self.raw, self.text)

    def then(self, later: Offsets) -> Offsets:
        """The offsets of two edits, one after the other, in time linear in their runs."""
        runs: list[tuple[int, int, int]] = []
        index = 0
        for text, middle, length in later.runs:
            while index < len(self.runs) and self.runs[index][0] + self.runs[index][2] <= middle:
                index += 1
            at = index
            while at < len(self.runs) and self.runs[at][0] < middle + length:
                start, raw, size = self.runs[at]
                low, high = max(start, middle), min(start + size, middle + length)
                runs.append((text + low - middle, raw + low - start, high - low))
                at += 1
            index = max(index, at - 1)
        return Offsets(_joined(runs), later.text, self.raw)


def edited(text: str, edits: Iterable[Edit]) -> tuple[str, Offsets]:
    """A text with edits made, and the offsets; edits are in order and do not overlap."""
    pieces: list[str] = []
    runs: list[tuple[int, int, int]] = []
    length = end = 0
    for start, stop, new in edits:
        runs.append((length, end, start - end))
        pieces += (text[end:start], new)
        length += start - end + len(new)
        end = stop
    runs.append((length, end, len(text) - end))
    pieces.append(text[end:])
    return "".join(pieces), Offsets(_joined(runs), length + len(text) - end, len(text))


def substituted(pattern: re.Pattern[str], new: str | Callable[[re.Match[str]], str], text: str) -> tuple[str, Offsets]:
    """Like ``pattern.sub(new, text)``, a string taken literally, with the offsets; equal ends count as kept."""
    edits = ((m.start(), m.end(), new if isinstance(new, str) else new(m)) for m in pattern.finditer(text))
    trimmed = (_trimmed(text, edit) for edit in edits)
    return edited(text, ((start, end, piece) for start, end, piece in trimmed if start < end or piece))


def _trimmed(text: str, edit: Edit) -> Edit:
    """The same edit without the characters at either end that it leaves unchanged."""
    start, end, new = edit
    first, last = 0, len(new)
    while start < end and first < last and text[start] == new[first]:
        start, first = start + 1, first + 1
    while start < end and first < last and text[end - 1] == new[last - 1]:
        end, last = end - 1, last - 1
    return start, end, new[first:last]


def _joined(runs: Iterable[tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    """Runs without empty ones, and with those that touch in both texts as one."""
    joined: list[tuple[int, int, int]] = []
    for text, raw, length in runs:
        if not length:
            continue
        if joined:
            last_text, last_raw, last_length = joined[-1]
            if (last_text + last_length, last_raw + last_length) == (text, raw):
                joined[-1] = (last_text, last_raw, last_length + length)
                continue
        joined.append((text, raw, length))
    return tuple(joined)
