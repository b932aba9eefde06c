"""Methods that let GRPO have a signal where groups have no variance; a run combines them in ``[grpo.signal]``.

Before sampling, a source chooses prompts: :mod:`~proseform.train.methods.curriculum`,
:mod:`~proseform.train.methods.skip`. While sampling, a step asks more:
:mod:`~proseform.train.methods.rounds` the same prompts, then :mod:`~proseform.train.methods.resample` others. Then
groups are chosen, and dead ones give way: :mod:`~proseform.train.methods.gold`, then
:mod:`~proseform.train.methods.replay`. Last, tokens of groups that are still dead may get an advantage:
:mod:`~proseform.train.methods.zero_variance`, and those that made no difference none:
:mod:`~proseform.train.methods.skeleton`. What completions earn is changed by one of them, as soon as they are scored:
:mod:`~proseform.train.methods.form`.

All of it but the tensors of the last two is pure, over values of :mod:`~proseform.train.methods.drawn`. Every rank does
the same with the same gathered completions, and what a method remembers is saved with the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proseform import config
from proseform.case import Case
from proseform.reward import Score
from proseform.rubric import Rubric
from proseform.train.methods.curriculum import Curriculum
from proseform.train.methods.drawn import Ask, Drawn, Sample
from proseform.train.methods.form import Form
from proseform.train.methods.gold import Gold
from proseform.train.methods.replay import Replay
from proseform.train.methods.resample import Resample
from proseform.train.methods.rounds import Rounds
from proseform.train.methods.skip import Skip
from proseform.train.prompts import FixedOrder, Source

__all__ = ["Ask", "Drawn", "Methods", "Sample", "figures", "source"]


def source(knobs: config.Grpo, cases: Sequence[Case], best: float) -> Source:
    """What gives a run's prompts.

    Args:
        knobs: The run's.
        cases: What may be asked; not empty.
        best: The highest reward there is.
    """
    signal = knobs.signal
    often = signal.resample.budget if signal.resample else 1.0
    count = int(max(knobs.steps, 1) * knobs.prompts * often)
    chosen: Source = (
        Curriculum(signal.curriculum, cases, best, knobs.seed)
        if signal.curriculum
        else FixedOrder(cases, count, knobs.seed)
    )
    return Skip(signal.skip, chosen, best, knobs.seed) if signal.skip else chosen


def figures(sampled: Sequence[Sample], groups: Sequence[Drawn], prompts: Source) -> dict[str, float]:
    """What a step has sampled and what becomes of it.

    Args:
        sampled: All completions, discarded ones too.
        groups: What is trained on.
        prompts: The source, which may have figures of its own.

    Returns:
        ``sampled_groups``, ``sampled_tokens``, ``trained_tokens``, ``trained_mixed`` (share of the latter that
        are in mixed groups), ``golden`` and ``replayed`` (groups), and the source's.
    """
    tokens = [sum(len(sample.ids) for sample in group.samples) for group in groups]
    own = getattr(prompts, "figures", dict)
    return {
        "sampled_groups": len(sampled) / len(groups[0].samples),
        "sampled_tokens": sum(len(one.ids) for one in sampled),
        "trained_tokens": sum(tokens),
        "trained_mixed": sum(n for n, group in zip(tokens, groups, strict=True) if group.mixed) / max(1, sum(tokens)),
        "golden": sum(group.golden for group in groups),
        "replayed": sum(bool(group.samples[0].logs) for group in groups),
        **own(),
    }


class Methods:
    """The methods of a run, in the order in which they act.

    Args:
        knobs: The run's.
        prompts: The source that they ask.
        best: The highest reward there is.
        write: The gold completion of each case, scored; None where it cannot be used.
        rubric: In force; None for the gated reward of JSON.
    """

    def __init__(
        self,
        knobs: config.Grpo,
        prompts: Source,
        best: float,
        write: Callable[[Sequence[Case]], Sequence[Sample | None]],
        rubric: Rubric | None = None,
    ) -> None:
        signal = knobs.signal
        self.form = Form(signal.form, rubric) if signal.form and rubric else None
        self.prompts, self.generations, self.best = knobs.prompts, knobs.generations, best
        self._fresh = knobs.prompts
        self.zero_variance = signal.zero_variance
        self.skeleton = signal.skeleton
        self.replay = Replay(signal.replay) if signal.replay else None
        self._rounds = Rounds(signal.rounds, knobs.generations) if signal.rounds else None
        self._resample = Resample(signal.resample, prompts) if signal.resample else None
        self._write = write
        self._gold = Gold(signal.gold, best, self._golden) if signal.gold else None
        self.active = signal != config.Signal()

    def fresh(self, step: int) -> int:
        """How many prompts a step samples, which begins with this call: those that are not replayed."""
        self._fresh = self.prompts - (self.replay.due(self.prompts, step) if self.replay else 0)
        return self._fresh

    def more(self, drawn: Sequence[Drawn]) -> list[Ask]:
        """What is asked next in this step; empty where it has enough, which is after finitely many calls."""
        if self._rounds and (asks := self._rounds.more(drawn)):
            return asks
        return self._resample.more(drawn, self._fresh) if self._resample else []

    def paid(self, scores: Sequence[Score], *, first: bool) -> list[Score]:
        """What completions earn that were just scored.

        Args:
            scores: Of all ranks.
            first: Whether they are the first of their step.
        """
        if self.form is None:
            return [*scores]
        if first:
            self.form.begin(scores)
        return [self.form.paid(one) for one in scores]

    def _golden(self, cases: Sequence[Case]) -> list[Sample | None]:
        """The gold completion of each case, paid as the step's own."""
        written = self._write(cases)
        if self.form is None:
            return [*written]
        return [one and replace(one, score=self.form.paid(one.score)) for one in written]

    def chosen(self, drawn: Sequence[Drawn]) -> list[Drawn]:
        """The prompts that are trained on: mixed ones first, then the first others; in the order of sampling."""
        taken = sorted(range(len(drawn)), key=lambda place: (not drawn[place].mixed, place))[: self._fresh]
        return [drawn[place] for place in sorted(taken)]

    def with_gold(self, groups: Sequence[Drawn]) -> list[Drawn]:
        """The groups, with gold in some dead ones."""
        return self._gold.mix(groups) if self._gold else [*groups]

    def with_replayed(self, groups: Sequence[Drawn], step: int) -> list[Drawn]:
        """The groups of a step, earlier mixed ones in the place of dead ones and of those that were not sampled."""
        return self.replay.mix(groups, step, self.prompts) if self.replay else [*groups]

    def state(self) -> dict[str, Any]:
        """What the methods remember, as JSON; a source has its own state."""
        return {"replay": self.replay.state()} if self.replay else {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of the same methods."""
        if self.replay:
            self.replay.load(state["replay"])
