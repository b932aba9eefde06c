"""A short ending of a JSON document that has begun: a best-first search over copies of the grammar's matcher.

The search walks byte by byte through a matcher whose vocabulary is the 256 bytes, so that it is the same for every
tokenizer. Bytes that the grammar forces cost nothing; elsewhere a few representatives of what is allowed are tried,
those first from which the schema's :class:`~proseform.infer.endings.guide.Guide` expects the end to be near. Two
positions in the same containers, with the same keys, length of lexeme and allowed bytes, count as one. All of this can
only make an ending longer or keep it from being found, never wrong: each byte is one that the grammar allows, and the
grammar says where the document is complete. Bounded by a number of steps, so that equal requests have equal endings on
any machine.
"""

from __future__ import annotations

import heapq
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from proseform.infer.endings.cursor import NUMERIC, Cursor
from proseform.infer.endings.guide import Cost, Guide
from proseform.infer.endings.lapses import doubled

if TYPE_CHECKING:
    from llguidance import LLMatcher

STEPS = 3000
"""Positions that one search looks at; about 30 µs each."""

_ALIKE = 3
"""Positions that count as one are looked at so many times."""

_WEIGHTS = (1.5, 6.0)
"""How much a byte that is expected counts against one that is written: above 1 a search goes deep rather than wide.

Where the first search has found nothing, a second one goes deeper."""

_FREE = 90
"""With so many printable ASCII characters allowed a string is free: one character stands for all."""

_FEW = 12
"""So many allowed bytes are all tried."""

_PRINTABLE = int.from_bytes(bytes(32), "little") | sum(1 << byte for byte in range(0x20, 0x7F))
_DIGITS = string.digits.encode()
_GROUPS = (string.ascii_lowercase.encode(), string.ascii_uppercase.encode())
_FILLER = b". a0@/:-"
_QUOTE = ord('"')


class Place(NamedTuple):
    """A position in a document, with what may follow.

    Attributes:
        matcher: At this position; not to be changed, copy it.
        cursor: Where it is.
        levels: The subschemas of the document, then of the current member of each open container.
    """

    matcher: LLMatcher
    cursor: Cursor
    levels: tuple[tuple[Any, ...], ...]


