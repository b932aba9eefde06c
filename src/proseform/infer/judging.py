"""What the verifier says of a text, once for each: the engine that wrote it is judged by it too."""

from __future__ import annotations

from proseform import verify
from proseform.infer.moves import Plan
from proseform.verdict import Verdict


def read(plan: Plan, prose: str) -> Verdict:
    """The verdict on an evaluation; without a task nothing is known of it."""
    if plan.task is None:
        return Verdict()
    if prose not in plan.verdicts:
        plan.verdicts[prose] = verify.prose(prose, plan.task, plan.inputs)
    return plan.verdicts[prose]


def document(plan: Plan, text: str) -> Verdict:
    """The verdict on a document, by the plan's schema."""
    if text not in plan.documents:
        plan.documents[text] = verify.answer(text, plan.schema)
    return plan.documents[text]


def accepted(plan: Plan, verdict: Verdict) -> bool:
    """Whether the bundle lets pass what the verifier says."""
    return verdict.ok or plan.bundle.accept == "valid"
