"""Tokens that a grammar allows and the verifier refuses: a key that stands twice, a number without end.

Grammars cannot count keys, and put no bound on digits. A model that goes round in circles meets both; it is asked for
its next likeliest token instead. Looked for only where a token could be one, so that ordinary documents pay next to
nothing. Left out: what a schema says beyond its grammar, such as ``uniqueItems``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from proseform.infer.endings.cursor import NUMERIC, Cursor

DIGITS = 40
"""Bytes of the longest number: every double and every integer of 128 bits can be written in them."""

_ENDLESS = re.compile(rb"[eE][+-]?\d{3}|.{%d}" % (DIGITS + 1))


class Lapses:
    """Watches over one completion.

    Args:
        prefill: The bytes of the document before the first token.
        decode: Tokens to bytes.
    """

    def __init__(self, prefill: bytes, decode: Callable[[Sequence[int]], bytes]) -> None:
        self._decode = decode
        self._start = self._cursor = Cursor().after(prefill)
        self._count = 0
        self._run = b""

    def lapse(self, ids: Sequence[int], token: int) -> bool:
        """Whether a token behind some others would write what the verifier refuses."""
        piece = self._decode([token])
        endless = piece[-1:].isdigit() and _numeric(piece) and _ENDLESS.search(self._run + piece) is not None
        if not endless and b'"' not in piece:
            return False
        cursor = self._behind(ids).after(piece)
        return doubled(cursor) or (cursor.mode == "number" and _ENDLESS.search(cursor.lexeme) is not None)

    def first(self, ids: Sequence[int], tokens: Iterable[int], otherwise: int) -> int:
        """The first token that is no lapse; another one where all are."""
        return next((token for token in tokens if not self.lapse(ids, token)), otherwise)

    def take(self, token: int) -> None:
        """A token was taken."""
        piece = self._decode([token])
        self._run = (self._run + piece)[-DIGITS - 1 :] if _numeric(piece) else b""

    def _behind(self, ids: Sequence[int]) -> Cursor:
        """The position behind some tokens; they are read once, unless some were taken back."""
        if self._count > len(ids):
            self._cursor, self._count = self._start, 0
        self._cursor = self._cursor.after(self._decode(ids[self._count :]))
        self._count = len(ids)
        return self._cursor


def doubled(cursor: Cursor) -> bool:
    """Whether an open object has the key of the member that is written twice."""
    return any(frame.names[-1] in frame.names[:-1] for frame in cursor.frames if frame.names)


def _numeric(piece: bytes) -> bool:
    """Whether some bytes could stand in a number."""
    return bool(piece) and NUMERIC.issuperset(piece)
