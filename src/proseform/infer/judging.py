"""What the verifier says of a text, once for each: the engine that wrote it is judged by it too."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import takewhile
from typing import Any

from proseform import claims, verify
from proseform.bundle import Role
from proseform.infer import spans, tokens
from proseform.infer.moves import Plan
from proseform.input import MOST_FINDINGS, Finding, Input
from proseform.schema import pointer
from proseform.strict import same
from proseform.verdict import Correction, Reason, Verdict
from proseform.verify import Evaluation

_LINE = re.compile(r"line ([0-9]{1,4})")


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


def sound(plan: Plan, prose: str) -> str:
    """The beginning of an evaluation that was not accepted, up to its fault; empty where nothing is known of it.

    A line that is none of the form has its number in the verdict, and in which line something stands that is not
    grounded, the task's writer tells: whole lines are kept then. Where periods run to the present and no date says when
    that is, it goes on where the date belongs. Nothing is kept that spells a control token: a server that is asked in
    messages would read it as one.
    """
    kept = _before_the_fault(plan, prose, evaluation(plan, prose).verdict)
    return "" if tokens.special(kept) else kept


def _before_the_fault(plan: Plan, prose: str, verdict: Verdict) -> str:
    """As :func:`sound`, control tokens and all."""
    task = plan.task
    if verdict.reason is Reason.FORM and (numbered := _LINE.fullmatch(verdict.where)):
        return "".join(prose.splitlines(keepends=True)[: int(numbered[1]) - 1])
    if verdict.reason not in (Reason.UNGROUNDED, Reason.INCONSISTENT) or task is None or task.write is None:
        return ""
    value = verify.form(prose, task, plan.inputs).value
    if verdict.reason is Reason.INCONSISTENT:
        missing = claims.undated(value, task.claims)
        return _until(task.write, value, missing).rstrip() if missing else ""
    if not isinstance(pointer.at(value, verdict.where), str):
        return ""
    lines, end, _ = _until(task.write, value, verdict.where).rpartition("\n")
    return lines + end


def _until(write: Callable[[Any], str], value: Any, place: str) -> str:
    """An evaluation up to where it says what stands at a place."""
    ways = []
    for other in "01":
        changed = copy.deepcopy(value)
        pointer.put(changed, place, other)
        ways.append(write(changed))
    return ways[0][: _alike(*ways)]


def struck(plan: Plan, prose: str) -> tuple[str, Correction] | None:
    """The beginning of an evaluation through a quote for what no input names, without it, and what was struck out.

    None for other faults. What stands in the quote's place is as the task writes it. Only where the bundle says that
    what follows by rule is computed by rule, since here a rule tells the model what it may not find.
    """
    verdict, task = evaluation(plan, prose).verdict, plan.task
    if plan.bundle.accept != "recomputed" or verdict.reason is not Reason.UNGROUNDED:
        return None
    if task is None or task.write is None:
        return None
    value = verify.form(prose, task, plan.inputs).value
    without = claims.struck(value, verdict.where, task.claims, plan.inputs, task.synonyms)
    if without is None:
        return None
    before, after = task.write(value), task.write(without[0])
    same_first, same_last = _alike(before, after), _alike(before[::-1], after[::-1])
    kept = after[: max(same_first, len(after) - same_last)]
    return None if tokens.special(kept) else (kept, without[1])


def standing(taken: Evaluation, strikes: Sequence[Correction]) -> Iterator[Correction]:
    """What was struck out and is still out: an evaluation that was written again from an earlier line forgets it."""
    value = taken.verdict.value
    yield from (one for one in strikes if same(pointer.at(value, one.pointer), one.follows))


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


def _alike(one: str, other: str) -> int:
    """Characters with which both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


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
