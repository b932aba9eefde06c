r"""A short string for a pattern or format of a schema: a hint for the search for endings, which asks the grammar.

Patterns are read by the parser of Python's own ``re``; what it does not know (``\p{L}``) has no sample. Left out:
look-around and how a pattern goes together with a length, so that a sample may well match nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from re import _constants as code  # type: ignore[attr-defined]  # the parser has no public name
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

FORMATS: Mapping[str, str] = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "duration": "P1D",
    "email": "a@a.aa",
    "hostname": "a",
    "ipv4": "0.0.0.0",  # noqa: S104 - a string, no address that is bound
    "ipv6": "::1",
    "time": "00:00:00Z",
    "uri": "a:a",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""A string of each format that llguidance knows."""

_LONGEST = 2000
"""Longer samples are no help."""

_PREFERRED = "a0A.-_ "
_CATEGORIES = {
    code.CATEGORY_DIGIT: "0",
    code.CATEGORY_WORD: "a",
    code.CATEGORY_SPACE: " ",
    code.CATEGORY_NOT_DIGIT: "a",
    code.CATEGORY_NOT_WORD: ".",
    code.CATEGORY_NOT_SPACE: "a",
}


_CLASSES = {
    code.CATEGORY_DIGIT: r"\d",
    code.CATEGORY_WORD: r"\w",
    code.CATEGORY_SPACE: r"\s",
    code.CATEGORY_NOT_DIGIT: r"\D",
    code.CATEGORY_NOT_WORD: r"\W",
    code.CATEGORY_NOT_SPACE: r"\S",
}


@lru_cache(maxsize=1024)
def of_pattern(pattern: str) -> str | None:
    """A short string that matches, as far as can be told.

    >>> of_pattern("^[A-Z]{2}-[0-9]{3}(x|yz)+$")
    'AA-000x'
    """
    try:
        tree = parser.parse(pattern)
        text = _write(tree, {})
    except (re.error, RecursionError, OverflowError, KeyError):
        return None
    return text if len(text) <= _LONGEST else None


def _write(tree: Any, groups: dict[int, str]) -> str:
    """A sequence."""
    return "".join(_item(operator, argument, groups) for operator, argument in tree)


def _item(operator: Any, argument: Any, groups: dict[int, str]) -> str:
    """One item of a sequence; what matches between characters is the empty string."""
    match operator:
        case code.BRANCH:
            return min((_write(option, groups) for option in argument[1]), key=len)
        case code.SUBPATTERN:
            text = _write(argument[3], groups)
            if argument[0] is not None:
                groups[argument[0]] = text
            return text
        case code.MAX_REPEAT | code.MIN_REPEAT | code.POSSESSIVE_REPEAT:
            least, _, repeated = argument
            text = _write(repeated, groups)
            if int(least) * len(text) > _LONGEST:
                raise OverflowError
            return text * int(least)
        case code.ATOMIC_GROUP:
            return _write(argument, groups)
        case code.GROUPREF:
            return groups[argument]
    return _character(operator, argument)


def _character(operator: Any, argument: Any) -> str:
    """An item that is one character; anchors are none."""
    match operator:
        case code.LITERAL:
            return chr(argument)
        case code.NOT_LITERAL:
            return next(character for character in _PREFERRED if ord(character) != argument)
        case code.ANY:
            return "a"
        case code.IN:
            return _chosen(argument)
    return ""


def _chosen(choices: Any) -> str:
    """A character of a class."""
    if choices and choices[0][0] == code.NEGATE:
        excluded = [choice for choice in choices if choice[0] != code.NEGATE]
        return next((character for character in _PREFERRED if not _contains(excluded, character)), "a")
    operator, argument = choices[0]
    if operator == code.RANGE:
        return chr(argument[0])
    return _CATEGORIES.get(argument, "a") if operator == code.CATEGORY else chr(argument)


def _contains(choices: Any, character: str) -> bool:
    """Whether a class holds a character; categories are told by a character of theirs."""
    for operator, argument in choices:
        if operator == code.LITERAL and chr(argument) == character:
            return True
        if operator == code.RANGE and argument[0] <= ord(character) <= argument[1]:
            return True
        if operator == code.CATEGORY and re.match(_CLASSES.get(argument, r"\w"), character):
            return True
    return False
