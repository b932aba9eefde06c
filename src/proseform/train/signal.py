"""What signal GRPO would have: figures of a few sampled groups, and the advice that follows from them. Pure.

A group whose completions all earn the same moves nothing. So the share of *mixed* groups is the share of sampled tokens
that teach; of the others it matters why they are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, pstdev

from proseform import histogram
from proseform.reward import Score
from proseform.train.stopping import NEAR, NEVER

ENOUGH = 0.5
"""Share of mixed groups from which on plain GRPO pays: at most half of what is sampled is thrown away."""
SOME = 0.1
"""Share of mixed groups below which 4 of 10 steps of 8 groups have nothing to learn from (0.9 to the 8th is 0.43)."""
ALIKE = 0.5
"""Share of different completions in a group below which most are copies: sampling, not the reward, makes it dead."""
BROKEN = 0.05
"""Share of completions that the reward cannot score from which on it is to be mended first: one in twenty."""


class Advice(StrEnum):
    """What to do before training."""

    TRAIN = "train"
    SFT = "SFT first"
    TEMPERATURE = "raise the temperature"
    HARDER = "harder cases"
    REWARD = "look at the reward"


@dataclass(frozen=True, slots=True)
class Group:
    """The completions of one prompt.

    Attributes:
        texts: The completions.
        scores: What each earned.
    """

    texts: Sequence[str]
    scores: Sequence[Score]

    @property
    def rewards(self) -> list[float]:
        """What those earned that could be scored."""
        return [score.composite for score in self.scores if score.composite is not None]


@dataclass(frozen=True, slots=True)
class Signal:
    """Figures of sampled groups.

    Attributes:
        groups: How many.
        generations: Completions of each.
        mixed: Share of groups whose completions do not all earn the same, by exact equality.
        all_best: Share in which all earn the most there is.
        all_zero: Share in which all earn nothing.
        reward: Mean.
        best: The most there is.
        spread: Mean standard deviation within a group.
        distinct: Mean share of different completions within a group.
        faulted: Share of completions that could not be scored.
        terms: Mean of each raw term.
        entropy: Mean over sampled tokens, in nats.
        tokens: Mean length, in tokens.
        cut: Share of completions that ended at the token budget.
    """

    groups: int
    generations: int
    mixed: float
    all_best: float
    all_zero: float
    reward: float
    best: float
    spread: float
    distinct: float
    faulted: float
    terms: Mapping[str, float]
    entropy: float
    tokens: float
    cut: float


def signal(groups: Sequence[Group], best: float, *, entropy: float, tokens: float, cut: float) -> Signal:
    """The figures of some groups of one size.

    Args:
        groups: At least one.
        best: The most that a completion can earn.
        entropy: Mean over sampled tokens, in nats.
        tokens: Mean length, in tokens.
        cut: Share of completions that ended at the token budget.
    """
    rewards = [group.rewards for group in groups]
    scored = [score for group in groups for score in group.scores if not score.fault]
    count = sum(len(group.scores) for group in groups)
    return Signal(
        groups=len(groups),
        generations=len(groups[0].texts),
        mixed=fmean(len({*one}) > 1 for one in rewards),
        all_best=fmean(bool(one) and min(one) >= best for one in rewards),
        all_zero=fmean(bool(one) and max(one) <= 0 for one in rewards),
        reward=fmean(value for one in rewards for value in one) if scored else 0.0,
        best=best,
        spread=fmean(pstdev(one) if one else 0.0 for one in rewards),
        distinct=fmean(len({*group.texts}) / len(group.texts) for group in groups),
        faulted=1 - len(scored) / count,
        terms={name: fmean(score.terms[name] for score in scored) for name in (scored[0].terms if scored else ())},
        entropy=entropy,
        tokens=tokens,
        cut=cut,
    )


def record(groups: Sequence[Group], best: float) -> dict[str, float]:
    """What a step of training has of signal, as figures by name: those of :mod:`proseform.curves`.

    Args:
        groups: At least one, with one completion that could be scored.
        best: The most that a completion can earn.

    Returns:
        ``all_zero``, ``all_best``, ``spread``, ``repeated``, ``right`` where it is known, and for each term the counts
        ``histogram/<term>/<bin>``; a term beyond 1 (direct JSON's) as a share of the most there is.
    """
    measured = signal(groups, best, entropy=0, tokens=0, cut=0)
    scores = [score for group in groups for score in group.scores if not score.fault]
    right = [score.right for score in scores if score.right is not None]
    bars = {
        f"{histogram.HISTOGRAM}/{term}/{part}": float(count)
        for term in scores[0].terms
        for part, count in histogram.binned([score.terms[term] / max(1.0, best) for score in scores]).items()
    }
    return {
        "all_zero": measured.all_zero,
        "all_best": measured.all_best,
        "spread": measured.spread,
        "repeated": 1 - measured.distinct,
        **({"right": fmean(right)} if right else {}),
        **bars,
    }


def advice(measured: Signal) -> tuple[Advice, str]:
    """What to do, and why, in one sentence; the first that applies.

    >>> groups = [Group(["a", "b"], [Score({}, 0.2), Score({}, 0.9)])]
    >>> advice(signal(groups, 1.0, entropy=0.1, tokens=9, cut=0))[0]
    <Advice.TRAIN: 'train'>
    """
    share = f"{measured.mixed:.0%} of the groups are mixed"
    if measured.faulted >= BROKEN:
        return (
            Advice.REWARD,
            f"{measured.faulted:.0%} of the completions cannot be scored: see `proseform rewards check`",
        )
    if measured.mixed >= ENOUGH:
        return Advice.TRAIN, f"{share}, so that most of what is sampled teaches"
    if measured.reward >= NEAR * measured.best:
        return Advice.HARDER, f"{share}: {measured.reward:.2f} of {measured.best:g} is earned already"
    if measured.reward <= NEVER * measured.best:
        words = "a policy that hardly ever succeeds cannot be rewarded into it"
        return Advice.SFT, f"{share}, and {measured.reward:.2f} of {measured.best:g} is earned: {words}"
    if measured.distinct < ALIKE:
        words = f"only {measured.distinct:.0%} of a group's completions differ"
        return Advice.TEMPERATURE, f"{share}, and {words}"
    if measured.mixed >= SOME:
        words = f"{1 - measured.mixed:.0%} of the sampled tokens teach nothing; more generations a group find more"
        return Advice.TRAIN, f"{share}: {words}"
    return Advice.REWARD, f"{share}, though completions differ: `proseform rewards explain` shows which term hides them"
