"""Cases of the rungs, and annotators who are wrong on three words of ten."""

from __future__ import annotations

import random
from collections.abc import Iterator

from proseform.case import Case, Split

TREES = ("alder", "aspen", "beech", "birch", "cedar", "elm", "fir", "larch", "maple", "oak", "pine", "willow")
STONES = ("agate", "amber", "basalt", "chert", "flint", "gneiss", "jade", "marble", "onyx", "opal", "slate", "tuff")
KINDS = {**dict.fromkeys(TREES, "tree"), **dict.fromkeys(STONES, "stone")}
WORDS = {"two": 2, "six": 6, "twelve": 12}
WRONG = 0.3
"""Share of words on which an annotator is wrong."""


def generate(level: str, split: Split, seed: int, count: int) -> Iterator[Case]:
    """Cases of one rung; words of a list are distinct, so that each can be looked up."""
    rng = random.Random(f"rungs/{level}/{split}/{seed}")
    for number in range(count):
        words = rng.sample(sorted(KINDS), WORDS[level])
        kinds = [KINDS[word] for word in words]
        inputs = {"words": " ".join(words)}
        yield Case(f"{level}-{split}-{seed}-{number}", level, split, inputs, write(words, kinds), {"kinds": kinds})


def annotate(case: Case, rng: random.Random) -> str:
    """What a careless annotator writes."""
    words = case.inputs["words"].split()
    kinds = [kind if rng.random() >= WRONG else _OTHER[kind] for kind in case.answer["kinds"]]
    return write(words, kinds)


def write(words: list[str], kinds: list[str]) -> str:
    """The evaluation: each word with what it names."""
    return " ".join(f"{word} {kind}" for word, kind in zip(words, kinds, strict=True)) + "."


_OTHER = {"tree": "stone", "stone": "tree"}
