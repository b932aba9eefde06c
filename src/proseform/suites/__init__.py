"""Suites: what is asked of models. A suite is a pure plan (cases to requests) and a pure summary (records to figures).

Each suite is one module with ``plan(study, subject) -> list[Ask]``, ``judge(outcome, study) -> Outcome`` and
``summarise(outcomes, study) -> figures as JSON``:

- :mod:`~proseform.suites.evaluations`: evaluations in prose, greedy and sampled, of every subject
- :mod:`~proseform.suites.answers`: JSON from end to end, free and constrained
- :mod:`~proseform.suites.formatter`: the formatter by itself, on gold prose, on the evaluator's own, on random schemas
- :mod:`~proseform.suites.levels`: levels that were not trained on
- :mod:`~proseform.suites.blind`: what is earned without reading an input, and by chance
- :mod:`~proseform.suites.readings`: what formatters make of free prose, and whether two of them agree
- :mod:`~proseform.suites.foreign`: from which cases the bundle abstains, its own and foreign ones; asks no model
- :mod:`~proseform.suites.injection`: what attacks do; asked by ``benchmarks.injection``, no part of a run's report

A further suite (a comparison with the champion, swapped names, replayed traffic) is a further module of this kind,
named in :mod:`~proseform.suites.plans`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import Any

from proseform import stats
from proseform.abstention import Abstention
from proseform.bundle import Role
from proseform.case import Case, Split
from proseform.outcome import Outcome
from proseform.prompt import Prompt
from proseform.rubric import Rubric
from proseform.schema import Schema
from proseform.task import Task


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is asked.

    Attributes:
        name: Such as ``base``, ``sft`` or ``grpo``.
        trained: Whether it was trained on the task; one that was not is asked with examples too.
        shipped: Whether it goes into the bundle; all suites are asked of it.
        second: Whether it is the shipped evaluator with a second formatter, which reads what that one writes.
    """

    name: str
    trained: bool = True
    shipped: bool = False
    second: bool = False


@dataclass(frozen=True, slots=True)
class Strange:
    """A random schema, prose that states its values, and the values."""

    id: str
    schema: Schema
    prose: str
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """What suites plan from and judge by.

    Attributes:
        task: The task.
        rubric: The rubric in force.
        schema: What is answered.
        level: The level that was trained.
        cases: Held-out cases of that level.
        harder: Held-out cases of other levels.
        strange: Random schemas.
        train: Training cases, with gold prose: examples and constant answers are taken from here.
        samples: Sampled evaluations of each case.
        temperature: Sampling temperature.
        shots: Examples that an untrained subject is shown; 0 asks it without.
        blind: Cases that are asked with an input of another case, for each input; 0 asks none.
        abstention: Which cases the bundle does not answer; None where it answers all.
        split: Which split the cases are of; ``test`` is the one that tuning has not looked at.
    """

    task: Task
    rubric: Rubric
    schema: Schema
    level: str
    cases: tuple[Case, ...]
    harder: Mapping[str, tuple[Case, ...]] = field(default_factory=dict)
    strange: tuple[Strange, ...] = ()
    train: tuple[Case, ...] = ()
    samples: int = 0
    temperature: float = 1.0
    shots: int = 0
    blind: int = 0
    split: Split = "test"
    abstention: Abstention | None = None

    def without(self, left_out: Iterable[str]) -> Study:
        """The same study without some held-out cases, by id: those that are longer than the context."""
        ids = {*left_out}

        def kept(cases: tuple[Case, ...]) -> tuple[Case, ...]:
            return tuple(case for case in cases if case.id not in ids)

        harder = {level: kept(cases) for level, cases in self.harder.items()}
        return replace(self, cases=kept(self.cases), harder=harder)

    @cached_property
    def by_id(self) -> dict[str, Case]:
        """Every held-out case by its id."""
        return {case.id: case for cases in (self.cases, *self.harder.values()) for case in cases}

    @cached_property
    def strange_by_id(self) -> dict[str, Strange]:
        """Every random schema by its id."""
        return {row.id: row for row in self.strange}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a suite.

    Attributes:
        record: What was asked, to be completed with what comes.
        role: The role that is asked.
        values: Values of the prompt's placeholders; ``prose`` may be missing where ``after`` gives it.
        prompt: Replaces the role's own prompt.
        schema: The schema of a formatter's answer.
        constrained: Whether the engine is held to the schema, on the very path that serving takes.
        temperature: 0 is greedy.
        seed: Of the sampling.
        after: The id of the ask whose text is the prose; it comes first.
    """

    record: Outcome
    role: Role
    values: Mapping[str, str]
    prompt: Prompt | None = None
    schema: Schema | None = None
    constrained: bool = False
    temperature: float = 0.0
    seed: int = 0
    after: str = ""


def where(outcomes: Iterable[Outcome], **fields: Any) -> list[Outcome]:
    """The outcomes whose attributes have these values."""
    return [outcome for outcome in outcomes if all(getattr(outcome, key) == value for key, value in fields.items())]


def scored(outcomes: Iterable[Outcome], score: str) -> dict[str, list[float]]:
    """Case to its scores of one name, without those that do not apply."""
    values: dict[str, list[float]] = {}
    for outcome in outcomes:
        value = outcome.scores.get(score)
        if value is not None:
            values.setdefault(outcome.case, []).append(value)
    return values


def figure(outcomes: Iterable[Outcome], score: str) -> dict[str, Any] | None:
    """The mean of a score with its interval, as JSON (``value low high n``); None where it was not measured."""
    by_case = scored(outcomes, score)
    values = [value for several in by_case.values() for value in several]
    return as_json(stats.mean(values, [case for case, several in by_case.items() for _ in several]))


def figures(outcomes: Sequence[Outcome], scores: Iterable[str]) -> dict[str, Any]:
    """Score name to :func:`figure`."""
    return {score: figure(outcomes, score) for score in scores}


def lift(before: Iterable[Outcome], after: Iterable[Outcome], score: str) -> dict[str, Any] | None:
    """What a score gains, paired by case, as JSON; None where the two share no case."""
    old, new = scored(before, score), scored(after, score)
    return as_json(
        stats.paired(
            {case: fmean(values) for case, values in old.items()}, {case: fmean(values) for case, values in new.items()}
        )
    )


def as_json(estimate: stats.Estimate | None) -> dict[str, Any] | None:
    """An estimate as JSON."""
    return asdict(estimate) if estimate else None
