"""One leg: an arm from one seed, stage by stage, and its record.

A stage leaves a file when it is done, and is not done again; one that was killed goes on from its last checkpoint, or
begins again where it has none. So a leg that was killed ends with the record of one that was not.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.study import arms, recipe, world
from benchmarks.study.meter import Meter, Model
from benchmarks.study.rejection import rejection
from benchmarks.study.stages import Leg
from proseform.machine import machine


def folder_of(folder: Path, arm: str, seed: int) -> Path:
    """Where a leg works, until its record is kept."""
    return folder / "work" / f"{arm}-{seed}"


def talking(folder: Path, plan: arms.Plan, seed: int) -> Path:
    """The weights of a seed's chat model, which is made where it is not there yet."""
    place = folder_of(folder, arms.TALK, seed)
    _of_key(place, plan.talk_key)
    return world.chat_model(plan, place, seed)


def _of_key(place: Path, key: str) -> None:
    """Have a folder that holds nothing of another form of the study."""
    path = place / "key"
    if place.exists() and (not path.is_file() or path.read_text(encoding="utf-8") != key):
        shutil.rmtree(place)
    if not place.exists():
        place.mkdir(parents=True)
        path.write_text(key, encoding="utf-8")


def work_off(folder: Path, plan: arms.Plan, name: str, seed: int) -> dict[str, Any]:
    """The record of a leg.

    Args:
        folder: Of the study; absolute.
        plan: The study; its tasks are installed.
        name: The arm's.
        seed: Of everything.

    Returns:
        ``arm``, ``seed``, ``key``, ``machine``; ``seconds`` of processor time by stage; ``points``, the measurements on
        the way, with ``step``, sampled ``tokens``, ``groups`` and ``mixed`` so far; ``mixed``, the share of a step's
        groups, step by step; ``first``, step and tokens of the first step that sampled an answer which is wholly right,
        or None; ``final`` and ``final_n``, the last measurement and its cases.
    """
    from proseform.infer import loading

    arm = plan.arms[name]
    leg = Leg(plan, arm, seed, folder_of(folder, name, seed), talking(folder, plan, seed))
    _of_key(leg.place, arm.key)
    _RECIPES[arm.factors.recipe](leg)
    count = 2 * plan.study.held_out

    def final() -> dict[str, Any]:
        policy = Model(*loading.load_model(leg.policy))
        return dict(Meter(plan, arm, seed, count, leg.formatter())(policy))

    last = leg.stage("final", final)
    steps = leg.steps
    return {
        "arm": name,
        "seed": seed,
        "key": arm.key,
        "machine": machine(),
        "seconds": leg.seconds,
        "points": leg.points,
        "mixed": shares(steps),
        "first": next(({"step": row["step"], "tokens": row["tokens"]} for row in steps if row.get("right")), None),
        "final": last,
        "final_n": count,
    }


def shares(steps: list[dict[str, Any]]) -> list[float]:
    """The share of mixed groups of each step, from sums.

    >>> shares([{"groups": 8, "mixed": 2}, {"groups": 16, "mixed": 10}])
    [0.25, 1.0]
    """
    befores = [{"groups": 0, "mixed": 0}, *steps]
    pairs = zip(befores, steps, strict=False)
    return [round((now["mixed"] - old["mixed"]) / (now["groups"] - old["groups"]), 4) for old, now in pairs]


def _grpo(leg: Leg) -> None:
    """SFT on JSON, then GRPO."""
    leg.policy = leg.sft("sft", leg.arm.factors.sft)
    leg.policy = leg.grpo()


def _grpo_first(leg: Leg) -> None:
    """GRPO, then SFT on JSON."""
    leg.policy = leg.grpo()
    leg.policy = leg.sft("sft", leg.arm.factors.sft)


def _hybrid(leg: Leg) -> None:
    """A formatter by SFT; GRPO of what the chat model evaluates in prose."""
    leg.writer = leg.sft("formatter", leg.arm.factors.sft, role="formatter")
    leg.policy = leg.grpo()


def _plain(leg: Leg) -> None:
    """SFT on JSON, and as much more of it as GRPO would cost."""
    leg.policy = leg.sft("sft", leg.arm.factors.sft)
    leg.policy = leg.sft("more", recipe.control_steps(leg.plan.study, leg.plan.model), tokens=leg.plan.study.tokens)


_RECIPES: dict[str, Callable[[Leg], None]] = {
    "grpo": _grpo, "grpo-first": _grpo_first, "hybrid": _hybrid, "rejection": rejection, "sft": _plain,
}  # fmt: skip
"""What is done, by its name in arms.toml."""
