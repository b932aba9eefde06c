"""JSON pointers (RFC 6901), by which places in schemas and documents are named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def escaped(step: object) -> str:
    """One step of a pointer: a key or an index with ``~`` and ``/`` escaped.

    >>> escaped("a/b")
    'a~1b'
    """
    return str(step).replace("~", "~0").replace("/", "~1")


def steps(pointer: str) -> list[str]:
    """The steps of a pointer, unescaped; what stands before the first slash is not read.

    >>> steps("/a~1b/0"), steps("")
    (['a/b', '0'], [])
    """
    written = pointer.split("/")[1:]
    return [step.replace("~1", "/").replace("~0", "~") for step in written] if "~" in pointer else written


def at(document: Any, pointer: str, absent: Any = None) -> Any:
    """The value that a pointer leads to.

    Args:
        document: A JSON value.
        pointer: Empty for the document itself; what stands before the first slash is not read.
        absent: The result if there is no such place.

    >>> at({"a~b": [1, 2]}, "/a~0b/1")
    2
    """
    value = document
    for key in steps(pointer):
        if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return absent
    return value


def put(document: Any, pointer: str, part: Any) -> None:
    """Put a part at a place of a document, which has one there already and is not itself that place.

    >>> document = {"a": [1, 2]}
    >>> put(document, "/a/1", 3)
    >>> document
    {'a': [1, 3]}
    """
    *way, last = steps(pointer)
    for step in way:
        document = document[step] if isinstance(document, dict) else document[int(step)]
    document[last if isinstance(document, dict) else int(last)] = part
