"""Figures of runs that are compared by the tokens that they have sampled. Pure.

A run that never gets to the target is *censored*: it counts as one that needs more tokens than any other.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

SHARE = 0.9
"""Of plain GRPO's plateau: the target."""
LAST = 3
"""Measurements whose mean is a run's plateau."""
DRAWS = 2000
"""Of the bootstrap over seeds."""

Points = Sequence[Mapping[str, Any]]
"""A run's measurements: `tokens` sampled so far, `held_out` reward, and so far `groups` and `mixed` ones."""


def target(plain: Sequence[Points]) -> float:
    """The held-out reward that is to be reached: a share of the median plateau of plain runs."""
    return SHARE * statistics.median(statistics.fmean(point["held_out"] for point in run[-LAST:]) for run in plain)


def tokens_to(run: Points, goal: float) -> float:
    """Tokens sampled until two measurements in a row have a mean of at least the goal; infinite where none have.

    >>> run = [{"tokens": 10 * n, "held_out": value} for n, value in enumerate((0.1, 0.9, 0.3, 0.6, 0.8))]
    >>> tokens_to(run, 0.7), tokens_to(run, 0.95)
    (40, inf)
    """
    for before, now in pairwise(run):
        if (before["held_out"] + now["held_out"]) / 2 >= goal:
            return now["tokens"]
    return math.inf


def mixed_per_million(run: Points, goal: float) -> float:
    """Mixed groups for a million sampled tokens, until the goal or the end."""
    needed = tokens_to(run, goal)
    last = next((point for point in run if point["tokens"] >= needed), run[-1])
    return 1e6 * last["mixed"] / last["tokens"] if last["tokens"] else 0.0


def ratio(base: Mapping[int, float], other: Mapping[int, float]) -> tuple[float, float, float] | None:
    """The ratio of medians, and its 95 % interval by bootstrap over seeds; None where both medians are infinite.

    Args:
        base: Tokens by seed.
        other: Tokens by seed; the seeds that both have are drawn together.

    Draws in which both medians are infinite say nothing of the ratio, and are left out.
    """
    seeds = sorted(base.keys() & other.keys())
    whole = _ratio(base, other, seeds)
    if whole is None:
        return None
    rng = random.Random(0)
    drawn = sorted(
        one for _ in range(DRAWS) if (one := _ratio(base, other, rng.choices(seeds, k=len(seeds)))) is not None
    )
    return whole, drawn[int(0.025 * len(drawn))], drawn[min(len(drawn) - 1, int(0.975 * len(drawn)))]


def _ratio(base: Mapping[int, float], other: Mapping[int, float], seeds: Sequence[int]) -> float | None:
    """The ratio of medians over some seeds."""
    above, below = (statistics.median_high([values[seed] for seed in seeds]) for values in (base, other))
    if math.isinf(above) and math.isinf(below):
        return None
    return 0.0 if math.isinf(below) else above / below
