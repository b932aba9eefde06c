"""Numbers in texts, as people write them.

"1,250" is a thousand and more, "1,5" is one and a half, and "1,234" may be either. A sign counts, but for one that
opens a line, which may be a bullet. Knowingly left out: numbers in words, in other digits, and with blanks between
thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

_SIGN = "[-\u2212]"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w.,)]){_SIGN})?(?<![\w.,])"
    r"(?:(?P<thousands>[0-9]{1,3}(?:(?P<by>[.,'\u2019])[0-9]{3})(?:(?P=by)[0-9]{3})*)|(?P<whole>[0-9]+))"
    r"(?P<part>[.,][0-9]+)?(?!\w|[.,][0-9])"
)
_SIGNED = re.compile(rf"\s*\S.*(?<![\w.,)]){_SIGN}")
"""A line up to a number with a sign, which does not open it."""


def numbers(text: str, *, opens: bool = False) -> list[frozenset[Fraction]]:
    """The numbers of a text, each as all that it may be.

    Args:
        text: The text.
        opens: Whether it opens a line, so that a sign at its beginning may be none.

    >>> [sorted(map(str, one)) for one in numbers("1,250 of 1,234 at -5 and 1.5")]
    [['1250'], ['1234', '617/500'], ['-5'], ['3/2']]
    """
    found = []
    for match in _NUMBER.finditer(text):
        sizes = frozenset(_sizes(match))
        signed = frozenset(-size for size in sizes) if match["sign"] else sizes
        found.append(signed | sizes if opens and not text[: match.start()].strip() else signed)
    return found


def alone(text: str) -> bool:
    """Whether a text is a number and nothing else."""
    return _NUMBER.fullmatch(text) is not None


def signed(text: str, start: int) -> bool:
    """Whether a sign stands before a place of a text, and does not open its line.

    >>> signed("sum: -250", 6), signed("2015-2019", 5), signed("-250", 1)
    (True, False, False)
    """
    return _SIGNED.fullmatch(_before(text, start)) is not None


def opens(text: str, start: int) -> bool:
    r"""Whether a place of a text opens its line.

    >>> opens("a\n  -5", 4), opens("a -5", 2)
    (True, False)
    """
    return not _before(text, start).strip()


def _before(text: str, start: int) -> str:
    """The line of a place of a text, up to there."""
    return text[text.rfind("\n", 0, start) + 1 : start]


def _sizes(match: re.Match[str]) -> Iterator[Fraction]:
    """What a number may be, its sign aside."""
    part, whole = match["part"] or "", match["whole"]
    if whole:
        yield _decimal(whole, part)
        return
    by, groups = match["by"], match["thousands"].split(match["by"])
    if groups[0].strip("0"):
        yield _decimal("".join(groups), part)
    if len(groups) == 2 and not part and by in ".," and (groups[1][-1] != "0" or not groups[0].strip("0")):  # noqa: PLR2004
        yield _decimal(groups[0], f".{groups[1]}")


def _decimal(whole: str, part: str) -> Fraction:
    """A number of digits, and of a part behind its point."""
    return Fraction(f"{whole}.{part[1:]}" if part else whole)
