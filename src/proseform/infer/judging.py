"""What the verifier says of a text, once for each: the engine that wrote it is judged by it too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from proseform import claims, verify
from proseform.bundle import Role
from proseform.infer import spans
from proseform.infer.moves import Plan
from proseform.input import MOST_FINDINGS, Finding, Input
from proseform.verdict import Verdict
from proseform.verify import Evaluation


def evaluation(plan: Plan, prose: str) -> Evaluation:
    """An evaluation as it is taken, with the verdict on it; without a task nothing is known of it.

    Where the bundle says so, what does not follow from its evidence is computed anew.
    """
    task = plan.task
    if task is None:
        return Evaluation(prose, Verdict())
    if prose not in plan.evaluations:
        with _span("evaluator") as span:
            read = verify.evaluation(prose, task, plan.inputs, recompute=plan.bundle.accept == "recomputed")
            plan.evaluations[prose] = read
            span.set(_facts(read.verdict))
    return plan.evaluations[prose]


def document(plan: Plan, text: str) -> Verdict:
    """The verdict on a document, by the plan's schema."""
    if text not in plan.documents:
        with _span("formatter") as span:
            plan.documents[text] = verify.answer(text, plan.schema)
            span.set(_facts(plan.documents[text]))
    return plan.documents[text]


def stated(plan: Plan, document: Verdict, prose: Verdict, cut: Sequence[str]) -> Verdict:
    """What there is against valid JSON beside its schema: it departs from the prose, or from the inputs.

    Args:
        plan: Says what the schema states of its values.
        document: The verdict on the JSON by its schema; one against it stays as it is.
        prose: The verdict on the evaluation.
        cut: JSON pointers of what was cut short.
    """
    if not document.ok or plan.task is None or plan.claims is None:
        return document
    with _span("formatter") as span:
        verdict = verify.stated(document.value, prose, plan.task, plan.claims, plan.inputs, cut=cut)
        span.set(_facts(verdict))
        return verdict


def accepted(plan: Plan, verdict: Verdict) -> bool:
    """Whether the bundle lets pass what the verifier says."""
    return verdict.ok or plan.bundle.accept == "valid"


def noticed(plan: Plan, prose: Verdict, answer: Verdict, value: Any) -> dict[str, Sequence[Finding]]:
    """What there is to say of each input: its own findings, and what of it the answer overlooks, as rules can tell.

    It names what nothing is quoted for, or says what nothing is taken from though the schema says that it is covered.

    Args:
        plan: Has the inputs.
        prose: The verdict on the evaluation, which states more than the answer does; of free prose it states nothing.
        answer: The verdict on the answer.
        value: The answer.
    """
    read = prose.ok and prose.value is not None
    task, stated = plan.task, plan.task.claims if plan.task and read else plan.claims
    said, judged = (prose.value, prose) if read else (value, answer)
    if task is None or stated is None:
        return {name: given.findings for name, given in plan.inputs.items()}
    unquoted = {(one.input, one.start, one.end) for one in claims.unquoted(said, stated, plan.inputs, task.synonyms)}
    uncovered = set(claims.uncovered(said, stated, plan.inputs, judged.evidence)) if judged.ok else set()
    return {
        name: (*given.findings, *_told("unquoted", given, unquoted, name), *_told("uncovered", given, uncovered, name))
        for name, given in plan.inputs.items()
    }


_WORDS = {
    "unquoted": (
        'It names "{}", and nothing is quoted for it.',
        "It names {} more things for which nothing is quoted.",
    ),
    "uncovered": ('Nothing is taken from "{}".', "Nothing is taken from {} more sentences."),
}
"""What is said of a place, and how many more there are, by the kind of finding."""

MOST_SHOWN = 80
"""Characters of an input that a finding repeats."""


def _told(kind: str, given: Input, places: Collection[tuple[str, int, int]], name: str) -> Iterator[Finding]:
    """Findings of places in one of the inputs; at most so many as of any kind, and then how many more."""
    spans = sorted((start, end) for of, start, end in places if of == name)
    one, more = _WORDS[kind]
    for start, end in spans[:MOST_FINDINGS]:
        shown = given.raw[start : min(end, start + MOST_SHOWN)] + ("…" if end - start > MOST_SHOWN else "")
        yield Finding(kind, one.format(shown), start, end)
    if len(spans) > MOST_FINDINGS:
        yield Finding(kind, more.format(len(spans) - MOST_FINDINGS))


def _span(role: Role) -> AbstractContextManager[spans.Span]:
    """The span of a verification."""
    return spans.span("verification", {"proseform.role": role})


def _facts(verdict: Verdict) -> spans.Facts:
    """A verdict without the words of the text."""
    against = {} if verdict.reason is None else {"proseform.reason": str(verdict.reason)}
    return {"proseform.accepted": verdict.ok, **against}
