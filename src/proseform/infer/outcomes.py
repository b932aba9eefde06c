"""What a chain that ended well gives: verified JSON, and what it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proseform.infer import Completion, judging, mending
from proseform.infer.grounding import grounding
from proseform.infer.verified import Answer, Formatted
from proseform.verdict import Verdict

if TYPE_CHECKING:
    from proseform.infer.chain import State


def outcome(state: State, completion: Completion, value: Any, judged: Verdict) -> Answer | Formatted:
    """Verified JSON, and what it was made of."""
    plan, taken = state.plan, state.evaluation
    rest: dict[str, Any] = {
        "narrowed": state.attempt > 0 and plan.narrows,
        "cut": completion.cut,
        "attempts": state.attempt + 1,
    }
    if plan.task is None:
        spent = state.formatter
        return Formatted(completion.text, value, spent.tokens, spent.seconds, prompt_tokens=spent.prompt_tokens, **rest)
    spent_by = {"evaluator": state.evaluator, "formatter": state.formatter}
    prompted = {role: spent.prompt_tokens for role, spent in spent_by.items() if spent.prompt_tokens is not None}
    return Answer(
        prose=taken.text,
        prose_verdict=taken.verdict,
        verdict=judged if taken.verdict.ok else taken.verdict,
        text=completion.text,
        value=value,
        bundle=plan.bundle.digest,
        task=plan.task.contract,
        seconds={role: spent.seconds for role, spent in spent_by.items()},
        tokens={role: spent.tokens for role, spent in spent_by.items()},
        prompt_tokens=prompted if prompted.keys() == spent_by.keys() else None,
        tries=state.tries + state.mends + 1,
        grounded=grounding(value, taken.text, plan.schema),
        findings=judging.noticed(plan, taken.verdict, judged, value),
        recomputed=(*mending.standing(taken, state.told), *taken.recomputed),
        **rest,
    )
