"""Replay of mixed groups: a zero-variance group of a step gives way to a mixed one of an earlier step.

A replayed completion comes from an older policy. So its tokens carry the log-probabilities that they were sampled with,
and TRL's own clipped ratio of new to old weighs them (``old_per_token_logps``), as in PPO. What was replayed least
comes first, then the newest; what is too old is dropped.

With a share, that part of a step is not sampled at all but replayed: less is sampled for the same training, which is
rollout replay as Sun and others have it (arXiv 2506.05316).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from proseform import config
from proseform.case import Case
from proseform.reward import Score
from proseform.train.methods.drawn import NOT_SAMPLED, Drawn, Sample


@dataclass(frozen=True, slots=True)
class Kept:
    """A group in the buffer.

    Attributes:
        step: In which it was sampled.
        group: With the log-probabilities of its tokens.
        times: How often it was replayed.
    """

    step: int
    group: Drawn
    times: int = 0


class Replay:
    """See the module. Its state is the buffer.

    Args:
        knobs: How many groups, and how old.
    """

    def __init__(self, knobs: config.Replay) -> None:
        self.knobs = knobs
        self.times = max(1, math.ceil(round(knobs.share / (1 - knobs.share), 6)))
        """How often a group is replayed, at most."""
        self._kept: deque[Kept] = deque(maxlen=knobs.groups)
        """The oldest first."""

    def due(self, prompts: int, step: int) -> int:
        """How many of a step's prompts are not sampled."""
        return min(int(self.knobs.share * prompts), len(self._usable(step)))

    def mix(self, groups: Sequence[Drawn], step: int, prompts: int) -> list[Drawn]:
        """The groups of a step: those that were sampled, then replayed ones; in the place of dead ones too.

        Args:
            groups: That were sampled.
            step: Its number.
            prompts: How many groups it has, :meth:`due` ones more than were sampled.
        """
        usable, mixed, taken = self._usable(step), list(groups), []
        for _ in range(prompts - len(groups)):
            taken.append(usable.pop())
            mixed.append(taken[-1].group)
        for place, one in enumerate(groups):
            if not one.mixed and usable:
                taken.append(usable.pop())
                mixed[place] = taken[-1].group
        used = [
            replace(one, times=one.times + 1) if any(one is other for other in taken) else one for one in self._kept
        ]
        left = (one for one in used if one.times < self.times and step <= one.step + self.knobs.age)
        self._kept = deque(left, maxlen=self.knobs.groups)
        return mixed

    def _usable(self, step: int) -> list[Kept]:
        """What may be replayed in a step, the first to be taken last."""
        known = [one for one in self._kept if one.step < step <= one.step + self.knobs.age]
        return sorted(known, key=lambda one: -one.times)

    def keep(self, groups: Sequence[Drawn], logs: Sequence[Sequence[float]], step: int) -> None:
        """Take the mixed groups of a step into the buffer; gold and replayed ones are none of it.

        Args:
            groups: What was trained on.
            logs: The log-probabilities of each completion's tokens, over all groups in order.
            step: Its number.
        """
        rows = iter(logs)
        for one in groups:
            own = [tuple(next(rows)) for _ in one.samples]
            if one.mixed and all(sample.place != NOT_SAMPLED for sample in one.samples):
                samples = (
                    replace(sample, logs=values, place=NOT_SAMPLED)
                    for sample, values in zip(one.samples, own, strict=True)
                )
                self._kept.append(Kept(step, Drawn(one.case, tuple(samples))))

    def state(self) -> list[dict[str, Any]]:
        """The buffer as JSON."""
        return [
            {
                "step": one.step,
                "times": one.times,
                "case": one.group.case.to_json(),
                "samples": [asdict(sample) for sample in one.group.samples],
            }
            for one in self._kept
        ]

    def load(self, state: Sequence[dict[str, Any]]) -> None:
        """Continue with a buffer of the same knobs."""
        self._kept = deque((_kept(row) for row in state), maxlen=self.knobs.groups)


def _kept(row: dict[str, Any]) -> Kept:
    """A group from its JSON."""
    samples = (
        Sample(one["text"], tuple(one["ids"]), Score(**one["score"]), one["place"], tuple(one["logs"]))
        for one in row["samples"]
    )
    return Kept(row["step"], Drawn(Case.from_json(row["case"]), tuple(samples)), row["times"])
