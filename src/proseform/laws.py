"""What every task owes, checked for free: in tests, and whenever a task is loaded for a run."""

from __future__ import annotations

import random
from collections.abc import Iterator

from proseform import reward, verify
from proseform.case import SPLITS, Case
from proseform.errors import ProseformError, TaskError
from proseform.task import Task

FOREIGN = (
    "",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
    "{}",
    "I'd be happy to help! Could you share more?",
)
"""Texts that are nobody's evaluation."""

_EXACT = 1e-9
"""What rounding may cost."""

_SAMPLE = 12
"""Generated cases that are looked at, for each level and split."""


def check(task: Task) -> None:
    """Check every law; the first broken one is the error.

    Raises:
        TaskError: The law in words, and where it is broken.
    """
    for fault in broken(task):
        raise TaskError(f"Task '{task.name}' breaks a law: {fault}.", hint="docs/tour.md lists what a task owes.")


def broken(task: Task) -> Iterator[str]:
    """Every broken law in words, lazily."""
    yield from (f"the schema is unbounded at {fault}" for fault in task.schema.unbounded())
    yield from _prompts(task)
    yield from _formats(task)
    for variant in task.rubrics.get("variants", {}):
        try:
            rubric = task.rubric(variant)
        except ProseformError as error:
            yield error.message
            return
        absent = rubric.weights.keys() - task.terms.keys()
        if absent:
            yield f"rubric variant '{variant}' weighs {', '.join(sorted(absent))}, which rewards.py does not score"
            return
    if not task.gold:
        yield "cases.jsonl is empty"
    yield from _cases(task, list(task.gold))
    yield from _generated(task)


def _prompts(task: Task) -> Iterator[str]:
    """Placeholders equal what is filled in."""
    for name, prompt, wanted in (
        ("evaluator.md", task.evaluator, set(task.inputs)),
        ("formatter.md", task.formatter, {"prose", "schema"}),
    ):
        if prompt.placeholders != wanted:
            yield f"{name} has the placeholders {sorted(prompt.placeholders)}, expected {sorted(wanted)}"


def _formats(task: Task) -> Iterator[str]:
    """Formats name fields of the schema, smallest first; the last is the whole of it."""
    fields = set(task.schema.fields)
    for name, chosen in task.formats.items():
        if not set(chosen) <= fields:
            yield f"format '{name}' names {', '.join(sorted(set(chosen) - fields))}, which the schema does not have"
    sizes = [len(chosen) for chosen in task.formats.values()]
    if sizes != sorted(sizes) or 0 in sizes:
        yield f"the formats are not in order, smallest first: {', '.join(f'{name} has {len(of)}' for name, of in task.formats.items())}"
    if set([(), *task.formats.values()][-1]) != fields:
        yield "the last format is not the whole schema"


def _cases(task: Task, cases: list[Case]) -> Iterator[str]:
    """Gold conforms and earns the highest reward; what is nobody's evaluation earns the lowest."""
    rubric = task.rubric()
    for case in cases:
        if set(case.inputs) != set(task.inputs):
            yield f"case '{case.id}' has the inputs {sorted(case.inputs)}, expected {sorted(task.inputs)}"
            continue
        fault = task.schema.fault(case.answer)
        if fault:
            yield f"the gold answer of case '{case.id}' does not conform at {fault[0]}: {fault[1]}"
        verdict = verify.prose(case.prose, task)
        if not verdict.ok:
            yield f"the gold prose of case '{case.id}' is not accepted: {verdict}"
        elif verdict.value != case.answer:
            yield f"the gold prose of case '{case.id}' reads as another answer than its gold JSON"
        scores = {text: reward.prose(text, case, task, rubric) for text in (case.prose, *FOREIGN)}
        if scores[case.prose] < 1.0 - _EXACT:
            yield f"the gold prose of case '{case.id}' earns {scores[case.prose]:.3f}, expected 1"
        for text in FOREIGN:
            if verify.prose(text, task).ok:
                yield f"foreign text is accepted: {text[:30]!r}"
            if scores[text] > _EXACT:
                yield f"case '{case.id}': foreign text earns {scores[text]:.3f}, expected 0: {text[:30]!r}"


def _generated(task: Task) -> Iterator[str]:
    """Generated cases keep the laws, are reproducible, and share no group across splits."""
    for level in task.levels:
        seen: dict[str, str] = {}
        for split in SPLITS:
            cases = list(task.generate(level, split, 0, _SAMPLE))
            if cases != list(task.generate(level, split, 0, _SAMPLE)):
                yield f"level '{level}', split '{split}' is not reproducible from its seed"
            if len({case.id for case in cases}) != _SAMPLE:
                yield f"level '{level}', split '{split}' gave {len({case.id for case in cases})} distinct ids for {_SAMPLE} cases"
            yield from _cases(task, cases[:3])
            if cases and not isinstance(task.annotate(cases[0], random.Random(0)), str):
                yield "annotate does not give text"
            for case in cases:
                for group in case.groups:
                    if seen.setdefault(group, split) != split:
                        yield f"level '{level}': group '{group}' is in split '{seen[group]}' and in '{split}'"
