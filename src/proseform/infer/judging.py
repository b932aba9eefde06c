"""What the verifier says of a text, once for each: the engine that wrote it is judged by it too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def noticed(plan: Plan, prose: Verdict, value: Any) -> dict[str, Sequence[Finding]]:
    """What there is to say of each input: its own findings, and what it names while nothing is quoted for it.

    Args:
        plan: Has the inputs.
        prose: The verdict on the evaluation, which states more than the answer does; of free prose it states nothing.
        value: The answer.
    """
    read = prose.ok and prose.value is not None
    task, stated = plan.task, plan.task.claims if plan.task and read else plan.claims
    said = prose.value if read else value
    found = claims.unquoted(said, stated, plan.inputs, task.synonyms) if task and stated else ()
    return {
        name: (*given.findings, *_told(given, sorted({(one.start, one.end) for one in found if one.input == name})))
        for name, given in plan.inputs.items()
    }


def _told(given: Input, spans: Sequence[tuple[int, int]]) -> Iterator[Finding]:
    """Findings of what an input names; at most so many as of any kind, and then how many more."""
    for start, end in spans[:MOST_FINDINGS]:
        yield Finding("unquoted", f'It names "{given.raw[start:end]}", and nothing is quoted for it.', start, end)
    if len(spans) > MOST_FINDINGS:
        yield Finding("unquoted", f"It names {len(spans) - MOST_FINDINGS} more things for which nothing is quoted.")


def _span(role: Role) -> AbstractContextManager[spans.Span]:
    """The span of a verification."""
    return spans.span("verification", {"proseform.role": role})


def _facts(verdict: Verdict) -> spans.Facts:
    """A verdict without the words of the text."""
    against = {} if verdict.reason is None else {"proseform.reason": str(verdict.reason)}
    return {"proseform.accepted": verdict.ok, **against}
