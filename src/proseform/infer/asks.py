"""The requests of a chain: what the evaluator and the formatter are asked, first and again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from proseform.infer import Request, ask, judging
from proseform.infer.mending import Kept
from proseform.infer.moves import Plan
from proseform.infer.narrow import narrow
from proseform.verify import Evaluation

_APART = 100
"""Seeds between those of two evaluations of one case."""
_NOTHING = Kept()
_WIDE = 3
"""Bytes a token that the first narrower schema counts with; the second counts with one, which always fits."""


def evaluation(plan: Plan, tries: int, kept: Kept = _NOTHING) -> Request:
    """What the evaluator is asked; again it is sampled, since greedy it would write the same.

    Args:
        plan: What the answer is made of.
        tries: How often its prose was refused.
        kept: What stands of prose that was not accepted: it goes on from there.
    """
    accepts = None if plan.measured else partial(_accepted, plan)
    request = ask(plan.bundle, "evaluator", {**plan.inputs, **plan.excerpts}, deadline=plan.deadline, accepts=accepts)
    if kept.text:
        request = replace(request, prefill=kept.text, expected=kept.expected)
    if kept.behind and request.form is not None:
        request = replace(request, form=replace(request.form, behind=kept.behind))
    if not tries and not plan.sample:
        return request
    temperature = plan.bundle.evaluator.generation.retry_temperature
    return replace(request, temperature=temperature, seed=request.seed + tries + _APART * plan.sample)


def formatting(plan: Plan, given: Evaluation, attempt: int, *, held: bool = False) -> Request:
    """What the formatter is asked of an evaluation; again it is sampled, with twice the budget.

    A prefill that begins an object is left out for other shapes.

    Args:
        plan: What the answer is made of.
        given: The evaluation.
        attempt: How often its JSON was refused.
        held: Whether it can say nothing else where the evaluation states a field, since nothing else is accepted.
    """
    values = {"prose": given.text, "schema": plan.bundle.formatter.prompt.shown(plan.schema)}
    request = ask(plan.bundle, "formatter", values, schema=plan.schema.grammar, deadline=plan.deadline)
    if not (plan.schema.grammar.get("type") == "object" and plan.schema.fields):
        request = replace(request, prefill="")
    if not plan.measured:
        request = replace(request, accepts=partial(_valid, plan), blames=not plan.schema.widenings)
    stated = _stated(plan, given)
    if not attempt:
        return replace(request, expected=json.dumps(stated, ensure_ascii=False)) if stated else request
    return replace(
        request,
        schema=_closed(plan.schema.grammar, stated) if held else plan.schema.grammar,
        once=held and bool(stated),
        max_tokens=2 * request.max_tokens,
        temperature=plan.bundle.formatter.generation.retry_temperature,
        seed=request.seed + attempt,
    )


def _stated(plan: Plan, given: Evaluation) -> dict[str, Any]:
    """The fields that an evaluation states by itself, as far as the schema asks for them."""
    value, claims = given.verdict.value, plan.claims
    if claims is None or not isinstance(value, dict):
        return {}
    return {name: value[name] for name in plan.schema.fields if name in claims.shared and name in value}


def _closed(grammar: dict[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of which nothing is left open that is stated."""
    fields = grammar.get("properties", {})
    held = {name: {"const": value} for name, value in stated.items() if name in fields}
    return {**grammar, "properties": {**fields, **held}} if held else grammar


def _valid(plan: Plan, text: str) -> bool:
    """Whether a text is JSON that the schema allows."""
    return judging.document(plan, text).ok


def _accepted(plan: Plan, prose: str) -> bool:
    """Whether an evaluation will do."""
    return judging.accepted(plan, judging.evaluation(plan, prose).verdict)


def narrowed(request: Request, attempt: int) -> Request:
    """A request under a schema whose documents fit its budget."""
    schema = narrow(request.schema or {}, request.max_tokens * (_WIDE if attempt == 1 else 1))
    return replace(request, schema=schema, prefill=request.prefill if schema.get("properties") else "")
