"""What another reward would have paid for the rollouts of a run: figures of both, side by side. Pure.

Nothing is sampled: a policy that had trained under the other reward would have written other texts from the second
step on. What can be read off is whether there would have been a signal, and whether both rewards agree on what is
better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from proseform import reward
from proseform.reward import Score

PARTS = 4
"""Parts of a run, in order, of which figures are given; after the first the policies would have parted."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One rollout under both rewards.

    Attributes:
        step: From 1.
        group: Within the step.
        before: What it earned; None where there was a fault.
        after: Under the other reward.
    """

    step: int
    group: int
    before: float | None
    after: Score


def summarise(rows: Sequence[Replayed], generations: int) -> list[dict[str, float | str | None]]:
    """Figures of the whole run and of each part of it.

    Args:
        rows: By step and place, each group complete.
        generations: Completions of a group.

    Returns:
        For each part ``part`` (in words), ``rollouts``, ``reward_before`` and ``reward_after`` (means), ``dead_before``
        and ``dead_after`` (share of groups whose rewards are all equal), ``agree`` (of the pairs within a group that
        both rewards order, the share that they order alike), ``turned`` (share of dead groups that get a signal) and
        ``faulted`` (share under the other reward). None where there is nothing to count.
    """
    steps = sorted({row.step for row in rows})
    parts: list[tuple[str, list[int]]] = [(f"steps {steps[0]} to {steps[-1]}", steps)] if steps else []
    size = -(-len(steps) // PARTS)
    if len(steps) >= PARTS:
        parts += [
            (f"steps {some[0]} to {some[-1]}", some)
            for some in (steps[start : start + size] for start in range(0, len(steps), size))
        ]
    return [
        {"part": words, **_figures([row for row in rows if row.step in set(some)], generations)}
        for words, some in parts
    ]


def terms(rows: Sequence[Replayed]) -> dict[str, float]:
    """The mean of each raw term under the other reward."""
    scored = [row.after.terms for row in rows if not row.after.fault]
    return {name: fmean(terms[name] for terms in scored) for name in (scored[0] if scored else ())}


def _figures(rows: Sequence[Replayed], generations: int) -> dict[str, float | None]:
    """The figures of some rollouts."""
    groups: dict[tuple[int, int], list[Replayed]] = {}
    for row in rows:
        groups.setdefault((row.step, row.group), []).append(row)
    pairs = [pair for group in groups.values() for pair in combinations(group, 2)]
    both = [order for one, other in pairs if (order := _order(one, other)) is not None]
    dead = [group for group in groups.values() if _dead([row.before for row in group])]
    return {
        "rollouts": len(rows),
        "reward_before": _mean([row.before for row in rows if row.before is not None]),
        "reward_after": _mean([row.after.composite for row in rows if row.after.composite is not None]),
        "dead_before": reward.zero_variance_share([row.before for row in rows], generations),
        "dead_after": reward.zero_variance_share([row.after.composite for row in rows], generations),
        "agree": _mean(both),
        "turned": _mean([not _dead([row.after.composite for row in group]) for group in dead]),
        "faulted": _mean([bool(row.after.fault) for row in rows]),
    }


def _order(one: Replayed, other: Replayed) -> bool | None:
    """Whether both rewards order two rollouts alike; None where one of them does not order them."""
    values = (one.before, other.before, one.after.composite, other.after.composite)
    if None in values:
        return None
    before, after = (one.before or 0) - (other.before or 0), (one.after.composite or 0) - (other.after.composite or 0)
    return None if before == 0 or after == 0 else before * after > 0


def _dead(rewards: Sequence[float | None]) -> bool:
    """Whether a group carries no signal."""
    return reward.zero_variance_share(rewards, len(rewards)) == 1.0


def _mean(values: Sequence[float]) -> float | None:
    """The mean, or None of nothing."""
    return fmean(values) if values else None
