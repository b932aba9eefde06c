"""Which fields of a document were cut short, or filled, so that it could end within its budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from proseform.infer.endings.cursor import NUMERIC, Cursor


class Mark(NamedTuple):
    """A place at which what a model chose was replaced.

    Attributes:
        offset: Bytes of the document before it.
        refused: The first byte of what the model chose; empty where it was to end.
    """

    offset: int
    refused: bytes = b""


def pointers(document: bytes, marks: Sequence[Mark]) -> tuple[str, ...]:
    """The JSON pointers of what was cut, in the document's order, without doubles; "" is the whole document.

    Inside a string, number or literal that is its own pointer. A number that the model would not have continued is
    whole: then, and between members, it is the container that lacks what was still to come.

    >>> pointers(b'{"a": "so lo", "b": [1]}', [Mark(12, b"n"), Mark(22, b",")])
    ('/a', '/b')
    """
    cut: dict[str, None] = {}
    cursor, done = Cursor(), 0
    for mark in sorted(marks):
        cursor, done = cursor.after(document[done : mark.offset]), max(done, mark.offset)
        cut[_pointer(cursor, mark.refused, document[mark.offset : mark.offset + 1])] = None
    return tuple(cut)


def _pointer(cursor: Cursor, refused: bytes, written: bytes) -> str:
    """What was cut at one place."""
    whole = cursor.mode == "number" and not (refused and NUMERIC.issuperset(refused))
    empty = cursor.mode == "value" and written == b"]"  # an array was to have its first item
    return (cursor._replace(mode="after") if whole or empty else cursor).pointer()
