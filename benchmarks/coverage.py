"""How often the intervals of `proseform.stats` contain the truth: `python -m benchmarks.coverage`.

Shares and paired shares by enumeration: the sum of the exact probabilities of all outcomes whose interval holds the
truth. Bounded scores and their differences by seeded simulation. Writes docs/results/coverage.md; at most 3 minutes on
one core. The goal is a mean of at least .945 and a least value of at least .92.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from proseform import stats

SHARES = (0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.95, 0.97, 0.98)
SIZES = (50, 51, 75, 100, 200, 500, 1000)
DISCORDANT = (0.02, 0.05, 0.1, 0.2, 0.5, 0.9, 0.98)
GAINED = (0.0, 0.1, 0.3, 0.5)
_LIKELY = 1e-7
"""Outcomes of smaller probability count as not covered."""
_FEW = 200
"""The pairs of larger samples are enumerated up to a discordant share of .2 only, for the time that it takes."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often one interval contains the truth, over a grid of truths.

    Attributes:
        interval: Its name.
        n: Cases.
        values: Truth in words to the probability that the interval contains it.
    """

    interval: str
    n: int
    values: dict[str, float]

    def row(self) -> str:
        """A row of the page."""
        worst = min(self.values, key=lambda truth: self.values[truth])
        mean, least = fmean(self.values.values()), self.values[worst]
        return f"| {self.interval} | {self.n} | {len(self.values)} | {mean:.4f} | {least:.4f} | {worst} |"


def shares(n: int, grid: tuple[float, ...] = SHARES) -> Coverage:
    """Coverage of :func:`proseform.stats.proportion`, exact."""
    intervals = [stats.proportion(right, n) for right in range(n + 1)]
    values = {}
    for p in grid:
        chances = [math.comb(n, right) * p**right * (1 - p) ** (n - right) for right in range(n + 1)]
        held = (chance for chance, x in zip(chances, intervals, strict=True) if x.low <= p <= x.high)
        values[f"p = {p:g}"] = math.fsum(held)
    return Coverage("share", n, values)


def pairs(n: int, discordant: tuple[float, ...] = DISCORDANT, gained: tuple[float, ...] = GAINED) -> Coverage:
    """Coverage of :func:`proseform.stats.paired_proportions`, exact up to outcomes of tiny probability.

    Args:
        n: Pairs.
        discordant: Shares of the pairs that differ.
        gained: Of those, shares that went from wrong to right; the other half of the grid is its mirror image.
    """
    known: dict[tuple[int, int], stats.Estimate] = {}
    values = {}
    for s, share in itertools.product(discordant, gained):
        up, down = s * share, s * (1 - share)
        covered = 0.0
        for chance, a, b in _trinomial(n, up, down):
            if (a, b) not in known:
                known[a, b] = stats.paired_proportions(a, b, n)
            covered += chance if known[a, b].low <= up - down <= known[a, b].high else 0.0
        values[f"gained {up:.3g}, lost {down:.3g}"] = covered
    return Coverage("difference of paired shares", n, values)


def scores(n: int, rounds: int, seed: int = 0, grid: tuple[float, ...] = (0.02, 0.1, 0.5, 0.9, 0.98)) -> Coverage:
    """Coverage of :func:`proseform.stats.mean` for scores of several completions a case, and for skewed scores."""
    return _simulated("mean score", n, rounds, seed, grid, _SCORES, stats.mean)


def differences(n: int, rounds: int, seed: int = 1, grid: tuple[float, ...] = (0.02, 0.1, 0.5, 0.9)) -> Coverage:
    """Coverage of :func:`proseform.stats.paired` for scores, where a share of the cases does not change at all."""

    def lift(rows: list[tuple[float, float]]) -> stats.Estimate | None:
        return stats.paired(*({case: pair[side] for case, pair in enumerate(rows)} for side in (0, 1)))

    return _simulated("paired difference of mean scores", n, rounds, seed, grid, _PAIRS, lift)


def _simulated(
    name: str,
    n: int,
    rounds: int,
    seed: int,
    grid: tuple[float, ...],
    kinds: Mapping[str, tuple[Callable, Callable]],
    interval: Callable,
) -> Coverage:
    """Coverage of an interval over kinds of data: name to (draw one case, its true mean)."""
    values = {}
    for (kind, (draw, truth)), p in itertools.product(kinds.items(), grid):
        rng = random.Random(f"coverage/{seed}/{name}/{kind}/{p}/{n}")
        estimates = (interval([draw(rng, p) for _ in range(n)]) for _ in range(rounds))
        values[f"{kind}, p = {p:g}"] = fmean(x.low <= truth(p) <= x.high for x in estimates)
    return Coverage(name, n, values)


def _samples(rng: random.Random, p: float, likeness: float) -> float:
    """Four completions of one case: the mean of four draws of a share that varies between cases (beta-binomial)."""
    spread = (1 - likeness) / likeness
    share = rng.betavariate(p * spread, (1 - p) * spread)
    return sum(rng.random() < share for _ in range(4)) / 4


def _edge(rng: random.Random, p: float) -> float:
    """A score that is mostly at its nearer end, else anywhere between."""
    near = float(p > 1 / 2)
    return near if rng.random() < abs(2 * p - 1) else rng.betavariate(2, 2)


def _rare(rng: random.Random, p: float) -> float:
    """Nearly full marks, or rarely nothing: the case that makes resampled intervals too short."""
    return 0.95 + 0.05 * rng.random() if rng.random() < p else 0.0


def _pair(rng: random.Random, p: float, same: float, gain: float = 0.0) -> tuple[float, float]:
    """Two subjects on one case; with probability ``same`` both score alike."""
    before = _samples(rng, p, 1 / 3)
    return before, before if rng.random() < same else _samples(rng, p + gain, 1 / 3)


_SCORES: dict[str, tuple[Callable[[random.Random, float], float], Callable[[float], float]]] = {
    "four samples, alike by .1": (lambda rng, p: _samples(rng, p, 0.1), lambda p: p),
    "four samples, alike by .9": (lambda rng, p: _samples(rng, p, 0.9), lambda p: p),
    "mostly at the end": (_edge, lambda p: p),
    "rarely nothing": (_rare, lambda p: 0.975 * p),
}
_PAIRS: dict[str, tuple[Callable[[random.Random, float], tuple[float, float]], Callable[[float], float]]] = {
    "no case alike": (lambda rng, p: _pair(rng, p, 0.0), lambda _: 0.0),
    "half alike, lift .025": (lambda rng, p: _pair(rng, p, 0.5, 0.05), lambda _: 0.025),
    "nine in ten alike": (lambda rng, p: _pair(rng, p, 0.9), lambda _: 0.0),
}


def _trinomial(n: int, up: float, down: float) -> Iterator[tuple[float, int, int]]:
    """Outcomes (probability, gained, lost) of ``n`` pairs, without those of tiny probability."""
    logs = [math.log(x) if x else -math.inf for x in (up, down, 1 - up - down)]
    factorials = [math.lgamma(count + 1) for count in range(n + 1)]
    for a in range(n + 1) if up else (0,):
        ahead = factorials[n] - factorials[a] + (a * logs[0] if a else 0.0)
        for b in range(n - a + 1):
            rest = n - a - b
            chance = ahead - factorials[b] - factorials[rest]
            chance += (b * logs[1] if b else 0.0) + (rest * logs[2] if rest else 0.0)
            if chance > math.log(_LIKELY):
                yield math.exp(chance), a, b


def main() -> None:
    """Measure, print, and write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=2000, help="simulated samples of each truth at n = 50")
    options.add_argument("--out", type=Path, default=Path("docs/results/coverage.md"))
    chosen = options.parse_args()
    lines = [
        "# Coverage of the report's intervals", "",
        f"Printed by `python -m benchmarks.coverage --rounds {chosen.rounds}` "
        "(seeded: the same figures on every machine).",
        "How often a 95 % interval contains the truth. "
        "Shares and paired shares: exact, by enumeration of all outcomes.",
        "Scores: simulated, so that a least value lies about .01 below the true one by chance.", "",
        "| interval | n | truths | mean | least | least at |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    print("\n".join(lines), flush=True)
    for row in _measured(chosen.rounds):
        lines.append(row.row())
        print(lines[-1], flush=True)
    chosen.out.write_text("\n".join(lines) + "\n")


def _measured(rounds: int) -> Iterator[Coverage]:
    """Every interval at every size; fewer rounds for larger samples."""
    yield from map(shares, SIZES)
    for n in SIZES:
        yield pairs(n) if n <= _FEW else pairs(n, tuple(s for s in DISCORDANT if s <= 0.2))  # noqa: PLR2004 - see _FEW
    for simulated in (scores, differences):
        for n in (50, 100, 200, 1000):
            yield simulated(n, max(rounds // 2, rounds * 50 // n))


if __name__ == "__main__":
    main()
