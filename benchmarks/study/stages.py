"""The stages of a leg: the package's own workers, called in this process, measured on the way, and done once each.

A stage leaves a file when it is done. One that was killed goes on from its last checkpoint, or begins again where it
has none, and ends with the same bytes.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import legs
from benchmarks.study import arms, grammar, recipe, world
from benchmarks.study.meter import Meter, Model
from proseform import config, jsonl
from proseform.store import write_json

CONTROL_POINTS = 10
"""Measurements of plain SFT."""


@dataclass
class Leg:
    """What the recipes of arms work with.

    Attributes:
        plan: The study.
        arm: The arm.
        seed: Of everything.
        place: The leg's folder.
        policy: The weights that were trained last.
        writer: The formatter's weights, where there is one.
        points: Measurements so far.
        steps: Sums after each step that sampled.
        seconds: Processor time by stage.
    """

    plan: arms.Plan
    arm: arms.Arm
    seed: int
    place: Path
    policy: Path
    writer: Path | None = None
    points: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def stage(self, name: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """What a stage gives, as JSON; it is done once."""
        path = self.place / f"{name}.json"
        if not path.exists():
            began = _processor_s()
            given = work()
            write_json(path, {"seconds": round(_processor_s() - began, 1), "given": dict(given)})
        kept = json.loads(path.read_text(encoding="utf-8"))
        self.seconds[name] = kept["seconds"]
        return dict(kept["given"])

    def recipe(self, sft_steps: int) -> config.Run:
        """The run of a stage; see :func:`benchmarks.study.recipe.leg`."""
        return config.Run.model_validate(
            recipe.leg(self.plan.study, self.plan.model, self.arm.factors, self.seed, sft_steps)
        )

    def formatter(self) -> Model | None:
        """The formatter, loaded, where there is one."""
        from proseform.infer import loading

        return Model(*loading.load_model(self.writer)) if self.writer else None

    def dataset(self) -> Path:
        """The rows of the arm's prompt; the same whenever they are written."""
        return world.dataset(self.place, self.arm.factors.prompt, self.seed)

    def measure(self, trainer: Any) -> legs.Measure:
        """What measures a trainer's model on the way."""
        gauge = Meter(self.plan, self.arm, self.seed, self.plan.study.held_out, self.formatter())
        return lambda: gauge(Model(trainer.model, trainer.processing_class))

    def sft(self, name: str, steps: int, role: str = "evaluator", tokens: int = 0, data: Path | None = None) -> Path:
        """The weights of so many steps of SFT from the policy, on the careless JSON unless other rows are given.

        Args:
            name: Of the stage.
            steps: 0 leaves the policy as it is.
            role: Whose rows.
            tokens: Sampled tokens to which all steps count as equal; with them it is measured on the way.
            data: A dataset's folder.
        """
        from proseform.train import sft, weights

        if not steps:
            return self.policy
        place = self.place / name
        task = world.name(self.arm.factors.prompt)

        def work() -> dict[str, Any]:
            job = legs.job(
                task, role, name, place, self.recipe(steps), dataset=data or self.dataset(), base=self.policy
            )
            if not tokens:
                sft.main(job)
                return {}
            each, every = tokens / steps, max(1, steps // CONTROL_POINTS)

            def tally(logs: Mapping[str, Any], sums: Mapping[str, Any]) -> dict[str, Any] | None:
                return {"tokens": sums["tokens"] + each} if "loss" in logs else None

            at = Path(job.work)
            with legs.watched(sft, lambda trainer: legs.counted(at, self.measure(trainer), every, tally=tally)):
                sft.main(job)
            return {"points": jsonl.rows(at / legs.POINTS)}

        self.points += self.stage(name, work).get("points", [])
        return place / "out" / weights.WEIGHTS

    def grpo(self) -> Path:
        """The weights of GRPO from the policy."""
        from proseform.train import grpo, weights

        place, task = self.place / "grpo", world.name(self.arm.factors.prompt)

        def work() -> dict[str, Any]:
            inputs = {"dataset": self.dataset(), "policy": self.policy.parent}
            job = legs.job(task, "evaluator", "grpo", place, self.recipe(1), **inputs)
            at, study = Path(job.work), self.plan.study
            counted = partial(legs.counted, every=study.measure_every, budget=study.tokens)
            hold = partial(grammar.hold, task=task) if self.arm.factors.constrained else lambda _: None
            with legs.watched(grpo, lambda trainer: counted(at, self.measure(trainer)), hold):
                grpo.main(job)
            return {"points": jsonl.rows(at / legs.POINTS), "steps": jsonl.rows(at / legs.SUMS)}

        given = self.stage("grpo", work)
        self.points += given["points"]
        self.steps += given["steps"]
        return place / "out" / weights.WEIGHTS


def _processor_s() -> float:
    """Processor time of this process and of those that it has ended, in seconds."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)
