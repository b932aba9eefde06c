r"""Where a quote stands in a text: word for word, at word borders.

Quote and text are compared folded: composed Unicode (NFC), runs of white space as one blank, hyphens and minus signs of
all kinds as one, soft hyphens as none, and a word that a line break divides read as one, with its hyphen or without; of
numbers the hyphen stays. Nothing looser: case, punctuation and spelling count.

A word is what is written without a blank, so ``C`` does not stand in ``C++``, ``Node`` not in ``Node.js``, ``5 years``
not in ``15 years`` and ``technical`` not in ``non-technical``. Scripts without blanks (Han, Kana, Thai …) have a border
between any two characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice, pairwise

from proseform.input import COMPOSABLE, composed, nfc
from proseform.offsets import Offsets, substituted

MOST_PLACES = 50
"""Places of one quote that are given; a text of blanks and single letters has no end of them."""
MOST_LOOKS = 1000
"""Places that are looked at for them, within words included: so many that no honest quote comes later."""

_BLANKS = re.compile(r"[^\S ]\s*| \s+")
"""Runs of white space that are not one blank already."""
_DIVIDED = re.compile(r"(?<=\w)[-\u00ad][^\S\n]*\n\s*(?=\w)")
"""A hyphen at the end of a line within a word."""
_DIVIDED_QUOTE = re.compile(r"(?<=\w)[-\u00ad]\s+(?=\w)")
"""The same as a model copies it: the line break may have become a blank."""
_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2212", "-"))
_SOFT = re.compile("\u00ad+")
"""Where a word may be divided, and is not: nobody sees it."""
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that are written without blanks between words."""
_SHORT = 1000
"""Characters of a text whose folded form is remembered: names and lines are asked for again, and take little room."""
_Joint = str | Callable[[re.Match[str]], str]
_SIGNS = "+#"
"""What belongs to the word before it: C++, C#."""


def places(quote: str, text: str) -> Iterator[tuple[int, int]]:
    r"""Spans of the text, in code points, where a quote stands; none for a blank quote.

    >>> list(places("advanced data modelling", "Skills: advanced\n  data model-\nling, C++"))
    [(8, 35)]
    >>> list(places("C", "C++")), list(places("5 years", "15 years, 5 years"))
    ([], [(10, 17)])
    """
    yield from islice(_places(quote, text), MOST_PLACES)


def stands(term: str, text: str) -> bool:
    """Whether a term stands in a short text, at word borders; both are folded, line breaks within words aside.

    >>> stands("sql", "basic sql"), stands("sql", "mysql")
    (True, False)
    """
    piece = folded(term)
    return bool(piece) and next(_starts(piece, folded(text)), None) is not None


def weight(text: str) -> int:
    """Letters and digits of a text; a character of a script without blanks counts twice, since it may be a word.

    >>> weight("a"), weight("C++"), weight("データ")
    (1, 1, 6)
    """
    return sum(map(_worth, text))


def folded(text: str) -> str:
    """A text composed, with single blanks: what is compared."""
    return _folded_short(text) if len(text) <= _SHORT else _fold(text)


def readings(text: str) -> tuple[str, ...]:
    r"""A text as quotes of it are read: folded, and twice where a line break divides a word.

    >>> readings("data model-\nling,  C++")
    ('data modelling, C++', 'data model-ling, C++')
    """
    return tuple(shown for shown, _ in _texts(text))


def pieces(text: str) -> list[str]:
    """A folded text divided at its word borders; what any number of them in a row spell stands in the text.

    >>> pieces("modern C++, Node.js")
    ['modern', ' ', 'C++', ',', ' ', 'Node.js']
    """
    borders = [at for at in range(1, len(text)) if not _within(text, at)]
    return [text[start:end] for start, end in pairwise([0, *borders, len(text)]) if start < end]


