"""Whether what came out of a font is text: by how often its letters occur.

A font whose map is wrong gives letters that are none of the text's. In every language that is written in Latin letters
some letters are common and others rare, much the same ones; a text in a wrong alphabet has other letters in their
places. The measure is the cosine between a font's letter counts and shares that are typical of such languages.

A font whose map keeps only the low byte of each character, or swaps its bytes, gives what cannot stand within a word: a
sign, a capital, or an ideograph.

Left out: other scripts, short texts, and fonts that only swap letters of a kind.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_USUAL = dict(zip("etaoinrslducmpghkvbyfzwjqx", (
    12.4, 6.6, 9.6, 6.6, 8.1, 7.6, 6.8, 6.1, 4.9, 4.3, 3.7, 3.2, 3.2, 2.6, 2.1, 1.9, 2.0, 1.6, 1.4, 1.3, 1.1, 1.2, 0.8,
    0.8, 0.3, 0.2,
), strict=True))  # fmt: skip
"""Shares in per cent that are typical of European languages in Latin letters, accents removed; rounded."""

LEAST_LIKE = 0.72
"""Cosine below which letters are not taken for a language; of 1,000 random alphabets 95 in 100 stay below."""

MOST_BROKEN = 0.05
"""Share of words with a letter that cannot stand there, at most; a text without fault has less than 0.01."""

LEAST_WORDS = 40
"""Words that are enough to judge by."""

_SWAPPED = "".join(chr(ord(letter) << 8) for letter in _USUAL)
_BROKEN = re.compile(rf"[^\W\d_][_~|^`\x00-\x1f\x7f-\x9f][^\W\d_]|^[a-z]{{2,}}[A-Z][a-z]|[a-z][{_SWAPPED}]")

LEAST_LETTERS = 200
"""Latin letters that are enough to judge by."""


def likeness(text: str) -> float | None:
    """How much a text's letters are those of a language, 0 to 1; None where there are too few to judge.

    >>> round(likeness("the quick brown fox jumps over the lazy dog and then goes home to rest " * 4), 1)
    0.9
    >>> round(likeness("wkh txlfn eurzq ira mxpsv ryhu wkh odcb grj dqg wkhq jrhv krph wr uhvw " * 4), 1)
    0.5
    """
    letters = Counter(c for c in unicodedata.normalize("NFD", text).lower() if "a" <= c <= "z")
    if letters.total() < LEAST_LETTERS:
        return None
    product = sum(count * _USUAL[letter] for letter, count in letters.items())
    return product / math.hypot(*letters.values()) / math.hypot(*_USUAL.values())


def is_text(text: str) -> bool:
    """Whether what a font gives may be text."""
    value = likeness(text)
    return value is None or value >= LEAST_LIKE


def is_broken(words: Sequence[str]) -> bool:
    """Whether too many words hold what stands in no word.

    >>> is_broken(["geli_tirdi", "ta|", "pYehledy", "mü_teri"] * 10), is_broken(["sold", "JavaScript", "iOS"] * 20)
    (True, False)
    """
    return len(words) >= LEAST_WORDS and sum(map(bool, map(_BROKEN.search, words))) > MOST_BROKEN * len(words)
