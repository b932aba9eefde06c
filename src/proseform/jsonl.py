r"""JSON Lines: one object a line, and a line ends with a line feed alone.

``str.splitlines`` breaks a text at U+2028, NEL, form feeds and vertical tabs too, all of which may stand in an input,
and a file that is opened as text breaks at a lone carriage return. Everything here that reads lines of JSON reads them
by :func:`lines`. Files that people give are read by :func:`read` and :func:`parse`, which say in words why a
file is refused; files that we append to are read by :func:`rows`, which skips a line that a kill cut short.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from proseform.errors import RowError
from proseform.strict import DECODER, encodable

_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": "Parquet",
}
_WIDE = {b"\xff\xfe\x00\x00": "UTF-32", b"\x00\x00\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_BOM = b"\xef\xbb\xbf"
_UTF8 = "Save the file as UTF-8."
_SHOWN = 3
"""Faulty lines that one error names."""
_KINDS = {dict: "an object", list: "an array", str: "text", bool: "true or false", int: "a number", float: "a number"}


def lines(text: str) -> list[str]:
    r"""The lines of a text, by line feeds alone; a carriage return before one goes, blank lines stay.

    >>> lines("a\u2028b\r\n\nc\n")
    ['a\u2028b', '', 'c']
    """
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def read(path: Path) -> list[str]:
    """The lines of a file that somebody gives; a byte order mark is passed over.

    Raises:
        RowError: No such file, or one that is compressed, not UTF-8, or an array instead of lines.
    """
    if not path.is_file():
        raise RowError(f"{path}: there is no such file.")
    data = path.read_bytes().removeprefix(_BOM)
    for magic, name in _COMPRESSED.items():
        if data.startswith(magic):
            raise RowError(f"{path.name}: is a {name} file.", hint="Unpack it: JSON Lines are plain text.")
    for mark, name in _WIDE.items():
        if data.startswith(mark):
            raise RowError(f"{path.name}: is {name}, expected UTF-8.", hint=_UTF8)
    if b"\x00" in data[:4096]:
        raise RowError(f"{path.name}: holds zero bytes, so it is UTF-16 without a mark, or no text.", hint=_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise RowError(_not_utf8(path.name, data, error), hint=_UTF8) from error
    if text.lstrip().startswith("["):
        raise RowError(
            f"{path.name}, line 1: begins an array; JSON Lines hold one object a line, without brackets or commas.",
            hint="For example: jq -c '.[]' FILE > FILE.jsonl",
        )
    return lines(text)


def parse(line: str, where: str) -> dict[str, Any]:
    """One object from one line, strictly.

    Args:
        line: The line.
        where: What to call it, such as ``"mine.jsonl, line 3"``.

    Raises:
        RowError: Not JSON, no object, a key twice, a number that is not finite, or a lone surrogate.
    """
    try:
        row = DECODER.decode(line.strip(" \t\r"))
    except (ValueError, RecursionError) as error:
        if field := _infinite(line):
            raise RowError(f"{where}: field '{field}' is no finite number, so it is no JSON.") from error
        cut = line.rstrip().endswith(("{", "[", ",")) and isinstance(error, json.JSONDecodeError)
        hint = "Each object stands on one line of its own." if cut else ""
        raise RowError(f"{where}: not a line of JSON ({error}).", hint=hint) from error
    if not isinstance(row, dict):
        raise RowError(f"{where}: expected an object, found {kind(row)}.")
    if "\\u" in line and (field := _unencodable(row)):
        raise RowError(f"{where}: field '{field}' holds a lone surrogate (half of a character), which is no text.")
    return row


def refusal(name: str, faults: Iterable[tuple[int, str]], *, hint: str = "") -> RowError:
    """The error of a file with faulty lines: the first faults, in the order of the lines, and how many more there are.

    Args:
        name: The file's.
        faults: Number of a line and what is wrong with it; of several of one line the first is named, since others may
            be its consequences.
        hint: What to do about them.

    >>> str(refusal("mine.jsonl", [(7, "no id"), (2, "no split"), (2, "no level")]))
    'mine.jsonl, line 2: no split; line 7: no id.'
    """
    first: dict[int, str] = {}
    for number, words in faults:
        first.setdefault(number, words)
    ordered = sorted(first.items())
    told = "; ".join(f"line {number}: {words}" for number, words in ordered[:_SHOWN])
    more = f" And {len(ordered) - _SHOWN} more lines." if len(ordered) > _SHOWN else ""
    return RowError(f"{name}, {told}.{more}", hint=hint)


def rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a file that is still appended to, or was cut short by a kill; none where it is not there."""
    if not path.is_file():
        return []
    objects = []
    for line in lines(path.read_text(encoding="utf-8", errors="replace")):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            objects.append(row)
    return objects


def kind(value: Any) -> str:
    """What JSON calls a value's type, with its article.

    >>> kind([1]), kind(None)
    ('an array', 'null')
    """
    return _KINDS.get(type(value), "null")


def _infinite(line: str) -> str:
    """The dotted path of the first number of a line that is not finite; empty where there is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    return _place(value, lambda leaf: isinstance(leaf, float) and not math.isfinite(leaf))


def _unencodable(value: Any) -> str:
    """The dotted path of the first text that UTF-8 cannot hold; empty where there is none."""
    return _place(value, lambda leaf: isinstance(leaf, str) and not encodable(leaf))


def _place(value: Any, faulty: Callable[[Any], bool]) -> str:
    """The dotted path of the first leaf that is faulty, or of the object whose key is; empty where there is none."""
    steps = _first(value, faulty)
    return "" if steps is None else ".".join(map(str, steps)) or "(a key)"


def _first(value: Any, faulty: Callable[[Any], bool]) -> tuple[str | int, ...] | None:
    """The steps to it; a path is put together where there is one, not for every leaf."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        if faulty(key):
            return ()
        if faulty(child):
            return (key,)
        if (steps := _first(child, faulty)) is not None:
            return (key, *steps)
    return None


def _not_utf8(name: str, data: bytes, error: UnicodeDecodeError) -> str:
    """Where a file stops being UTF-8: line, byte, and the field where one can be made out."""
    number = data.count(b"\n", 0, error.start) + 1
    line = data.split(b"\n")[number - 1].decode(errors="surrogateescape")
    try:
        field = _unencodable(json.loads(line))
    except ValueError:
        field = ""
    where = f" field '{field}'" if field else ""
    return f"{name}, line {number}:{where} is not UTF-8 (byte 0x{data[error.start]:02x})."
