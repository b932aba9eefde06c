"""Prose that states no answer: the formatter of free prose is to make :data:`proseform.roundtrip.NOTHING` of it.

The reward of free prose is what the formatter makes of it, so whatever it answers out of habit would be paid for: an
empty text, the words of an evaluation in any order, the input itself, prose about something else.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from proseform.case import Case

SHARE = 0.15
"""Share of the formatter's rows of free prose that are to become nothing."""
_LEAST_WORDS = 6
"""Words of an evaluation that has an order to lose."""


def prose(case: Case, other: str, rng: random.Random) -> str:
    """A text that states no answer.

    Args:
        case: Whose evaluation and inputs it may be made of.
        other: Prose about something else.
        rng: Of the draws.
    """
    return rng.choice(_WAYS)(case, other, rng)


def scrambled(text: str, rng: random.Random) -> str:
    """The words of a text in another order; a text of few words becomes none at all.

    >>> scrambled("the front pads are worn and the chain is good", random.Random(1))
    'pads front worn the are and chain good is the'
    """
    words = text.split()
    if len(words) < _LEAST_WORDS:
        return ""
    return " ".join(rng.sample(words, len(words)))


def _empty(_case: Case, _other: str, _rng: random.Random) -> str:
    """No text."""
    return ""


def _scrambled(case: Case, _other: str, rng: random.Random) -> str:
    """The evaluation's words in another order."""
    return scrambled(case.prose, rng)


def _echoed(case: Case, _other: str, rng: random.Random) -> str:
    """An input as it is."""
    return case.inputs[rng.choice(sorted(case.inputs))]


def _foreign(_case: Case, other: str, _rng: random.Random) -> str:
    """Prose about something else."""
    return other


def _listed(case: Case, _other: str, rng: random.Random) -> str:
    """Some words of the evaluation over and over."""
    return " ".join(rng.choices(case.prose.split() or [""], k=rng.randint(3, 30)))


_WAYS: tuple[Callable[[Case, str, random.Random], str], ...] = (_empty, _scrambled, _echoed, _foreign, _listed)
