"""The watch over GRPO's learning signal: a group whose completions all earn exactly the same teaches nothing.

TRL's ``frac_reward_zero_std`` speaks of the whole batch under some of its settings, and nothing stops on it; here
groups are counted one by one, by exact equality, and a stage that trains on nothing ends with words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proseform import reward
from proseform.errors import NoSignalError

_SHOWN = 120


@dataclass(slots=True)
class Watch:
    """Counts zero-variance groups step by step.

    Attributes:
        group_size: Completions of each prompt.
        window: Consecutive steps without any signal that are borne.
        best: The highest reward there is, so that "all perfect" can be told from "all failed".
        zero_variance_steps: Consecutive steps without any signal so far.
    """

    group_size: int
    window: int
    best: float = 1.0
    zero_variance_steps: int = 0

    def see(self, rewards: Sequence[float], completions: Sequence[str]) -> float:
        """Note one step; the share of zero-variance groups, in [0, 1].

        Args:
            rewards: Of every completion of the step, over all processes, group by group.
            completions: Some of the completions, for the error's words.

        Raises:
            NoSignalError: No group has carried a signal for ``window`` steps.

        >>> Watch(group_size=2, window=3).see([0, 0, 1, 0], ["…"])
        0.5
        """
        share = reward.zero_variance_share(rewards, self.group_size)
        self.zero_variance_steps = self.zero_variance_steps + 1 if share == 1.0 else 0
        if self.zero_variance_steps >= self.window:
            raise NoSignalError(self._words(rewards, completions), hint=self._hint(rewards, completions))
        return share

    def _words(self, rewards: Sequence[float], completions: Sequence[str]) -> str:
        """What happened."""
        mean = sum(rewards) / len(rewards)
        example = completions[0][:_SHOWN].replace("\n", " ⏎ ") if completions else ""
        return (
            f"grpo: no group has carried a signal for {self.zero_variance_steps} steps: within each group all "
            f'{self.group_size} completions earn the same, {mean:.3f} of {self.best:g} on average. One of them begins: "{example}"'
        )

    def _hint(self, rewards: Sequence[float], completions: Sequence[str]) -> str:
        """What to look at, from what was earned."""
        if min(rewards) >= self.best - 1e-6:
            return "All are perfect: there is nothing left to learn here; lower grpo.steps or choose a harder dataset.level."
        if len(set(completions)) < len(completions) / 2 + 1 and len(completions) > 1:
            return "The completions are alike: raise grpo.temperature or train sft.evaluator for fewer steps."
        if max(rewards) <= self.best / 4:
            return (
                "All break the form: train sft.evaluator for more steps until some completions earn, or lower grpo.temperature; "
                "a policy that never succeeds cannot be rewarded into it."
            )
        return "All earn the same though they differ: look at the rubric's terms, one of them may hide the others."