def _fold(text: str) -> str:
    """As :func:`folded`."""
    return _BLANKS.sub(" ", nfc(_SOFT.sub("", text.translate(_HYPHENS)))).strip()


_folded_short = lru_cache(maxsize=256)(_fold)


def _places(quote: str, text: str) -> Iterator[tuple[int, int]]:
    """As :func:`places`, without end."""
    known: set[tuple[int, int]] = set()
    for shown, offsets in _texts(text):
        for piece in _quotes(quote):
            for start in _starts(piece, shown):
                span = offsets.locate(start, start + len(piece))
                if span not in known:
                    known.add(span)
                    yield span


def _starts(piece: str, text: str) -> Iterator[int]:
    """Where a piece stands in a text at word borders, both folded."""
    start = text.find(piece)
    for _ in range(MOST_LOOKS):
        if start < 0:
            return
        if not _within(text, start) and not _within(text, start + len(piece)):
            yield start
        start = text.find(piece, start + 1)


def _quotes(quote: str) -> list[str]:
    """A quote folded, and also without the line breaks within its words."""
    quote = quote.translate(_HYPHENS)
    joints = (_whole, "-") if _DIVIDED_QUOTE.search(quote) else ()
    ways = [quote, *(_DIVIDED_QUOTE.sub(joint, quote) for joint in joints)]
    return [piece for piece in dict.fromkeys(map(folded, ways)) if piece]


@lru_cache(maxsize=64)
def _texts(text: str) -> tuple[tuple[str, Offsets], ...]:
    """A text folded, with offsets; twice where a line break divides a word: whole, and with its hyphen."""
    text = text.translate(_HYPHENS)
    joints: tuple[_Joint, ...] = (_whole, "-") if _DIVIDED.search(text) else (_whole,)
    return tuple(_folded(text, joint) for joint in joints)


def _whole(divided: re.Match[str]) -> str:
    """What joins the parts of a word that is divided: nothing, but of numbers a hyphen, since they may be two."""
    beside = divided.string[divided.start() - 1], divided.string[divided.end()]
    return "-" if any(char.isdigit() for char in beside) else ""


def _folded(text: str, joint: _Joint) -> tuple[str, Offsets]:
    """A text folded, with offsets."""
    offsets = Offsets.same(len(text))
    for pattern, new in ((_DIVIDED, joint), (_SOFT, ""), (COMPOSABLE, composed), (_BLANKS, " ")):
        if pattern is COMPOSABLE and text.isascii():
            continue
        if pattern.search(text):
            text, step = substituted(pattern, new, text)
            offsets = offsets.then(step)
    return text, offsets


@lru_cache(maxsize=4096)
def _worth(char: str) -> int:
    """What a character weighs."""
    if not _wordy(char):
        return 0
    return 2 if _UNSPACED.match(char) else 1


@lru_cache(maxsize=4096)
def _wordy(char: str) -> bool:
    """Whether a character is part of a word."""
    return char.isalnum() or char == "_" or unicodedata.category(char).startswith("M")


def _within(text: str, at: int) -> bool:
    """Whether a position lies inside of a word."""
    if not 0 < at < len(text):
        return False
    left, right = text[at - 1], text[at]
    if _wordy(left) and _wordy(right):
        return not (_UNSPACED.match(left) or _UNSPACED.match(right))
    if right in _SIGNS:
        return _wordy(left) or left in _SIGNS
    if _wordy(left) and at + 1 < len(text):
        return _joined(left, right, text[at + 1])
    return at > 1 and _wordy(right) and _joined(text[at - 2], left, right)


def _joined(left: str, sign: str, right: str) -> bool:
    """Whether a sign makes one word of what stands on both sides of it."""
    if not (_wordy(left) and _wordy(right)):
        return False
    digits = left.isdigit(), right.isdigit()
    return (
        sign in "@&"
        or (sign == "-" and not all(digits))
        or (sign == "." and digits[0] == digits[1])
        or (sign == "," and all(digits))
    )
