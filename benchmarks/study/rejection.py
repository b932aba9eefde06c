"""Rejection-sampled SFT, a control: rounds that sample, keep what is wholly right, and train on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.study import meter, recipe, world
from benchmarks.study.meter import Meter, Model
from benchmarks.study.stages import Leg
from proseform import task as tasks

ROUNDS = 5
"""How often it samples, chooses and trains."""
GROUP = 8
"""Completions of a prompt, counted as GRPO's groups are."""
PROMPTS = 8
"""Prompts that are asked at once."""


def rejection(leg: Leg) -> None:
    """SFT on JSON; then rounds that sample, keep what is wholly right, and train on as many completions of it."""
    from proseform.infer import loading

    leg.policy = leg.sft("sft", leg.arm.factors.sft)
    gauge = Meter(leg.plan, leg.arm, leg.seed, leg.plan.study.held_out)

    def measured() -> dict[str, Any]:
        return dict(gauge(Model(*loading.load_model(leg.policy))))

    sums: dict[str, Any] = {"step": 0, "tokens": 0, "groups": 0, "mixed": 0}
    leg.points.append({**sums, **leg.stage("before", measured)})
    for number in range(ROUNDS):
        sums = leg.stage(f"sampled-{number}", partial(_chosen, leg, number, sums))
        leg.steps.append(sums)
        kept = leg.place / f"kept-{number}"
        if sums["kept"]:
            steps = math.ceil(sums["completions"] / recipe.SFT_BATCH)
            leg.policy = leg.sft(f"round-{number}", steps, data=kept)
        leg.points.append({**sums, **leg.stage(f"measured-{number}", measured)})


def _chosen(leg: Leg, number: int, before: Mapping[str, Any]) -> dict[str, Any]:
    """Sample a round's share of the tokens, and write the completions that are wholly right as a dataset."""
    from proseform.infer import loading

    policy, task = Model(*loading.load_model(leg.policy)), tasks.load(world.name(leg.arm.factors.prompt))
    known = world.cases("train", leg.seed, world.TRAIN)
    sums, rows, right, completions = dict(before), [], 0, 0
    due = leg.plan.study.tokens * (number + 1) / ROUNDS
    place = number * 1000
    while sums["tokens"] < due:
        some = [known[(place * PROMPTS + at) % len(known)] for at in range(PROMPTS)]
        asked = [(case, task.evaluator.render(case.inputs)) for case in some for _ in range(GROUP)]
        texts = meter.sampled(
            policy, [prompt for _, prompt in asked], task.evaluator.prefill, leg.arm.factors.temperature,
            recipe.longest(leg.plan.model), seed=1 + place,
        )  # fmt: skip
        good = [
            meter.judged([text], [case], task.schema)["right"] == 1.0
            for (text, _), (case, _) in zip(texts, asked, strict=True)
        ]
        groups = [good[at : at + GROUP] for at in range(0, len(good), GROUP)]
        sums["tokens"] += sum(count for _, count in texts)
        sums["groups"] += len(groups)
        sums["mixed"] += sum(len({*group}) > 1 for group in groups)
        completions += len(texts)
        right += sum(good)
        rows += [
            {"id": case.id, "prompt": prompt.to_json(), "completion": text}
            for (case, prompt), (text, _), kept in zip(asked, texts, good, strict=True)
            if kept
        ]
        place += 1
    if rows:
        # sft wants validation rows, whose loss nobody looks at
        world.write(leg.place / f"kept-{number}", {
            "evaluator-train": rows, "evaluator-valid": rows[:1], "cases-train": [], "cases-valid": [],
        })  # fmt: skip
    return {
        "step": number + 1, "tokens": sums["tokens"], "groups": sums["groups"], "mixed": sums["mixed"],
        "right": right / completions, "kept": len(rows), "completions": completions,
    }  # fmt: skip