class Endings:
    """Endings of the documents of one schema.

    Args:
        schema: The schema that the matcher was compiled from. It must not be changed afterwards.
        matcher: At the beginning of a document, over a vocabulary of the 256 bytes.
    """

    def __init__(self, schema: Mapping[str, Any], matcher: LLMatcher) -> None:
        self._guide = Guide(schema)
        self._start = Place(matcher, Cursor(), (self._guide.root(),))

    def start(self) -> Place:
        """The beginning of a document."""
        return self._start

    def walk(self, place: Place, text: bytes) -> Place | None:
        """The position behind some more bytes; None where the grammar does not allow them."""
        if not text:
            return place
        matcher = place.matcher.deep_copy()
        if matcher.validate_tokens(list(text)) < len(text) or not matcher.consume_tokens(list(text)):
            return None
        cursor = place.cursor.after(text)
        return Place(matcher, cursor, self._levels(place, cursor))

    def ends(self, place: Place, text: bytes) -> bool:
        """Whether the document is complete behind some more bytes."""
        if place.matcher.validate_tokens(list(text)) < len(text):
            return False
        matcher = place.matcher.deep_copy()
        return bool(matcher.consume_tokens(list(text)) and matcher.is_accepting())

    def rest(self, place: Place) -> Cost:
        """An estimate of the shortest ending, and of the free strings in it."""
        return self._guide.estimate(place.cursor, place.levels)

    def find(self, place: Place, limit: int, steps: int = STEPS) -> tuple[bytes | None, int]:
        """A short ending of at most ``limit`` bytes, or None; and how many steps the search took."""
        taken = 0
        for weight in _WEIGHTS:
            ending, more = self._search(place, limit, steps // len(_WEIGHTS), weight)
            taken += more
            if ending is not None:
                return ending, taken
        return None, taken

    def _search(self, place: Place, limit: int, steps: int, weight: float) -> tuple[bytes | None, int]:
        """One search."""
        queue: list[tuple[float, int, float, bytes, Place]] = [(0.0, 0, 0.0, b"", place)]
        met: Counter[Any] = Counter()
        number = taken = 0
        while queue and taken < steps:
            _, _, extra, text, here = heapq.heappop(queue)
            taken += 1
            if here.matcher.is_accepting():
                return text, taken
            allowed = int.from_bytes(here.matcher.compute_bitmask()[:32], "little")
            lexeme = here.cursor.lexeme
            key = (here.cursor.frames, here.cursor.mode, len(lexeme), lexeme[-1:], allowed)
            met[key] += 1
            if met[key] > _ALIKE:
                continue
            for piece, penalty in self._candidates(here, allowed, limit - len(text)):
                onward = self._onward(here, piece)
                if onward is not None and len(text) + len(onward[0]) <= limit:
                    number -= 1  # of two equally good ones the later goes first
                    written, there = text + onward[0], onward[1]
                    order = len(written) + extra + penalty + weight * self.rest(there).size
                    heapq.heappush(queue, (order, number, extra + penalty, written, there))
        return None, taken

    def _onward(self, place: Place, text: bytes) -> tuple[bytes, Place] | None:
        """The position behind some bytes and everything that they force."""
        matcher = place.matcher.deep_copy()
        if len(text) > 1 and matcher.validate_tokens(list(text)) < len(text):
            text = text[:1]
        if not matcher.consume_tokens(list(text)):
            return None
        forced = b"" if matcher.is_accepting() else matcher.compute_ff_bytes()
        if forced and matcher.consume_tokens(list(forced)):
            text += forced
        if matcher.is_error():
            return None
        cursor = place.cursor.after(text)
        if doubled(cursor) and not doubled(place.cursor):
            return None
        return text, Place(matcher, cursor, self._levels(place, cursor))

    def _levels(self, place: Place, cursor: Cursor) -> tuple[tuple[Any, ...], ...]:
        """The subschemas at a position behind another one."""
        before = place.cursor.frames
        if cursor.frames is before:
            return place.levels
        same = 0
        while same < min(len(before), len(cursor.frames)) and before[same] == cursor.frames[same]:
            same += 1
        levels = list(place.levels[: same + 1])
        for frame in cursor.frames[same:]:
            levels.append(self._guide.below(levels[-1], frame))
        return tuple(levels)

    def _candidates(self, place: Place, allowed: int, room: int) -> Iterator[tuple[bytes, float]]:
        """What to go on with, each with what counts against it."""
        cursor = place.cursor
        if cursor.mode not in {"string", "key"}:
            yield from self._structural(cursor.mode, allowed)
            return
        closing = bool(allowed >> _QUOTE & 1)
        if closing:
            yield b'"', 0.0
        yield from self._sampled(place)
        named = {byte for byte in self._named(place) if allowed >> byte & 1}
        yield from ((bytes((byte,)), 0.0) for byte in sorted(named))
        if (allowed & _PRINTABLE).bit_count() < _FREE:
            yield from ((bytes((byte,)), 0.1) for byte in _representatives(allowed) if byte not in named)
            return
        missing = self._guide.missing(place.levels[-1], cursor) if cursor.mode == "string" and not closing else 0
        if missing > room:
            return
        if missing > 0:
            yield _FILLER[:1] * missing, 0.0
        else:
            more = _FILLER[:1] if closing else _FILLER
            yield from (
                (bytes((byte,)), 0.5 * order + 2 * closing) for order, byte in enumerate(more) if byte not in named
            )

    @staticmethod
    def _structural(mode: str, allowed: int) -> Iterator[tuple[bytes, float]]:
        """What to go on with outside strings; a number that may end is not written on."""
        beginning = mode != "number" and all(allowed >> digit & 1 for digit in _DIGITS[:2])
        ending = mode == "number" and any(allowed >> byte & 1 for byte in b",]}")
        for byte in _bytes(allowed):
            if not (beginning and byte in _DIGITS[2:]):
                yield bytes((byte,)), 4.0 * (ending and byte in NUMERIC)

    def _sampled(self, place: Place) -> Iterator[tuple[bytes, float]]:
        """The rest of a string of the pattern or format, from wherever the grammar lets it go on to the end."""
        if place.cursor.mode != "string":
            return
        for sample in self._guide.samples(place.levels[-1]):
            text = [*sample, _QUOTE]
            for start in range(len(sample)):
                if place.matcher.validate_tokens(text[start:]) == len(text) - start:
                    yield bytes(text[start:]), 0.0
                    break

    def _named(self, place: Place) -> Iterator[int]:
        """The next bytes of keys and constants that the schema names and that begin with what is written."""
        cursor, lexeme = place.cursor, place.cursor.lexeme
        texts = (
            self._guide.due(place.levels[-2], cursor.frames[-1].names)
            if cursor.mode == "key"
            else self._guide.constants(place.levels[-1])
        )
        for text in texts:
            written = text.encode(errors="replace")
            if written.startswith(lexeme) and len(written) > len(lexeme):
                yield written[len(lexeme)]


def _bytes(allowed: int) -> list[int]:
    """The bytes of a set."""
    return [byte for byte in range(256) if allowed >> byte & 1]


def _representatives(allowed: int) -> Sequence[int]:
    """A few bytes of a restricted set: all where they are few, else the signs, two digits and a letter of each case."""
    present = [byte for byte in _bytes(allowed) if byte != _QUOTE]
    if len(present) <= _FEW:
        return present
    letters = [next((byte for byte in group if allowed >> byte & 1), -1) for group in _GROUPS]
    digits = [byte for byte in _DIGITS if allowed >> byte & 1][:2]
    signs = [byte for byte in present if byte < 0x7F and not chr(byte).isalnum()]  # noqa: PLR2004 - ASCII
    chosen = [*digits, *(byte for byte in letters if byte >= 0), *signs]
    return chosen or present[:_FEW]
