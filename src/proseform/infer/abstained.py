"""The end of a chain whose case is not like those that the models learnt from: nothing is asked of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from proseform.abstention import Strange
from proseform.bundle import ROLES
from proseform.claims.dates import backwards
from proseform.infer import refusals
from proseform.infer.moves import Done, Plan, Refuse
from proseform.infer.verified import Answer
from proseform.verdict import Reason, Verdict

_UNWRITTEN = Verdict(reason=Reason.EMPTY)


def strange(plan: Plan) -> tuple[Strange, ...]:
    """Why a case is not answered; empty where it is, or where no case is known.

    Either the bundle does not know such cases, or an input has a period that ends before it begins.
    """
    if plan.task is None:
        return ()
    texts = {name: value.text for name, value in plan.inputs.items()}
    beyond = plan.bundle.abstention.strange(texts) if plan.bundle.abstention else ()
    return *beyond, *(Strange(name, "contradictory_dates") for name in plan.task.dated if backwards(texts[name]))


def end(plan: Plan, reasons: Sequence[Strange]) -> Done | Refuse:
    """The schema's own answer for it, or the refusal ``insufficient_evidence``.

    Args:
        plan: Of a case, with its task.
        reasons: At least one, furthest first.
    """
    if plan.claims is None or plan.claims.abstaining is None or plan.task is None:
        return Refuse(refusals.insufficient(reasons))
    value = plan.claims.abstaining.given([str(one) for one in reasons])
    return Done(
        Answer(
            prose="",
            prose_verdict=_UNWRITTEN,
            verdict=_UNWRITTEN,
            text=json.dumps(value, ensure_ascii=False),
            value=value,
            bundle=plan.bundle.digest,
            task=plan.task.contract,
            seconds={},
            tokens=dict.fromkeys(ROLES, 0),
            prompt_tokens=dict.fromkeys(ROLES, 0),
            narrowed=False,
            grounded=1.0,
            attempts=0,
            tries=0,
            findings={name: given.findings for name, given in plan.inputs.items()},
            abstained=tuple(reasons),
        )
    )
