"""Where in a JSON document a text ends: which containers are open, and what is being written there.

Reads one byte after another of a document that a grammar has let through, in the form of :data:`proseform.infer.FORM`,
and judges nothing. Left out: text that is no JSON; on such text the position means nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal, NamedTuple

from proseform.schema import pointer as pointers

Mode = Literal["value", "string", "number", "literal", "after", "key", "colon", "member", "end"]
"""What is written at a position.

``value``: a value is about to begin. ``string``, ``number``, ``literal``: inside one (``true``, ``false`` and ``null``
are literals). ``after``: a value of a container has ended. ``member``: a key, or the end of an empty object, may
follow. ``key``: inside a key. ``colon``: between a key and its value. ``end``: the document is complete.
"""

NUMERIC = frozenset(b"0123456789+-.eE")
"""The bytes of a number."""

_SPACE = frozenset(b" \t\r\n")
_QUOTE, _BACKSLASH, _COMMA, _COLON = b'"\\,:'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = b"{}[]"


class Frame(NamedTuple):
    """One open container.

    Attributes:
        array: True for an array, False for an object.
        names: An object's keys so far, the last one being the member that is written.
        item: The index of an array's item that is written.
    """

    array: bool
    names: tuple[str, ...] = ()
    item: int = 0


class Cursor(NamedTuple):
    """A position in a document.

    Attributes:
        frames: The open containers, the outermost first.
        mode: What is written here.
        lexeme: The bytes of the string, key, number or literal so far, quotes left out.
        escaped: Whether a backslash has just been written.

    >>> Cursor().after(b'{"a": [1, "x').pointer()
    '/a/1'
    """

    frames: tuple[Frame, ...] = ()
    mode: Mode = "value"
    lexeme: bytes = b""
    escaped: bool = False

    def after(self, text: Iterable[int]) -> Cursor:
        """The position behind some more bytes."""
        cursor = self
        for byte in text:
            cursor = cursor.step(byte)
        return cursor

    def step(self, byte: int) -> Cursor:
        """The position behind one more byte."""
        frames, mode, lexeme, escaped = self
        if mode in {"string", "key"}:
            if escaped or byte != _QUOTE:
                return Cursor(frames, mode, lexeme + bytes((byte,)), byte == _BACKSLASH and not escaped)
            if mode == "string":
                return Cursor(frames, "after" if frames else "end")
            *outer, frame = frames
            return Cursor((*outer, frame._replace(names=(*frame.names, _unescaped(lexeme)))), "colon")
        if mode == "number" and byte in NUMERIC:
            return Cursor(frames, mode, lexeme + bytes((byte,)))
        if mode == "literal" and lexeme not in {b"true", b"false", b"null"}:
            return Cursor(frames, mode, lexeme + bytes((byte,)))
        if byte in _SPACE:
            return self if mode not in {"number", "literal"} else Cursor(frames, "after" if frames else "end")
        return self._structure(byte)

    def pointer(self) -> str:
        """The JSON pointer of the value that is written here; of the container between its members; "" is the root."""
        inside = self.mode in {"value", "string", "number", "literal"}
        frames = self.frames if inside or not self.frames else self.frames[:-1]
        return "".join(f"/{frame.item}" if frame.array else f"/{pointers.escaped(frame.names[-1])}" for frame in frames)

    def _structure(self, byte: int) -> Cursor:
        """The position behind a byte that begins or ends something."""
        frames = self.frames
        if byte in (_CLOSE_OBJECT, _CLOSE_ARRAY):
            return Cursor(frames[:-1], "after" if frames[1:] else "end")
        if byte == _COMMA:
            *outer, frame = frames
            if frame.array:
                return Cursor((*outer, frame._replace(item=frame.item + 1)))
            return Cursor(frames, "member")
        if byte == _COLON:
            return Cursor(frames)
        if byte == _OPEN_OBJECT:
            return Cursor((*frames, Frame(array=False)), "member")
        if byte == _OPEN_ARRAY:
            return Cursor((*frames, Frame(array=True)))
        if byte == _QUOTE:
            return Cursor(frames, "key" if self.mode == "member" else "string")
        return Cursor(frames, "number" if byte in NUMERIC else "literal", bytes((byte,)))


def _unescaped(lexeme: bytes) -> str:
    """A key as text."""
    try:
        return str(json.loads(b'"' + lexeme + b'"'))
    except ValueError:
        return lexeme.decode(errors="replace")
