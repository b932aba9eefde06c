"""When GRPO stops before its last step: because there is nothing left to learn, or because nothing can be learnt.

A group whose completions all earn the same carries no signal. Where no group has carried one for a window of steps,
the policy has *converged* if its mean reward is at least the share :data:`NEAR` of the best there is: the stage ends
early, as done. Else it has *collapsed*, and the stage ends with an error that says what to look at. Groups are counted
one by one, by exact equality (TRL's ``frac_reward_zero_std`` is of the whole batch under some of its settings).

A reward that cannot score most of what is sampled, for long, is broken, and the stage ends with an error too: what is
left would train on the texts that a broken reward happens to bear.

Every rank sees the gathered rewards, so all of them come to the same decision in the same step. The rule's state is
saved with the checkpoint.

Errors quote neither completions nor what a fault says of them: they go into events, ``error.json`` and the log, which
have no date, and a completion may repeat a user's own case.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from proseform import reward
from proseform.errors import NoSignalError, StageError

NEAR = 0.95
"""Share of the highest reward; a window without signal that earns at least this has converged."""
NEVER = 0.25
"""Share of the highest reward; a policy of which no completion earns more than this breaks the form throughout."""
BROKEN = 0.5
"""Share of rollouts that cannot be scored, over :data:`FAULTY` steps, from which on a reward is broken."""
FAULTY = 10
"""Steps over which that share is taken: a batch of odd texts is no broken reward."""
_TOLD = re.compile(
    r"term '\w+' gave [-+.\w]+, expected a number in \[0, 1\]|(the reward|not scored, since the reward) .*"
)
"""Faults that quote no text: what a term gave as a number or a name, and what the scorer says itself."""
_NAMED = re.compile(r"(term '\w+') gave |([A-Za-z_]\w*)(\(|$)")
"""Of others, what is at fault: a term, or the type of what was raised."""
_EXACT = 1e-6


class Decision(StrEnum):
    """What a rule decides after a step."""

    CONTINUE = "continue"
    CONVERGED = "converged"
    COLLAPSED = "collapsed"


class StopRule:
    """Counts steps without any signal.

    Args:
        group_size: Completions of each prompt.
        window: Consecutive steps without signal after which training stops.
        best: The highest reward there is.
    """

    def __init__(self, group_size: int, window: int, best: float = 1.0) -> None:
        self.group_size, self.window, self.best = group_size, window, best
        self.decision = Decision.CONTINUE
        self._means: list[float] = []
        """Mean reward of each consecutive step without signal."""
        self._faulted: list[float] = []
        """Share of faulted rollouts of each of the last steps."""

    def observe(self, rewards: Sequence[float | None]) -> Decision:
        """Note one step.

        Args:
            rewards: Of every completion of the step, over all processes, group by group; None for a faulted rollout.

        >>> rule = StopRule(group_size=2, window=2)
        >>> [str(rule.observe(rewards)) for rewards in ([0, 1], [1, 1], [1, 1])]
        ['continue', 'continue', 'converged']
        """
        scored = [one for one in rewards if one is not None]
        self._faulted = [*self._faulted, 1 - len(scored) / len(rewards)][-FAULTY:]
        if reward.zero_variance_share(rewards, self.group_size) < 1.0:
            self._means = []
        elif scored:
            self._means.append(sum(scored) / len(scored))
        if len(self._means) < self.window:
            self.decision = Decision.CONTINUE
        else:
            near = self.mean >= NEAR * self.best - _EXACT
            self.decision = Decision.CONVERGED if near else Decision.COLLAPSED
        return self.decision

    @property
    def broken(self) -> bool:
        """Whether so many rollouts could not be scored, for so long, that the reward is to be mended."""
        return len(self._faulted) == FAULTY and sum(self._faulted) / FAULTY >= BROKEN

    @property
    def mean(self) -> float:
        """Mean reward of the steps without signal."""
        return sum(self._means) / len(self._means)

    def sentence(self, steps: int) -> str:
        """Why training stopped early, for people.

        Args:
            steps: Optimiser steps that were done.
        """
        what = (
            "all completions are perfect" if self.mean >= self.best - _EXACT else "within each group all earn the same"
        )
        earned = f"{self.mean:.3f} of {self.best:g} on average"
        return f"converged after {steps} steps: for {len(self._means)} steps {what}, {earned}"

    def collapse(self, rewards: Sequence[float | None], completions: Sequence[str]) -> NoSignalError:
        """The error of a collapse.

        Args:
            rewards: Of the last step.
            completions: Some of the last step's.
        """
        words = (
            f"grpo: no group has carried a signal for {len(self._means)} steps: within each group all "
            f"{self.group_size} completions earn the same, {self.mean:.3f} of {self.best:g} on average. "
            f"Of the last {len(completions)}, {len(set(completions))} are different texts."
        )
        return NoSignalError(words, hint=self._hint([one for one in rewards if one is not None], completions))

    def _hint(self, rewards: Sequence[float], completions: Sequence[str]) -> str:
        """What to look at, from what was earned."""
        if len(set(completions)) < len(completions) / 2 + 1 and len(completions) > 1:
            return "The completions are alike: raise grpo.temperature or train sft.evaluator for fewer steps."
        if max(rewards) <= NEVER * self.best:
            return (
                "All break the form: train sft.evaluator for more steps until some completions earn, or lower "
                "grpo.temperature; a policy that never succeeds cannot be rewarded into it."
            )
        return "All earn the same though they differ: look at the rubric's terms, one of them may hide the others."

    def state(self) -> dict[str, Any]:
        """Everything that later decisions depend on, as JSON."""
        return {"means": self._means, "faulted": self._faulted, "decision": str(self.decision)}

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same rule."""
        self._means, self._faulted = list(state["means"]), list(state["faulted"])
        self.decision = Decision(state["decision"])


def mostly_faulted(faults: Sequence[str]) -> StageError:
    """The error of a reward that cannot score most of what is sampled.

    Args:
        faults: Why, of each rollout of the last step; empty where it was scored.
    """
    fault, often = Counter(_told(one) for one in faults if one).most_common(1)[0]
    return StageError(
        f"grpo: for {FAULTY} steps the reward could not score {BROKEN:.0%} of the completions or more; the commonest "
        f"fault of the last step, {often} of {len(faults)}, is: {fault}.",
        hint="Mend the task's rewards.py: `proseform rewards check` tries it on hostile texts.",
    )


def all_faulted(faults: Sequence[str]) -> StageError:
    """The error of a step in which no rollout could be scored: a reward that is broken, and not a policy.

    Args:
        faults: Why, of each rollout of a rank.
    """
    return StageError(
        f"grpo: the reward could score none of the step's completions; the first fault is: {_told(faults[0])}.",
        hint="Mend the task's rewards.py; the laws try it on hostile texts: see docs/tour.md.",
    )


def _told(fault: str) -> str:
    """A fault without the texts that it may quote.

    >>> _told("KeyError('Amina Berg')"), _told("term 'wit' gave 1.5, expected a number in [0, 1]")
    ('KeyError', "term 'wit' gave 1.5, expected a number in [0, 1]")
    >>> _told("term 'wit' gave 'Amina', expected a number in [0, 1]"), _told("<Odd: Amina>")
    ("term 'wit' gave no number in [0, 1]", 'an error that tells no type')
    """
    if _TOLD.fullmatch(fault):
        return fault
    named = _NAMED.match(fault)
    if named is None:
        return "an error that tells no type"
    return f"{named[1]} gave no number in [0, 1]" if named[1] else named[2]
