"""Figures of the study from its records. Pure.

Seeds are the unit: each figure of an arm is a mean over its seeds, with the lowest and the highest of them. Intervals
of :mod:`proseform.stats` for so few values in [0, 1] are wide, and stand in a picture alone. A run that never gets
somewhere is *censored*: it counts as slower than any other.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.signal.figures import ratio, tokens_to

Record = Mapping[str, Any]
EDGE = 10
"""Steps at the beginning and at the end whose mixed groups are shown."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over seeds: ``low ≤ value ≤ high``, the mean between the lowest and the highest seed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class To:
    """Sampled tokens to a held-out reward.

    Attributes:
        tokens: Median over seeds, infinite where that one is censored.
        censored: Seeds that never got there.
        by_centre: The centre's tokens by the arm's, with its interval, over the seeds that both have; None where
            both are censored, and for the centre itself.
    """

    tokens: float
    censored: int
    by_centre: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Row:
    """An arm's figures.

    Attributes:
        seeds: How many.
        valid_greedy: Share of valid answers, greedy.
        valid_sampled: Share of valid answers, sampled.
        value: Share of the words that are right, of valid sampled answers; None where no seed has one.
        right: Share of sampled answers that are wholly right.
        held_out: The held-out reward, of 1.
        talk: The loss on small talk, in nats a token.
        mixed: Share of mixed groups in the first :data:`EDGE` steps and in the last; None where nothing is sampled.
        first: Sampled tokens to the first sampled answer that is wholly right: median, infinite where censored.
        to: Sampled tokens to each target.
        ahead: Seeds whose held-out reward ends above the centre's, and seeds that both have.
    """

    seeds: int
    valid_greedy: Spread
    valid_sampled: Spread
    value: Spread | None
    right: Spread
    held_out: Spread
    talk: Spread
    mixed: tuple[float, float] | None
    first: float
    to: tuple[To, ...]
    ahead: tuple[int, int]


def rows(
    records: Mapping[tuple[str, int], Record], names: Sequence[str], centre: str, targets: Sequence[float]
) -> dict[str, Row]:
    """The figures of every arm that has a record, by name, in the order of the names.

    Args:
        records: By arm and seed.
        names: The arms.
        centre: The one that others are compared with.
        targets: The held-out rewards to which tokens are counted.
    """
    by_arm = {name: {seed: record for (arm, seed), record in records.items() if arm == name} for name in names}
    return {
        name: _row(legs, by_arm.get(centre, {}) if name != centre else {}, targets)
        for name, legs in by_arm.items()
        if legs
    }


def _row(legs: Mapping[int, Record], centre: Mapping[int, Record], targets: Sequence[float]) -> Row:
    """One arm's figures."""
    finals = [record["final"] for record in legs.values()]

    def share(name: str) -> Spread | None:
        values = [final[name] for final in finals if final[name] is not None]
        return _spread(values) if values else None

    def certain(name: str) -> Spread:
        return _spread([final[name] for final in finals])

    both = legs.keys() & centre.keys()
    first = [record["first"]["tokens"] if record["first"] else math.inf for record in legs.values()]
    return Row(
        seeds=len(legs),
        valid_greedy=certain("valid_greedy"),
        valid_sampled=certain("valid_sampled"),
        value=share("value_sampled"),
        right=certain("right_sampled"),
        held_out=certain("held_out"),
        talk=certain("talk"),
        mixed=mixed([record["mixed"] for record in legs.values()]),
        first=statistics.median_high(first),
        to=tuple(_to(legs, centre, target) for target in targets),
        ahead=(sum(legs[seed]["final"]["held_out"] > centre[seed]["final"]["held_out"] for seed in both), len(both)),
    )


def _spread(values: Sequence[float]) -> Spread:
    """A figure of some seeds."""
    return Spread(statistics.fmean(values), min(values), max(values))


def _to(legs: Mapping[int, Record], centre: Mapping[int, Record], target: float) -> To:
    """An arm's tokens to one target."""
    needed, theirs = (
        {seed: tokens_to(record["points"], target) for seed, record in some.items()} for some in (legs, centre)
    )
    by_centre = ratio(theirs, needed) if needed.keys() & theirs.keys() else None
    return To(statistics.median_high(needed.values()), sum(map(math.isinf, needed.values())), by_centre)


def mixed(runs: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """The mean share of mixed groups over the first steps of some runs, and over their last.

    >>> mixed([[0.0, 0.5, 1.0]])
    (0.5, 0.5)
    >>> mixed([[], []]) is None
    True
    """
    sampled = [run for run in runs if run]
    if not sampled:
        return None
    ends = [(statistics.fmean(run[:EDGE]), statistics.fmean(run[-EDGE:])) for run in sampled]
    return statistics.fmean(first for first, _ in ends), statistics.fmean(last for _, last in ends)


def curve(legs: Sequence[Record], name: str) -> list[tuple[float, float, float, float]]:
    """A figure over sampled tokens: tokens, mean, lowest and highest seed, where every seed has it.

    Measurements of seeds lie at different tokens; each seed's value is read off the line between its own.

    >>> points = [{"tokens": 0, "held_out": 0.0}, {"tokens": 100, "held_out": 1.0}]
    >>> curve([{"points": points}, {"points": points[:1] + [{"tokens": 50, "held_out": 0.0}]}], "held_out")
    [(0, 0.0, 0.0, 0.0), (50, 0.25, 0.0, 0.5)]
    """
    lines = [[(point["tokens"], point[name]) for point in leg["points"] if point[name] is not None] for leg in legs]
    lines = [line for line in lines if line]
    if not lines:
        return []
    begin, end = max(line[0][0] for line in lines), min(line[-1][0] for line in lines)
    places = sorted({tokens for line in lines for tokens, _ in line if begin <= tokens <= end})
    drawn = []
    for place in places:
        values = [_read_off(line, place) for line in lines]
        drawn.append((place, statistics.fmean(values), min(values), max(values)))
    return drawn


def _read_off(line: Sequence[tuple[float, float]], place: float) -> float:
    """A line's value at a place within it."""
    after = next(index for index, (tokens, _) in enumerate(line) if tokens >= place)
    high, above = line[after]
    if high == place or after == 0:
        return above
    low, below = line[after - 1]
    return below + (above - below) * (place - low) / (high - low)
