"""Documents that no task asks for: recipes, invoices, articles, code, letters, other languages, lists. Invented."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources

LINES, NUMBER = "lines", "number"
_MOST = 9999


@lru_cache(maxsize=1)
def kinds() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Kind to its lines, and to the words that may stand in them."""
    return tomllib.loads((resources.files("proseform.suites") / "strangers.toml").read_text(encoding="utf-8"))


def document(kind: str, length: int, seed: str) -> str:
    """A document of a kind.

    Args:
        kind: One of :func:`kinds`.
        length: About how many characters it has, at least one line.
        seed: Equal seeds give equal documents.

    >>> document("recipe", 40, "b") == document("recipe", 40, "b")
    True
    """
    rng, words, text = random.Random(f"{kind}/{length}/{seed}"), kinds()[kind], ""
    while len(text) < length:
        text += f"{_filled(rng.choice(words[LINES]), words, rng)}\n"
    return text.removesuffix("\n")


def _filled(line: str, words: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """A line with a word in each of its places."""
    for name, known in words.items():
        while name != LINES and f"{{{name}}}" in line:
            line = line.replace(f"{{{name}}}", rng.choice(known), 1)
    while f"{{{NUMBER}}}" in line:
        line = line.replace(f"{{{NUMBER}}}", str(rng.randint(1, _MOST)), 1)
    return line
