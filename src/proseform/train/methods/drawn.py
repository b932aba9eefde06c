"""What a step of GRPO has sampled: prompts with their completions, as values that the methods choose from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from proseform.case import Case
from proseform.reward import Score

NOT_SAMPLED = -1
"""The place of a completion that was not sampled in this step."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion.

    Attributes:
        text: Prefill included.
        ids: Its token ids, prefill not included.
        score: What it earned.
        place: Its place among all that was sampled in this step, from 0, or :data:`NOT_SAMPLED`.
        logs: The log-probability that each token was sampled with, where that was in an earlier step; else empty.
        engine: The log-probability that each token has by the engine that sampled it, where that is not the trainer's
            own model; else empty. None where the engine gives none.
    """

    text: str
    ids: tuple[int, ...]
    score: Score
    place: int = NOT_SAMPLED
    logs: tuple[float, ...] = ()
    engine: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A prompt with all that was sampled for it in a step.

    Attributes:
        case: What was asked.
        samples: In the order of sampling; a group, or several rounds of one.
    """

    case: Case
    samples: tuple[Sample, ...]

    @property
    def rewards(self) -> list[float]:
        """Of the completions that could be scored."""
        return [sample.score.composite for sample in self.samples if sample.score.composite is not None]

    @property
    def mixed(self) -> bool:
        """Whether two completions earn differently, by exact equality."""
        return len({*self.rewards}) > 1

    @property
    def golden(self) -> bool:
        """Whether one of its completions is gold: neither sampled in this step nor replayed."""
        return any(sample.place == NOT_SAMPLED and not sample.logs for sample in self.samples)

    def sides(self) -> tuple[list[Sample], list[Sample]]:
        """The completions that earn more than the prompt's mean, and those that earn less or as much."""
        scored = [(sample, sample.score.composite) for sample in self.samples if sample.score.composite is not None]
        if not self.mixed:
            return [], [sample for sample, _ in scored]
        mean = fmean(self.rewards)
        return [one for one, value in scored if value > mean], [one for one, value in scored if value <= mean]

    def group(self, size: int) -> Drawn:
        """A group of one size, with both sides of the mean in equal parts as far as there are so many.

        Args:
            size: At most as many as were sampled. The first ones of each side are taken; those that could not be
                scored only where nothing else is left.
        """
        if len(self.samples) == size:
            return self
        above, below = self.sides()
        half = size // 2
        taken = above[: max(half, size - len(below))]
        taken = [*taken, *below[: size - len(taken)]]
        rest = [sample for sample in self.samples if not any(sample is one for one in taken)]
        taken = [*taken, *rest[: size - len(taken)]]
        return Drawn(self.case, tuple(sample for sample in self.samples if any(sample is one for one in taken)))


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt that is asked next.

    Attributes:
        case: The case.
        again: Which of the step's prompts it is, from 0, where it was asked before; else None.
    """

    case: Case
    again: int | None = None


def joined(drawn: Sequence[Drawn], asks: Sequence[Ask], groups: Sequence[Sequence[Sample]]) -> list[Drawn]:
    """The step's prompts with a round's groups added: to the prompt that was asked again, or as a new one.

    Args:
        drawn: So far.
        asks: The round's.
        groups: Of each ask, its completions.
    """
    now = list(drawn)
    for ask, samples in zip(asks, groups, strict=True):
        if ask.again is None:
            now.append(Drawn(ask.case, tuple(samples)))
        else:
            now[ask.again] = Drawn(ask.case, (*now[ask.again].samples, *samples))
    return now
