"""The laws that every case owes, whether gold, generated or a user's own.

Its inputs are the task's, its answer conforms to the schema, its prose is read as that answer and earns the highest
reward, so is what the task's writer makes of that answer, and text that is nobody's evaluation earns nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from proseform import reward, verify
from proseform.case import Case
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


def case_faults(task: Task, case: Case, rubric: Rubric) -> Iterator[tuple[str, str]]:
    """The laws that every case owes, gold, generated or a user's own, as (field, what is wrong), lazily.

    Its inputs are the task's, its answer conforms, its prose is read as that answer and earns everything, what a writer
    makes of the answer is read as it too, and what is nobody's evaluation earns nothing.

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
    if task.write is not None and not fault:
        written = verify.form(task.write(case.answer), task, case.inputs)
        if not written.ok or written.value != case.answer:
            yield "answer", f"what the task writes of the gold JSON is not read as it: {written}"
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
        if verify.form(text, task, case.inputs).ok:
            yield f"foreign text is accepted: {text[:30]!r}"
        if scored.fault:
            yield f"foreign text cannot be scored: {scored.fault}: {text[:30]!r}"
        elif scored.composite is not None and scored.composite > _EXACT:
            yield f"foreign text earns {scored.composite:.3f}, expected 0: {text[:30]!r}"


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
