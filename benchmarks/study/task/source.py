"""Cases of four words, and annotators who are often wrong on six words of the twenty-four.

On those six they are wrong more often than right, so that who imitates them is wrong too, and on the others seldom. So
there is something to learn beyond the form, and success that is sampled now and then can teach it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from proseform.case import Case, Split

TREES = ("alder", "aspen", "beech", "birch", "cedar", "elm", "fir", "larch", "maple", "oak", "pine", "willow")
STONES = ("agate", "amber", "basalt", "chert", "flint", "gneiss", "jade", "marble", "onyx", "opal", "slate", "tuff")
KINDS = {**dict.fromkeys(TREES, "tree"), **dict.fromkeys(STONES, "stone")}
WORDS = 4
"""Words of a case."""
MISTAKEN = frozenset({"alder", "cedar", "larch", "amber", "jade", "slate"})
"""Words on which annotators are wrong more often than not."""
WRONG, SELDOM = 0.65, 0.1
"""How often annotators are wrong on these, and on others."""
_OTHER = {"tree": "stone", "stone": "tree"}


def generate(level: str, split: Split, seed: int, count: int) -> Iterator[Case]:
    """Cases whose words are distinct; the gold completion is prose."""
    rng = random.Random(f"study/{level}/{split}/{seed}")
    for number in range(count):
        kinds = {word: KINDS[word] for word in rng.sample(sorted(KINDS), WORDS)}
        inputs = {"words": " ".join(kinds)}
        yield Case(f"{level}-{split}-{seed}-{number}", level, split, inputs, prose(kinds), answer(kinds))


def annotate(case: Case, rng: random.Random) -> str:
    """What a careless annotator writes, in prose."""
    return prose(believed(case, rng))


def believed(case: Case, rng: random.Random) -> dict[str, str]:
    """What a careless annotator takes each word of a case for."""
    return {
        word: _OTHER[KINDS[word]] if rng.random() < (WRONG if word in MISTAKEN else SELDOM) else KINDS[word]
        for word in case.inputs["words"].split()
    }


def prose(kinds: Mapping[str, str]) -> str:
    """An evaluation: each word with what it names.

    >>> prose({"oak": "tree", "jade": "stone"})
    'oak tree, jade stone.'
    """
    return ", ".join(f"{word} {kind}" for word, kind in kinds.items()) + "."


def answer(kinds: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """The same as a value of the task's schema.

    >>> answer({"oak": "tree", "jade": "stone"})
    {'kinds': [{'oak': 'tree'}, {'jade': 'stone'}]}
    """
    return {"kinds": [{word: kind} for word, kind in kinds.items()]}
