"""Prose in the form, back to what it says: strictly for the verifier, sentence by sentence for rewards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from proseform.leaves import Path
from proseform.strict import DECODER, encodable
from proseform.verbal.labels import PLAIN, Labels
from proseform.verbal.tree import built, place
from proseform.verbal.writing import write
from proseform.verdict import Reason, Verdict

LONGEST = 50_000
"""Characters beyond which a text is not read."""
DEEPEST = 50
"""Steps of a heading beyond which it is none."""
_PLACE = "[1-9][0-9]{0,5}"
_STEP = rf'"(?:[^"\\\n]|\\.)*"|{_PLACE}|{PLAIN.pattern}'
_NAME = re.compile(_STEP)
_HEADING = re.compile(rf"(?:{_STEP})(?:(?: {_PLACE})|(?:, (?:{_STEP})))*\. ")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS: dict[str, Any] = {"yes": True, "no": False, "none": None}


class _StrangeError(ValueError):
    """A piece that is no sentence of the form."""


@dataclass(slots=True)
class Scan:
    """What was recognised.

    Attributes:
        leaves: Path to the values that are stated of it, in order: one, unless it is stated twice.
        strange: Lines that are no sentences of the form, with the line's number from 1.
        lines: Lines that are not blank.
    """

    leaves: dict[Path, list[Any]] = field(default_factory=dict)
    strange: list[tuple[int, str]] = field(default_factory=list)
    lines: int = 0


def read(text: str, labels: Labels) -> Verdict:
    """The value that a text states, where it could have been written letter by letter."""
    text = text.strip()
    if not text:
        return Verdict(reason=Reason.EMPTY, detail="no text")
    if len(text) > LONGEST:
        return Verdict(reason=Reason.FORM, where="layout", detail=f"it has more than {LONGEST:,} characters")
    if not encodable(text):
        return Verdict(reason=Reason.FORM, where="layout", detail="a lone surrogate is no text")
    scanned = scan(text, labels)
    for number, line in scanned.strange:
        return Verdict(reason=Reason.FORM, where=f"line {number}", detail=f'"{line[:40]}" is no sentence of the form')
    for path, values in scanned.leaves.items():
        if len(values) > 1:
            return Verdict(reason=Reason.FORM, where=place(path), detail="it is stated twice")
    try:
        value = built({path: values[0] for path, values in scanned.leaves.items()})
    except ValueError as error:
        return Verdict(reason=Reason.FORM, where="layout", detail=str(error))
    if write(value, labels) != text:
        detail = "the sentences are not in order, or not laid out as they are written"
        return Verdict(reason=Reason.FORM, where="layout", detail=detail)
    return Verdict(value)


def scan(text: str, labels: Labels) -> Scan:
    """Everything of the form that a text holds, line by line; what is none is strange."""
    scanned = Scan()
    lines = [(number, line.strip()) for number, line in enumerate(text[:LONGEST].split("\n"), 1) if line.strip()]
    scanned.lines = len(lines)
    if len(lines) == 1 and (leaf := _root(lines[0][1])):
        scanned.leaves[()] = [leaf[0]]
        return scanned
    for number, line in lines:
        try:
            for path, value in _sentences(line, labels):
                scanned.leaves.setdefault(path, []).append(value)
        except _StrangeError:  # what stands before the first strange sentence counts
            scanned.strange.append((number, line))
    return scanned


def _root(line: str) -> tuple[Any] | None:
    """A text that is one leaf and nothing else."""
    try:
        value, end = _value(line, 0)
    except _StrangeError:
        return None
    return (value,) if line[end:] == "." else None


def _sentences(line: str, labels: Labels) -> Iterator[tuple[Path, Any]]:
    """What the sentences of a line say."""
    at = 0
    path: Path = ()
    if match := _HEADING.match(line):
        path, at = _steps(match[0][:-2], labels), match.end()
    while at < len(line):
        name = _NAME.match(line, at)
        if name is None or not line.startswith(": ", name.end()):
            _strange(line)
        value, at = _value(line, name.end() + 2)
        if not line.startswith(".", at):
            _strange(line)
        at += 1 + line.startswith(" ", at + 1)
        yield (*path, _step(name[0], labels)), value


def _steps(heading: str, labels: Labels) -> Path:
    """The path of a heading."""
    steps: list[str | int] = []
    at = 0
    while at < len(heading):
        match = _NAME.match(heading, at)
        if match is None or len(steps) == DEEPEST:
            _strange(heading)
        steps.append(_step(match[0], labels))
        at = match.end()
        at += 2 if heading.startswith(", ", at) else heading.startswith(" ", at)
    return tuple(steps)


def _step(word: str, labels: Labels) -> str | int:
    """One step of a path."""
    if word.isdecimal():
        return int(word) - 1
    if word.startswith('"'):
        return str(_json(word))
    if word not in labels.names:
        _strange(word)
    return labels.names[word]


def _value(line: str, at: int) -> tuple[Any, int]:
    """A leaf, and where it ends."""
    if line.startswith("[", at):
        return _list(line, at + 1)
    if line.startswith("{}", at):
        return {}, at + 2
    return _simple(line, at)


def _list(line: str, at: int) -> tuple[list[Any], int]:
    """The items of a list, and where it ends."""
    items: list[Any] = []
    while not line.startswith("]", at):
        if items:
            if not line.startswith(", ", at):
                _strange(line)
            at += 2
        value, at = _simple(line, at)
        items.append(value)
    return items, at + 1


def _simple(line: str, at: int) -> tuple[Any, int]:
    """A value that is no container, and where it ends."""
    if match := _QUOTED.match(line, at) or _NUMBER.match(line, at):
        return _json(match[0]), match.end()
    word = PLAIN.match(line, at)
    if word is None:
        _strange(line)
    return _WORDS.get(word[0], word[0]), word.end()


def _json(text: str) -> Any:
    """A JSON value."""
    try:
        return DECODER.decode(text)
    except ValueError:
        _strange(text)


def _strange(text: str) -> NoReturn:
    """Say that a piece is no part of the form."""
    raise _StrangeError(text)
