"""What one input looks like in the training cases: features of its text, their means and deviations.

========  ==============================================================================
words     share of its words that several training cases have too
lines     share of its lines whose shape (capitals, digits, marks) several of them have
length    logarithm of its characters
height    logarithm of its lines
common    logarithm of the share that it has of the words which a fifth of the training cases have, and no
          fifth of another input's texts
========  ==============================================================================

The last is what tells a foreign document where documents of the kind differ much: none of their words is needed, but
most of them have many of these. Bundles before format 4 do not know it.

Words and shapes are stored as hashes of 24 bits: short, and nobody reads a training text in a bundle; whoever has a
word can still ask whether it is there.
"""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, pstdev
from typing import Any
from zlib import crc32

from proseform.verdict import Why

FEATURES = ("words", "lines", "length", "height", "common")
_SEVERAL = 3
"""A word or shape is known that so many training cases have."""
_COMMON = 0.2
"""A word is common that this share of the training cases has."""
_MOST = 16_384
"""Words, and shapes, that are kept of an input: the commonest."""
_FLOORS = (0.01, 0.01, 0.05, 0.05, 0.05)
"""The smallest standard deviation of each feature: where all training cases are alike, one odd word is no distance."""
DECIMALS = 6
"""Decimals of what is stored: more than the last places in which the logarithms of two machines may differ."""
_BYTES = 3
_SHAPE = 40
"""Characters of a line's shape."""
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+")
_PHRASE = re.compile(r"[Aa](?: [Aa])+")


@dataclass(frozen=True)
class Kind:
    """What one input looked like in the training cases.

    Attributes:
        words: Hashes of known words, sorted, three bytes each, in base64.
        lines: Hashes of known shapes of lines, likewise.
        means: The mean of each of :data:`FEATURES`; without the last one where no common words are known.
        spreads: The standard deviation of each.
        common: Hashes of common words, likewise; empty where none are known.
    """

    words: str
    lines: str
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    common: str = ""

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Kind:
        """From JSON, as :func:`dataclasses.asdict` gives it.

        Raises:
            KeyError: Means or deviations are missing.
            TypeError: Another field is missing, or unknown.
            ValueError: Hashes that are no base64.
        """
        kind = cls(**{**fields, "means": tuple(fields["means"]), "spreads": tuple(fields["spreads"])})
        for packed in (kind.words, kind.lines, kind.common):
            base64.b64decode(packed, validate=True)
        return kind

    @classmethod
    def of(cls, texts: Sequence[str], others: Iterable[Sequence[str]] = ()) -> Kind:
        """The kind of some texts, at least one.

        Args:
            texts: What the input was in the training cases.
            others: What each other input of the task was: words that are common there tell nothing here.

        Means and deviations are of each text beside the others: a word is known to it that so many *others* have.
        """
        words = Counter(word for text in texts for word in set(_words(text)))
        lines = Counter(line for text in texts for line in set(_lines(text)))
        common = _of_most(words, len(texts))
        for other in others:
            common -= _of_most(Counter(word for text in other for word in set(_words(text))), len(other))
        beside = _common(words, _SEVERAL + 1), _common(lines, _SEVERAL + 1), common
        columns = list(zip(*(_features(text, *beside) for text in texts), strict=True))
        return cls(
            _packed(_common(words, _SEVERAL)),
            _packed(_common(lines, _SEVERAL)),
            tuple(round(fmean(column), DECIMALS) for column in columns),
            tuple(round(max(floor, pstdev(column)), DECIMALS) for floor, column in zip(_FLOORS, columns, strict=False)),
            _packed(common),
        )

    def distances(self, text: str) -> dict[Why, float]:
        """How far a text lies from the training cases in each way, in standard deviations; negative on the near side.

        >>> kind = Kind.of(["Dear Ann, two cups please."] * 5)
        >>> round(max(kind.distances("Dear Ann, two cups please.").values()), 3)
        0.0
        >>> kind.distances("Stir the flour in.")["unknown_words"]
        100.0
        """
        features = _features(text, self._known_words, self._known_lines, self._common_words)
        words, lines, length, height, *common = (
            (feature - mean) / spread for feature, mean, spread in zip(features, self.means, self.spreads, strict=True)
        )
        sizes: dict[Why, float] = {"too_short": max(-length, -height), "too_long": max(length, height)}
        missing: dict[Why, float] = {"missing_words": -common[0]} if common else {}
        return {"unknown_words": -words, "unknown_lines": -lines, **sizes, **missing}

    @cached_property
    def _known_words(self) -> frozenset[int]:
        """Hashes of the known words."""
        return _unpacked(self.words)

    @cached_property
    def _known_lines(self) -> frozenset[int]:
        """Hashes of the known shapes."""
        return _unpacked(self.lines)

    @cached_property
    def _common_words(self) -> frozenset[int]:
        """Hashes of the common words."""
        return _unpacked(self.common)


def _features(
    text: str, known_words: frozenset[int], known_lines: frozenset[int], common: frozenset[int]
) -> tuple[float, ...]:
    """The features of a text, as :data:`FEATURES` names them, the last where there are common words.

    A text without words or lines has none that is known.
    """
    words, lines = _words(text), _lines(text)
    shared = (math.log((1 + len(common.intersection(words))) / (1 + len(common))),) if common else ()
    return (
        sum(word in known_words for word in words) / max(1, len(words)),
        sum(line in known_lines for line in lines) / max(1, len(lines)),
        math.log1p(len(text)),
        math.log1p(len(lines)),
        *shared,
    )


def _words(text: str) -> list[int]:
    """The hash of each word, whatever its case."""
    return [_hash(word) for word in _WORD.findall(text.casefold())]


def _lines(text: str) -> list[int]:
    """The hash of each line's shape, but for blank ones."""
    return [_hash(_shape(line)) for line in text.splitlines() if line.strip()]


def _shape(line: str) -> str:
    """A line without its words: capitalised or not, runs of them as one, every number a 0.

    >>> _shape("Since 2019: two cups, Porto")
    'A 0: w, A'
    """
    words = _WORD.sub(lambda word: "A" if word[0][0].isupper() else "a", " ".join(line.split()))
    return _PHRASE.sub("w", _NUMBER.sub("0", words))[:_SHAPE]


def _hash(text: str) -> int:
    """24 bits of a text."""
    return crc32(text.encode("utf-8", "surrogatepass")) & 0xFFFFFF


def _common(counts: Counter[int], least_cases: int) -> frozenset[int]:
    """What at least so many cases have, at most :data:`_MOST`; of equally common ones the smaller hashes."""
    ranked = sorted((-count, key) for key, count in counts.items() if count >= least_cases)
    return frozenset(key for _, key in ranked[:_MOST])


def _of_most(counts: Counter[int], texts: int) -> frozenset[int]:
    """Words that are common in so many texts."""
    return _common(counts, max(_SEVERAL + 1, math.ceil(_COMMON * texts)))


def _packed(hashes: Iterable[int]) -> str:
    """Hashes as text."""
    return base64.b64encode(b"".join(key.to_bytes(_BYTES, "big") for key in sorted(hashes))).decode("ascii")


def _unpacked(text: str) -> frozenset[int]:
    """The hashes of :func:`_packed`."""
    raw = base64.b64decode(text)
    return frozenset(int.from_bytes(raw[at : at + _BYTES], "big") for at in range(0, len(raw), _BYTES))
