"""Lines as people write who look at nothing twice: marks too many, names in between, capitals, notes behind."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from proseform.tasks.cv.filling import Filling

EDITS = (1, 5)
"""What is rough about a line, fewest and most."""


def line(rng: random.Random, text: str, filling: Filling, share: float) -> str:
    """A line as it is, or in a share of the cases roughly.

    Args:
        rng: Where chance comes from.
        text: The line.
        filling: Gives names and numbers.
        share: Of lines that are rough, 0 to 1.
    """
    if rng.random() < share:
        for _ in range(rng.randint(*EDITS)):
            text = rng.choice(_ROUGHER)(rng, text, filling)
    return text


def _between(rng: random.Random, line: str, mark: str) -> str:
    """A line with a mark in the place of one of its spaces."""
    words = line.split(" ")
    if len(words) == 1:
        return line
    at = rng.randrange(1, len(words))
    return " ".join(words[:at]) + mark + " ".join(words[at:])


_COUNTED = ("1.", "2)", "(a)", ">", "o", "\u2713", "#", "3 -", "=>")
_NOTES = ("{year}", "{made}", "{number}", "{employer}", "{years}", "{number} %", "in {city}", "{person}")
_ROUGHER: Sequence[Callable[[random.Random, str, Filling], str]] = (
    lambda rng, line, _: line.rstrip(".") + rng.choice((".", ",", ";", " .", "..", ":", " -", "!")),
    lambda rng, line, _: line.replace(" and ", rng.choice((" & ", "/", ", ", " + ", " And ")), 1),
    lambda rng, line, _: _between(
        rng, line, rng.choice((", ", " - ", " / ", "; ", ": ", "  ", " \u2013 ", ". ", "... "))
    ),
    lambda rng, line, filling: _between(rng, line, f" ({filling.made()}) "),
    lambda rng, line, filling: _between(rng, line, f" {filling.made()} {filling.made()} "),
    lambda rng, line, filling: f"{line} ({filling.fill(rng.choice(_NOTES))})",
    lambda rng, line, _: f"{rng.choice(_COUNTED)} {line}",
    lambda rng, line, _: rng.choice((str.upper, str.title, str.lower))(line),
    lambda rng, line, filling: f"{line} {filling.fill(rng.choice(_NOTES))}",
    lambda _, line, __: line.replace(" ", "-", 1),
)
"""What makes a line rougher, each by one thing."""
