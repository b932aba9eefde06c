"""Figures of runs that are compared by the tokens that they have sampled. Pure.

A run that never gets to the target is *censored*: it counts as one that needs more tokens than any other.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

PLAIN, DYNAMIC, SMALL = "plain", "resample", "plain, 2 prompts a step"
"""The methods that others are compared with."""
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


def until(run: Points, goal: float) -> Mapping[str, Any]:
    """The measurement at which the goal is reached, or the last one."""
    needed = tokens_to(run, goal)
    return next((point for point in run if point["tokens"] >= needed), run[-1])


def mixed_per_million(run: Points, goal: float) -> float:
    """Mixed groups for a million sampled tokens, until the goal or the end."""
    last = until(run, goal)
    return 1e6 * last["mixed"] / last["tokens"] if last["tokens"] else 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A method's figures.

    Attributes:
        seeds: How many.
        censored: Seeds that never got to the target.
        tokens: Sampled until the target: the median over seeds, infinite where that one is censored.
        steps: Optimiser steps until it, or until the end; the median over seeds.
        mixed_first: Share of mixed groups up to the first measurement, the mean over seeds.
        mixed_per_million: See :func:`mixed_per_million`; the median over seeds.
        sampled_mixed: Share of sampled tokens that are in mixed groups, until the target; the median over seeds.
        trained_mixed: The same of tokens that were trained on.
        of_plain: Plain GRPO's tokens by the method's: ratio of medians and its interval; None where both are infinite.
        of_dynamic: The same for dynamic sampling; None also where that has no leg.
        of_small: The same for plain GRPO in smaller steps.
    """

    seeds: int
    censored: int
    tokens: float
    steps: float
    mixed_first: float
    mixed_per_million: float
    sampled_mixed: float
    trained_mixed: float
    of_plain: tuple[float, float, float] | None
    of_dynamic: tuple[float, float, float] | None
    of_small: tuple[float, float, float] | None


def compared(runs: Mapping[str, Mapping[int, Points]]) -> tuple[float, dict[str, Row]]:
    """The target, and the figures of each method that has a leg.

    Args:
        runs: By method and seed, a leg's measurements; plain GRPO has one at least.
    """
    goal = target([*runs[PLAIN].values()])
    needed = {name: {seed: tokens_to(run, goal) for seed, run in legs.items()} for name, legs in runs.items()}
    return goal, {
        name: Row(
            seeds=len(legs),
            censored=sum(map(math.isinf, needed[name].values())),
            tokens=statistics.median_high(needed[name].values()),
            steps=statistics.median(until(run, goal)["step"] for run in legs.values()),
            mixed_first=statistics.fmean(run[1]["mixed"] / run[1]["groups"] for run in legs.values()),
            mixed_per_million=statistics.median(mixed_per_million(run, goal) for run in legs.values()),
            sampled_mixed=_share(legs, goal, "mixed_tokens", "tokens"),
            trained_mixed=_share(legs, goal, "trained_mixed", "trained"),
            of_plain=ratio(needed[PLAIN], needed[name]),
            of_dynamic=ratio(needed[DYNAMIC], needed[name]) if needed.get(DYNAMIC) else None,
            of_small=ratio(needed[SMALL], needed[name]) if needed.get(SMALL) else None,
        )
        for name, legs in runs.items()
        if legs
    }


def _share(legs: Mapping[int, Points], goal: float, part: str, whole: str) -> float:
    """One sum by another at the target, the median over seeds."""
    ends = [until(run, goal) for run in legs.values()]
    return statistics.median(end[part] / end[whole] for end in ends)


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
