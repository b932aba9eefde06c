"""What a task's cases hold: how many there are of each split, each field's values, and what is earned unread."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from proseform import laws
from proseform import task as tasks
from proseform.case import SPLITS, Case
from proseform.data.excerpted import Kept, excerpted
from proseform.leaves import leaves
from proseform.suites import Study, blind
from proseform.task import Task, plain

SHOWN = 6
"""Values of a field that are listed; of one with more, how many there are."""
FAULTS = 20
"""Broken laws that are named."""
SAMPLE = 300
"""Cases of a split that are counted where a task generates them without end."""
_TRAIN, _TEST = 300, 200
"""Cases that the blind baselines are chosen and measured on, as ``benchmarks.blind`` does."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the answers.

    Attributes:
        name: Its path, items of arrays as ``[]``.
        cases: Cases that state it.
        values: The commonest values, each with its number of statements; empty where there are too many.
        distinct: How many values there are.
    """

    name: str
    cases: int
    values: tuple[tuple[Any, int], ...]
    distinct: int


@dataclass(frozen=True, slots=True)
class Census:
    """What was counted.

    Attributes:
        task: The task's name.
        title: Its title.
        derived: Files that the folder could have and has not: what they would state is derived. None of a package.
        splits: Split to its number of cases.
        fields: The fields of the answers.
        excerpts: What the excerpts of long inputs keep of the evidence; empty where inputs are shown whole.
        blind: What is earned without reading; see :mod:`proseform.suites.blind`. Empty where a law is broken.
        faults: The laws that are broken, in words; at most :data:`FAULTS`.
    """

    task: str
    title: str
    derived: tuple[str, ...]
    splits: dict[str, int]
    fields: tuple[Field, ...]
    excerpts: tuple[Kept, ...]
    blind: dict[str, Any]
    faults: tuple[str, ...]


def census(task: Task) -> Census:
    """Count a task's cases at its first level, and check every law on each."""
    level = task.levels[0]
    by_split = cases(task, level)
    known = [case for split in by_split.values() for case in split]
    broken = tuple(islice(dict.fromkeys(faults(task, known)), FAULTS))
    folder = tasks.folders().get(task.name)
    derived = [name for name in plain.OPTIONAL if folder and not (folder / name).is_file()]
    return Census(
        task.name,
        task.title,
        tuple(derived),
        {split: len(of) for split, of in by_split.items()},
        tuple(fields(known)),
        excerpted(task, known),
        {} if broken else unread(task, level, by_split),
        broken,
    )


def cases(task: Task, level: str) -> dict[str, list[Case]]:
    """The cases of a level by split: all where they are replayed, else a sample."""
    count = sys.maxsize if task.replayed else SAMPLE
    return {split: list(task.generate(level, split, 0, count)) for split in SPLITS}


def fields(known: Sequence[Case]) -> list[Field]:
    """The fields of the cases' answers, in the order in which they first occur."""
    counts: dict[str, Counter[Any]] = {}
    stating: Counter[str] = Counter()
    for case in known:
        stated = [("".join(_step(step) for step in path).removeprefix("."), leaf) for path, leaf in leaves(case.answer)]
        for name, leaf in stated:
            counts.setdefault(name, Counter())[leaf if isinstance(leaf, str | bool | int | float) else str(leaf)] += 1
        stating.update({name for name, _ in stated})
    return [_field(name, values, stating[name]) for name, values in counts.items()]


def faults(task: Task, known: Sequence[Case]) -> Iterator[str]:
    """Every law that the task or one of its cases breaks, in words."""
    yield from laws.broken(task)
    rubric = task.rubric()
    for case in known:
        for field, words in laws.case_faults(task, case, rubric):
            stated = "answer" if task.replayed and field == "prose" else field  # nobody wrote the prose
            yield f"case '{case.id}', field '{stated}': {words}"


def unread(task: Task, level: str, by_split: dict[str, list[Case]]) -> dict[str, Any]:
    """What is earned without reading an input: the report's baselines that ask no model; see :mod:`suites.blind`."""
    study = Study(
        task,
        task.rubric(),
        task.schema,
        level,
        cases=tuple(by_split["test"][:_TEST]),
        train=tuple(by_split["train"][:_TRAIN]),
    )
    return dict(blind.summarise([], study)["blind"])


def _field(name: str, values: Counter[Any], cases: int) -> Field:
    """One field."""
    common = tuple(values.most_common(SHOWN)) if len(values) <= SHOWN else ()
    return Field(name, cases, common, len(values))


def _step(step: str | int) -> str:
    """One step of a path."""
    return "[]" if isinstance(step, int) else f".{step}"
