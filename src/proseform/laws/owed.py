"""The laws of a task as a whole: schema, prompts, formats, rubric, gold cases, reward terms and the generator.

The task's own code runs in this process, and may hang it; :mod:`proseform.laws.trial` guards against that.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from proseform import guided, hostile, reward
from proseform.case import SPLITS, Case
from proseform.errors import ProseformError, TaskError
from proseform.laws import written
from proseform.laws.cases import case_faults
from proseform.task import GRAMMAR, Task

_SAMPLE = 12
"""Generated cases that are looked at, for each level and split."""


def check(task: Task) -> None:
    """Check every law; the first broken one is the error.

    Raises:
        TaskError: The law in words, and where it is broken.
    """
    for fault in broken(task):
        raise error(task.name, fault)


def error(name: str, fault: str) -> TaskError:
    """The error of a task that breaks a law.

    Args:
        name: The task's name.
        fault: The broken law in words, without a full stop.
    """
    return TaskError(f"Task '{name}' breaks a law: {fault}.", hint="docs/tour.md lists what a task owes.")


def broken(task: Task) -> Iterator[str]:
    """Every broken law in words, lazily."""
    yield from (f"the schema is unbounded at {fault}" for fault in task.schema.unbounded())
    yield from (f"engines do not enforce the schema wholly: {widening}" for widening in task.schema.widenings)
    yield from _prompts(task)
    yield from _formats(task)
    for variant in task.rubrics.get("variants", {}):
        try:
            rubric = task.rubric(variant)
        except ProseformError as fault:
            yield fault.message
            return
        absent = rubric.weights.keys() - task.terms.keys()
        if absent:
            yield f"rubric variant '{variant}' weighs {', '.join(sorted(absent))}, which rewards.py does not score"
            return
    if not task.gold:
        yield "cases.jsonl is empty"
        return
    yield from _cases(task, list(task.gold))
    yield from _guided(task, task.gold)
    yield from _terms(task, task.gold[0])
    yield from _generated(task)


def _prompts(task: Task) -> Iterator[str]:
    """Placeholders equal what is filled in."""
    for name, prompt, expected in (
        ("evaluator.md", task.evaluator, set(task.inputs)),
        ("formatter.md", task.formatter, {"prose", "schema"}),
    ):
        if prompt.placeholders != expected:
            yield f"{name} has the placeholders {sorted(prompt.placeholders)}, expected {sorted(expected)}"


def _guided(task: Task, cases: Sequence[Case]) -> Iterator[str]:
    """Gold evaluations can be written in the form that evaluations are held to, of whole inputs."""
    for case in cases if task.grammar else ():
        if fault := written.fault(guided.filled(task.grammar, case.inputs), case.prose):
            yield f"case {case.id}: {GRAMMAR} does not let its prose be written: {fault}"
            return


def _formats(task: Task) -> Iterator[str]:
    """Formats name fields of the schema, smallest first; the last is the whole of it."""
    fields = set(task.schema.fields)
    for name, chosen in task.formats.items():
        if not set(chosen) <= fields:
            yield f"format '{name}' names {', '.join(sorted(set(chosen) - fields))}, which the schema does not have"
    sizes = [len(chosen) for chosen in task.formats.values()]
    if sizes != sorted(sizes) or 0 in sizes:
        counts = ", ".join(f"{name} has {len(of)}" for name, of in task.formats.items())
        yield f"the formats are not in order, smallest first: {counts}"
    if set([(), *task.formats.values()][-1]) != fields:
        yield "the last format is not the whole schema"


def _terms(task: Task, case: Case) -> Iterator[str]:
    """Every term gives every text a number in [0, 1], the same one twice, whether or not a rubric weighs it."""
    for name, _, text in hostile.texts(case.prose):
        for term, function in task.terms.items():
            try:
                value, again = reward.in_range(function(text, case)), reward.in_range(function(text, case))
            except Exception as fault:  # noqa: BLE001 - a term is a task's own code, which may raise anything
                words = (
                    str(fault)
                    if isinstance(fault, ValueError) and str(fault).startswith("gave ")
                    else f"raised {fault!r:.200}"
                )
                yield f"term '{term}' {words}, for {name}"
                return
            if value != again:
                yield f"term '{term}' gave {value:g} and then {again:g} for the same text, {name}"
                return


def _cases(task: Task, cases: list[Case]) -> Iterator[str]:
    """The laws of each case, in words."""
    rubric = task.rubric()
    for case in cases:
        for field, words in case_faults(task, case, rubric):
            yield f"case '{case.id}', field '{field}': {words}"


def _generated(task: Task) -> Iterator[str]:
    """Generated cases keep the laws, are reproducible, and share no group across splits."""
    for level in task.levels:
        seen: dict[str, str] = {}
        for split in SPLITS:
            cases = list(task.generate(level, split, 0, _SAMPLE))
            if cases != list(task.generate(level, split, 0, _SAMPLE)):
                yield f"level '{level}', split '{split}' is not reproducible from its seed"
            ids, due = {case.id for case in cases}, len(cases) if task.replayed else _SAMPLE
            if len(ids) != due:
                yield f"level '{level}', split '{split}' gave {len(ids)} distinct ids for {due} cases"
            if not cases:
                yield f"level '{level}' has no case of split '{split}'"
            yield from _cases(task, cases[:3])
            if cases and not isinstance(task.annotate(cases[0], random.Random(0)), str):
                yield "annotate does not give text"
            for case in cases:
                for group in case.groups:
                    if seen.setdefault(group, split) != split:
                        yield f"level '{level}': group '{group}' is in split '{seen[group]}' and in '{split}'"
