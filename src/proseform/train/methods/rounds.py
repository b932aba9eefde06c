"""Adaptive rounds: a prompt is asked again until its completions differ enough, and a balanced group is taken of them.

Xiong and others, Reinforce-Ada (arXiv 2510.04996): a prompt leaves the sampling once it has enough right and enough
wrong answers, and what is kept are equally many of both. The baseline and the deviation are those of all its
completions, not of the group that is kept, which is balanced on purpose. There rewards are right or wrong; here above
the prompt's own mean or not, which is the same where there are two values.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from proseform import config
from proseform.train.methods.drawn import Ask, Drawn

EPSILON = 1e-4
"""Added to the deviation that rewards are divided by, as in TRL."""


class Rounds:
    """See the module; it has no state.

    Args:
        knobs: How often, and when a prompt has enough.
        generations: Completions of a round for one prompt.
    """

    def __init__(self, knobs: config.Rounds, generations: int) -> None:
        self.most, self.enough, self.generations = knobs.most, knobs.enough, generations

    def more(self, drawn: Sequence[Drawn]) -> list[Ask]:
        """The prompts that have too few completions above or below their mean, and rounds left."""
        return [
            Ask(one.case, place)
            for place, one in enumerate(drawn)
            if len(one.samples) < self.most * self.generations and min(map(len, one.sides())) < self.enough
        ]


def advantages(group: Drawn, drawn: Drawn, *, scaled: bool) -> list[float]:
    """The advantage of each completion of a group by the mean and deviation of all that its prompt has.

    Args:
        group: What is trained on.
        drawn: The prompt with all completions; at least two of them scored.
        scaled: Whether to divide by the standard deviation.

    Returns:
        One for each completion; 0 for one that could not be scored.
    """
    mean = fmean(drawn.rewards)
    divisor = stdev(drawn.rewards) + EPSILON if scaled else 1.0
    earned = (sample.score.composite for sample in group.samples)
    return [0.0 if value is None else (value - mean) / divisor for value in earned]
