"""What every task owes, checked for free: in tests, and whenever a task is loaded for a run."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from proseform import hostile, reward, verify
from proseform.case import SPLITS, Case
from proseform.errors import ProseformError, TaskError
from proseform.rubric import Rubric
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
    yield from (f"engines do not enforce the schema wholly: {widening}" for widening in task.schema.widenings)
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


def case_faults(task: Task, case: Case, rubric: Rubric) -> Iterator[tuple[str, str]]:
    """The laws that every case owes, gold, generated or a user's own, as (field, what is wrong), lazily.

    Its inputs are the task's, its answer conforms, its prose is read as that answer and earns everything, and what is
    nobody's evaluation earns nothing.

    Args:
        task: The task.
        case: Any case of it.
        rubric: The rubric in force.
    """
    yield from input_faults(task, case)
    if set(case.inputs) != set(task.inputs):
        return  # a reader may look into any of them
    fault = task.schema.fault(case.answer)
    if fault:
        yield (
            f"answer{fault[0].replace('/', '.')}".rstrip("."),
            f"the gold answer does not conform at {fault[0] or '/'}: {fault[1]}",
        )
    verdict = verify.prose(case.prose, task, case.inputs)
    if not verdict.ok:
        yield "prose", f"the gold prose is not accepted: {verdict}"
    elif verdict.value != case.answer:
        yield "prose", f"the gold prose reads as another answer than the gold JSON{_difference(verdict.value, case)}"
    gold = reward.score(case.prose, case, task, rubric)
    if gold.fault:
        yield "prose", f"the gold prose cannot be scored: {gold.fault}"
    elif gold.composite is not None and gold.composite < 1.0 - _EXACT:
        yield "prose", f"the gold prose earns {gold.composite:.3f}, expected 1{_lowest(gold.terms)}"
    yield from (("prose", words) for words in _foreign(task, case, rubric))


def input_faults(task: Task, case: Case) -> Iterator[tuple[str, str]]:
    """What is wrong with a case's inputs, as (field, what is wrong)."""
    if set(case.inputs) != set(task.inputs):
        yield (
            "inputs",
            f"it has the inputs {', '.join(sorted(case.inputs)) or 'none'}, expected {', '.join(task.inputs)}",
        )
    for name, text in case.inputs.items():
        if not text.strip():
            yield f"inputs.{name}", "the input is blank"


def _foreign(task: Task, case: Case, rubric: Rubric) -> Iterator[str]:
    """Text that is nobody's evaluation is not accepted, and earns nothing."""
    for text in FOREIGN:
        scored = reward.score(text, case, task, rubric)
        if verify.prose(text, task, case.inputs).ok:
            yield f"foreign text is accepted: {text[:30]!r}"
        if scored.fault:
            yield f"foreign text cannot be scored: {scored.fault}: {text[:30]!r}"
        elif scored.composite is not None and scored.composite > _EXACT:
            yield f"foreign text earns {scored.composite:.3f}, expected 0: {text[:30]!r}"


def _terms(task: Task, case: Case) -> Iterator[str]:
    """Every term gives every text a number in [0, 1], the same one twice, whether or not a rubric weighs it."""
    for name, text in hostile.texts(case).items():
        for term, function in task.terms.items():
            try:
                value, again = reward.in_range(function(text, case)), reward.in_range(function(text, case))
            except Exception as error:  # noqa: BLE001 - a term is a task's own code, which may raise anything
                words = (
                    str(error)
                    if isinstance(error, ValueError) and str(error).startswith("gave ")
                    else f"raised {error!r:.200}"
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


def _difference(value: object, case: Case) -> str:
    """The first field in which what the prose states is not what the gold JSON says."""
    stated = value if isinstance(value, Mapping) else {}
    name = next((name for name in case.answer if stated.get(name) != case.answer[name]), "")
    return (
        f": {name} is {stated.get(name)!r:.60} in the prose and {case.answer[name]!r:.60} in the answer" if name else ""
    )


def _lowest(terms: Mapping[str, float]) -> str:
    """The term that costs the most."""
    term = min(terms, key=terms.__getitem__)
    return f" (lowest: {term} {terms[term]:.3f})"


def _generated(task: Task) -> Iterator[str]:
    """Generated cases keep the laws, are reproducible, and share no group across splits."""
    for level in task.levels:
        seen: dict[str, str] = {}
        for split in SPLITS:
            cases = list(task.generate(level, split, 0, _SAMPLE))
            if cases != list(task.generate(level, split, 0, _SAMPLE)):
                yield f"level '{level}', split '{split}' is not reproducible from its seed"
            ids = {case.id for case in cases}
            if len(ids) != _SAMPLE:
                yield f"level '{level}', split '{split}' gave {len(ids)} distinct ids for {_SAMPLE} cases"
            yield from _cases(task, cases[:3])
            if cases and not isinstance(task.annotate(cases[0], random.Random(0)), str):
                yield "annotate does not give text"
            for case in cases:
                for group in case.groups:
                    if seen.setdefault(group, split) != split:
                        yield f"level '{level}': group '{group}' is in split '{seen[group]}' and in '{split}'"
