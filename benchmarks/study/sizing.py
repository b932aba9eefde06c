"""What the study will take, from one short leg of the centre, in processor time: what runs beside it hardly counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.study import arms, recipe, stages
from proseform.machine import machine

TOKENS, EVERY, TALK_STEPS = 20_000, 10, 60
"""Of the leg that is timed."""


def words(plan: arms.Plan, todo: Sequence[tuple[str, int]], record: Mapping[str, Any], workers: int) -> str:
    """The estimate in words.

    Args:
        plan: The whole study.
        todo: Its legs.
        record: Of the short leg.
        workers: Legs side by side.
    """
    spent = record["seconds"]
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items())
    total = seconds(plan, todo, record)
    lines = [
        f"{machine()}",
        f"a leg of the centre with {TOKENS:,} tokens: {parts}",
        f"{len(todo)} legs with {plan.study.tokens:,} tokens, {len({seed for _, seed in todo})} chat models: about "
        f"{total / 3600:.1f} hours of processor time, {total / 3600 / workers:.1f} hours with {workers} quiet cores",
    ]
    return "\n".join(lines)


def seconds(plan: arms.Plan, todo: Sequence[tuple[str, int]], record: Mapping[str, Any]) -> float:
    """Processor time of legs, in seconds; a rejection's round is taken to cost what GRPO does.

    Args:
        plan: The whole study.
        todo: Its legs.
        record: Of a leg of the centre, whatever its length.
    """
    spent, points, centre = record["seconds"], record["points"], plan.arms[plan.centre].factors
    measuring = spent["final"] * plan.study.held_out / record["final_n"]
    step = spent["sft"] / centre.sft
    last = points[-1]
    token = (spent["grpo"] - len(points) * measuring) / last["tokens"]
    measured = plan.study.tokens * last["step"] / last["tokens"] / plan.study.measure_every
    talk = len({seed for _, seed in todo}) * plan.model.talk_steps * step
    total = talk
    for name, _ in todo:
        factors = plan.arms[name].factors
        total += factors.sft * step + spent["final"]
        if factors.recipe == "sft":
            total += recipe.control_steps(plan.study, plan.model) * step + stages.CONTROL_POINTS * measuring
        else:
            total += plan.study.tokens * token + measured * measuring * (2 if factors.recipe == "hybrid" else 1)
    return total
