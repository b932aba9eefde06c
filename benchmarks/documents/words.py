"""Words, and how many of a source's words a reader gave in their order.

A word is a run of characters between blanks, in NFC, without the punctuation around it. Where a script puts no blanks
between words (Han, Kana, Thai), or breaks lines within them (Hangul), every letter with its marks is one. A hyphen
between letters or digits is left out on both sides, with the line's end behind it: whether a writer broke there cannot
be seen in the text.

In order are the words of a longest common subsequence: H. Hyyrö, Bit-Parallel LCS-length Computation Revisited, 2004.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

_UNSPACED = (
    "\u0e00-\u0e7f\u2e80-\u2fdf\u3005-\u3007\u3021-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
)
_THAI_MARKS = "\u0e31\u0e33-\u0e3a\u0e47-\u0e4e"
_LETTER = re.compile(f"([{_UNSPACED}][{_THAI_MARKS}]*)")
_HYPHEN = re.compile("(?<=\\w)(?:[-\u2010\u2011]|\u00ad)(?:[ \t]*\n[ \t]*)?(?=\\w)")


def words(text: str, *, fold_case: bool = False) -> list[str]:
    r"""The words of a text.

    >>> words("full-\\nstack, C++ (2019)。経理主任")
    ['fullstack', 'C++', '2019', '経', '理', '主', '任']
    """
    text = _HYPHEN.sub("", unicodedata.normalize("NFC", text))
    text = _LETTER.sub(r" \1 ", text.casefold() if fold_case else text)
    return [word for piece in text.split() if (word := _bare(piece))]


def common(source: Sequence[str], read: Iterable[str]) -> int:
    """Length of the longest common subsequence.

    >>> common("a b c d".split(), "a x c b d".split())
    3
    """
    places: dict[str, int] = {}
    for number, word in enumerate(source):
        places[word] = places.get(word, 0) | 1 << number
    every = (1 << len(source)) - 1
    row = every
    for word in read:
        matched = row & places.get(word, 0)
        row = ((row + matched) | (row - matched)) & every
    return len(source) - row.bit_count()


def foreign(read: Sequence[str], *known: Iterable[str]) -> int:
    """How many words that were read stand nowhere in what is known, each counted as often as it is too many."""
    allowed: Counter[str] = Counter()
    for some in known:
        allowed.update(some)
    return (Counter(read) - allowed).total()


def _bare(piece: str) -> str:
    """A piece without punctuation at its ends; symbols such as + and % stay only beside letters or digits."""
    start, end = 0, len(piece)
    while start < end and _around(piece[start]):
        start += 1
    while end > start and _around(piece[end - 1]):
        end -= 1
    bare = piece[start:end]
    return bare if any(character.isalnum() for character in bare) else ""


def _around(character: str) -> bool:
    """Whether a character is punctuation."""
    return unicodedata.category(character).startswith("P")
