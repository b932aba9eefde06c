"""From the order in which a line is seen to the order in which it is read, for lines with Hebrew or Arabic.

A page has glyphs where they are seen; a text has characters in reading order. The way from a text to the page is the
Unicode Bidirectional Algorithm (UAX 9); its rules for numbers and neutral characters hold whichever end a line is read
from, so its levels are found on the line as seen, and its reversals (rule L2) undone.

Left out: what the algorithm itself does not keep. In a Hebrew line "Python 3" looks like "3 Python", and is given.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby

_MIRRORED = dict(zip("()[]{}<>«»", ")(][}{><»«", strict=True))
_RIGHT = {"R", "AL"}
_NUMBERS = {"EN", "AN"}
_STRONG = {"R": "R", "EN": "R", "AN": "R", "L": "L"}
"""How each type counts beside a neutral one (rule N1)."""


def leans(text: str) -> int:
    """Letters that are read from right to left, less the others."""
    kinds = [unicodedata.bidirectional(character) for character in text]
    return sum(kind in _RIGHT for kind in kinds) - kinds.count("L")


def has_right_to_left(text: str) -> bool:
    """Whether any letter is read from right to left."""
    return any(c >= "\u0590" and unicodedata.bidirectional(c) in _RIGHT for c in text)


def logical(clusters: Sequence[str], *, right_to_left: bool) -> str:
    """The text of a line.

    Args:
        clusters: What is seen from left to right: a character with its marks, a ligature's characters, or a blank.
        right_to_left: Whether the line as a whole is read from the right.

    >>> logical(list("2023/2019 ,\u05d2\u05d1\u05d0"), right_to_left=True)
    'אבג, 2023/2019'
    """
    levels = _levels(_types(clusters), right_to_left=right_to_left)
    turned = [_MIRRORED.get(c, c) if level % 2 else c for c, level in zip(clusters, levels, strict=True)]
    if _inverted(turned, levels):  # the writer had noted characters, not what they look like
        turned = list(clusters)
    order = list(range(len(clusters)))
    for level in range(1, max(levels, default=0) + 1):
        order = [
            index
            for high, run in groupby(order, key=lambda index, level=level: levels[index] >= level)  # type: ignore[misc]
            for index in (reversed(list(run)) if high else run)
        ]
    return "".join(turned[index] for index in order)


def _types(clusters: Sequence[str]) -> list[str]:
    """The resolved types: L, R, EN, AN, or ON for what is neutral (rules W2, W4, W5, W7)."""
    kinds = [unicodedata.bidirectional(cluster[0]) if cluster else "ON" for cluster in clusters]
    arabic = "AL" in kinds
    kinds = ["R" if kind in _RIGHT else kind for kind in kinds]
    strong = ""
    for index, kind in enumerate(kinds):
        if kind in {"L", "R"}:
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[index] = "L"
        elif kind == "EN" and arabic:
            kinds[index] = "AN"
    for index in range(1, len(kinds) - 1):
        before, kind, after = kinds[index - 1 : index + 2]
        joins = kind == "CS" or (kind == "ES" and before == "EN")
        if joins and before == after and before in _NUMBERS:
            kinds[index] = before
    for step in (1, -1):
        for index in range(len(kinds))[::step]:
            beside = index - step
            if kinds[index] == "ET" and 0 <= beside < len(kinds) and kinds[beside] == "EN":
                kinds[index] = "EN"
    return [kind if kind in {"L", "R", *_NUMBERS} else "ON" for kind in kinds]


def _levels(kinds: list[str], *, right_to_left: bool) -> list[int]:
    """Embedding levels (rules N1, N2, I1, I2)."""
    base = "R" if right_to_left else "L"
    sides = [_STRONG.get(kind, "") for kind in kinds]
    resolved: list[str] = []
    before = base
    for index, side in enumerate(sides):
        if not side:
            after = next((other for other in sides[index:] if other), base)
            side = before if before == after else base  # noqa: PLW2901 - what it resolves to
        else:
            before = side
        resolved.append(side)
    return [
        1 if side == "R" and kind not in _NUMBERS else 2 if right_to_left or kind in _NUMBERS else 0
        for kind, side in zip(kinds, resolved, strict=True)
    ]


def _inverted(clusters: Sequence[str], levels: Sequence[int]) -> bool:
    """Whether brackets among what is read from the right close before they open."""
    seen = [c for c, level in zip(clusters, levels, strict=True) if level % 2 and c in _MIRRORED][::-1]
    return bool(seen) and seen[0] in ")]}>»" and seen[-1] in "([{<«"
