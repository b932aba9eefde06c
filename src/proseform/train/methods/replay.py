"""Replay of mixed groups: a zero-variance group of a step gives way to a mixed one of an earlier step.

A replayed completion comes from an older policy. So its tokens carry the log-probabilities that they were sampled with,
and TRL's own clipped ratio of new to old weighs them (``old_per_token_logps``), as in PPO. A group is
replayed once, the newest first; what is too old is dropped.
"""

from __future__ import annotations

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
    """

    step: int
    group: Drawn


class Replay:
    """See the module. Its state is the buffer.

    Args:
        knobs: How many groups, and how old.
    """

    def __init__(self, knobs: config.Replay) -> None:
        self.knobs = knobs
        self._kept: deque[Kept] = deque(maxlen=knobs.groups)
        """The oldest first."""

    def mix(self, groups: Sequence[Drawn], step: int) -> list[Drawn]:
        """The groups, zero-variance ones replaced by the newest mixed ones that may be replayed.

        Args:
            groups: Of this step.
            step: Its number.
        """
        usable = [one for one in self._kept if one.step < step <= one.step + self.knobs.age]
        mixed, taken = list(groups), []
        for place, one in enumerate(groups):
            if not one.mixed and usable:
                taken.append(usable.pop())
                mixed[place] = taken[-1].group
        left = [one for one in self._kept if not any(one is other for other in taken)]
        self._kept = deque((one for one in left if step <= one.step + self.knobs.age), maxlen=self.knobs.groups)
        return mixed

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
    return Kept(row["step"], Drawn(Case.from_json(row["case"]), tuple(samples)))
