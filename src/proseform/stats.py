"""95 % intervals for shares, for mean scores, and for paired differences of both.

Cases are the sampling unit everywhere: several completions of one case are averaged first, and ``n`` counts cases.
Each method was chosen by its coverage, which ``python -m benchmarks.coverage`` computes (docs/results/coverage.md).

Left out: sequential tests (looking at growing data needs a confidence sequence, which can return an
:class:`Estimate` too), corrections for many comparisons, unpaired comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

ALPHA = 0.05
Z = NormalDist().inv_cdf(1 - ALPHA / 2)
_FEWEST_DF = 4
_BISECTIONS = 60
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval: ``low ≤ value ≤ high`` and ``low < high``; ``n ≥ 1`` counts cases."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """The figure and its interval, such as ``0.012 [0.004, 0.031]``."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def proportion(right: int, n: int) -> Estimate:
    """The share ``right / n`` of independent cases, ``0 ≤ right ≤ n``, ``n ≥ 1``; in [0, 1].

    Agresti & Coull (1998), "Approximate is better than 'exact'": Wilson's centre with a slightly wider radius (Wilson's
    own interval covers only .918 at n = 51, p = .02). Where no case or every case is right, the exact limit of Clopper
    & Pearson (1934) stands.

    >>> proportion(9, 10)
    Estimate(value=0.9, low=0.574032, high=1.0, n=10)
    >>> proportion(200, 200)
    Estimate(value=1.0, low=0.981725, high=1.0, n=200)
    """
    value, size = right / n, n + Z * Z
    centre = (right + Z * Z / 2) / size
    radius = Z * math.sqrt(centre * (1 - centre) / size)
    low = (ALPHA / 2) ** (1 / n) if right == n else 0.0 if right == 0 else centre - radius
    high = 1 - (ALPHA / 2) ** (1 / n) if right == 0 else 1.0 if right == n else centre + radius
    return _within(value, low, high, n, (0.0, 1.0))


def mean(values: Sequence[float], cases: Iterable[Hashable] | None = None) -> Estimate | None:
    """The mean of scores in [0, 1] with its interval in [0, 1]; None where there are no scores.

    Args:
        values: One score for each completion; booleans count as 0 and 1.
        cases: The case of each completion, as many as ``values``; every score is a case of its own by default.

    Where every case scores 0 or 1 this is :func:`proportion`, else :func:`bounded_mean` of the cases' means.
    >>> mean([True, True, True, False])
    Estimate(value=0.75, low=0.289141, high=0.965914, n=4)
    >>> mean([0.5, 0.7, 0.6, 0.6], cases=["a", "a", "b", "c"])
    Estimate(value=0.6, low=0.175441, high=0.883039, n=3)
    """
    means = list(by_case(values, cases if cases is not None else range(len(values))).values())
    if not means:
        return None
    if set(means) <= {0.0, 1.0}:
        return proportion(round(sum(means)), len(means))
    return bounded_mean(means, 0.0, 1.0)


def bounded_mean(values: Sequence[float], least: float, most: float) -> Estimate:
    """The mean of independent values in [``least``, ``most``], at least one.

    BCa for a mean needs no resampling: DiCiccio & Efron's (1992) ABC gives its limits from the first three moments,
    with acceleration a = Σd³ / 6(Σd²)^1.5 and bias correction z0 = a. The quantile is Student's t with
    2n / (kurtosis - 1) degrees of freedom (Satterthwaite), since rare large deviations make the variance itself
    uncertain. The interval always contains the floor for no variation (the rule of three, two-sided): a kind of case
    that is a share s = 1 - .025^(1/n) of all stays unseen with probability .025, and may score ``least`` or ``most``.

    >>> bounded_mean([0.05] * 200, -1.0, 1.0)
    Estimate(value=0.05, low=0.030811, high=0.067362, n=200)
    """
    n, value = len(values), fmean(values)
    unseen = 1 - (ALPHA / 2) ** (1 / n)
    low, high = value - unseen * (value - least), value + unseen * (most - value)
    second, third, fourth = (math.fsum((x - value) ** power for x in values) for power in (2, 3, 4))
    if n > 1 and second > _TINY * (most - least) ** 2:
        degrees = min(n - 1.0, max(_FEWEST_DF, 2 * n / max(n * fourth / second**2 - 1, 1e-9)))
        error, acceleration, quantile = math.sqrt(second / n / (n - 1)), third / (6 * second**1.5), _student(degrees)
        for sign in (-1, 1):
            w = acceleration + sign * quantile
            stretch = 1 - acceleration * w
            limit = value + error * w / stretch**2 if stretch > 0 else (least, most)[sign > 0]
            low, high = min(low, limit), max(high, limit)
    return _within(value, low, high, n, (least, most))


def paired(before: Mapping[Hashable, float], after: Mapping[Hashable, float]) -> Estimate | None:
    """The mean of ``after - before`` over the cases that both have, in [-1, 1]; None where they share none.

    Args:
        before: Case to its (mean) score, in [0, 1].
        after: The same of the other subject.

    Where every score is 0 or 1 this is :func:`paired_proportions`, else :func:`bounded_mean` of the differences.
    >>> paired({"a": 0, "b": 1, "c": 0}, {"a": 1, "b": 1, "c": 0})
    Estimate(value=0.333333, low=-0.455929, high=0.855929, n=3)
    >>> lift = paired({n: 0.9 for n in range(200)}, {n: 0.9 for n in range(200)})
    >>> lift.value, lift.low > -0.02, lift.high < 0.02
    (0.0, True, True)
    """
    pairs = [(before[case], after[case]) for case in before if case in after]
    if not pairs:
        return None
    if all(score in {0.0, 1.0} for pair in pairs for score in pair):
        gained = sum(new > old for old, new in pairs)
        lost = sum(new < old for old, new in pairs)
        return paired_proportions(gained, lost, len(pairs))
    return bounded_mean([new - old for old, new in pairs], -1.0, 1.0)


def paired_proportions(gained: int, lost: int, n: int) -> Estimate:
    """The difference of two shares of the same ``n`` cases: ``gained`` became right, ``lost`` became wrong.

    Tango's (1998) score interval: the differences d that the score test with restricted maximum likelihood does not
    reject. Where ``gained`` or ``lost`` is 0 it reduces to Wilson's, and is widened to Bonett & Price's (2012).

    >>> paired_proportions(20, 5, 200)
    Estimate(value=0.075, low=0.028217, high=0.128187, n=200)
    >>> paired_proportions(0, 0, 200)
    Estimate(value=0.0, low=-0.018845, high=0.018845, n=200)
    """
    value = (gained - lost) / n
    low = _root(lambda d: _tango(gained, lost, n, d) > Z, -1.0, value)
    high = _root(lambda d: _tango(gained, lost, n, d) > -Z, value, 1.0)
    if not (gained and lost):
        up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
        radius = Z * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
        low, high = min(low, up - down - radius), max(high, up - down + radius)
    return _within(value, low, high, n, (-1.0, 1.0))


def non_inferior(difference: Estimate, margin: float) -> bool:
    """Whether the new subject is worse than the old one by less than ``margin``: the low end lies above ``-margin``.

    Args:
        difference: New minus old, as :func:`paired` gives.
        margin: The loss that still counts as none, in (0, 1); stated before looking.

    Raises:
        ValueError: A margin out of range.

    >>> non_inferior(paired_proportions(5, 5, 200), 0.05), non_inferior(paired_proportions(5, 5, 200), 0.01)
    (True, False)
    """
    if not 0 < margin < 1:
        raise ValueError(f"A margin of {margin:g} is outside (0, 1).")
    return difference.low > -margin


def by_case(values: Iterable[float], cases: Iterable[Hashable]) -> dict[Hashable, float]:
    """Case to the mean of its values, as ``by_case([1, 0, 1], "aab") == {"a": 0.5, "b": 1.0}``."""
    groups: dict[Hashable, list[float]] = {}
    for value, case in zip(values, cases, strict=True):
        groups.setdefault(case, []).append(float(value))
    return {case: fmean(group) for case, group in groups.items()}


def _within(value: float, low: float, high: float, n: int, span: tuple[float, float]) -> Estimate:
    """The estimate with its ends cut to the possible range, rounded to six digits."""
    low, high = max(span[0], min(value, low)), min(span[1], max(value, high))
    return Estimate(round(value, 6), round(low, 6), round(high, 6), n)


def _student(degrees: float) -> float:
    """Student's two-sided 95 % quantile by Fisher & Cornish's expansion; within .01 from 4 degrees on."""
    terms = (Z**3 + Z) / 4, (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96, (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384
    return Z + sum(term / degrees**power for power, term in enumerate(terms, start=1))


def _tango(gained: int, lost: int, n: int, d: float) -> float:
    """Tango's score statistic of the hypothesis that the difference is ``d``; falls as ``d`` grows."""
    b = (2 * n - gained + lost) * d - gained - lost
    down = (math.sqrt(max(0.0, b * b + 8 * n * lost * d * (1 - d))) - b) / (4 * n)
    distance, variance = gained - lost - n * d, n * (2 * down + d * (1 - d))
    if variance > _TINY:
        return distance / math.sqrt(variance)
    return math.copysign(math.inf, distance) if distance else 0.0


def _root(above: Callable[[float], bool], left: float, right: float) -> float:
    """Where ``above`` changes from true to false between ``left`` and ``right``, by bisection."""
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        left, right = (middle, right) if above(middle) else (left, middle)
    return (left + right) / 2
