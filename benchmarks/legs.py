"""What benchmarks share that train: their task made known to workers, a worker's job, and what is measured on the way.

Workers are the package's own, called in this process. What they leave behind stays in a leg's folder, so that a leg
that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from proseform import config, digest, jsonl
from proseform.launch import Job

POINTS = "held-out.jsonl"
"""The measurements, in a job's folder of work."""
SUMS = "sums.jsonl"
"""What each step adds up to, beside them."""

Measure = Callable[[], Mapping[str, Any]]
Tally = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any] | None]
Enough = Callable[[Sequence[Mapping[str, Any]]], bool]


def install(folder: Path, name: str, packages: Mapping[str, str]) -> None:
    """Make tasks known to this process and to those that it starts, by entry points in a folder of their own.

    Args:
        folder: Where the folder ``site`` is made; absolute.
        name: Of the distribution.
        packages: Task name to the module of its package, in ``site`` or in this repository.
    """
    site, root = folder / "site", Path(__file__).parents[1]
    about = site / f"proseform_{name}-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: proseform-{name}\nVersion: 1\n")
    lines = "".join(f"{task} = {package}\n" for task, package in packages.items())
    (about / "entry_points.txt").write_text(f"[proseform.tasks]\n{lines}")
    sys.path[:0] = [str(site), str(root)]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), str(root), os.environ.get("PYTHONPATH", "")]))


def job(task: str, role: str, stage: str, place: Path, recipe: config.Run, **inputs: Path) -> Job:
    """A job of a worker, with its folders ``work`` and ``out`` in a place."""
    for name in ("work", "out"):
        (place / name).mkdir(parents=True, exist_ok=True)
    settings = {"task": task, "role": role, "run": recipe.model_dump(mode="json", by_alias=True)}
    refs = {name: f"{path}#{digest.of_files(path)}" for name, path in inputs.items()}
    return Job(stage, str(place / "work"), str(place / "out"), refs, settings)


@contextmanager
def watched(
    worker: ModuleType, callback: Callable[[Any], Any], prepare: Callable[[Any], None] = lambda _: None
) -> Iterator[None]:
    """Within it, a worker's trainer has one more callback.

    Args:
        worker: :mod:`proseform.train.sft` or :mod:`proseform.train.grpo`.
        callback: Gets the trainer, and makes a callback of transformers.
        prepare: Gets the trainer first.
    """
    make = worker._trainer  # type: ignore[attr-defined]  # noqa: SLF001

    def trainer_of(*given: Any) -> Any:
        trainer = make(*given)
        prepare(trainer)
        trainer.add_callback(callback(trainer))
        return trainer

    worker._trainer = trainer_of  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        yield
    finally:
        worker._trainer = make  # type: ignore[attr-defined]  # noqa: SLF001


def grpo_tally(logs: Mapping[str, Any], sums: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a step of GRPO adds to the sums: sampled tokens, groups, mixed ones; None for a line that is of no step."""
    if "sampled_groups" not in logs:
        return None
    groups = logs["sampled_groups"]
    return {
        "tokens": sums["tokens"] + round(logs["sampled_tokens"]),
        "groups": sums["groups"] + round(groups),
        "mixed": sums["mixed"] + round(groups * (1 - logs["frac_zero_variance"])),
        **({"right": logs["right"]} if "right" in logs else {}),
    }


def counted(
    work: Path,
    measure: Measure,
    every: int,
    budget: float = math.inf,
    tally: Tally = grpo_tally,
    enough: Enough = lambda _: False,
) -> Any:
    """A callback that counts a run, and measures it before the first step and after every few.

    A run that goes on keeps what was counted before its checkpoint.

    Args:
        work: The job's folder of work.
        measure: Gives the figures of a measurement; it leaves training's dice as they are.
        every: Steps between two measurements.
        budget: Tokens after which training ends, with a last measurement.
        tally: Counts a step.
        enough: Whether training ends after the measurements so far.
    """
    from transformers import TrainerCallback

    points, sums = work / POINTS, work / SUMS

    class Counted(TrainerCallback):  # type: ignore[misc]
        """See :func:`counted`."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002
            """Drop what was counted after the step from which training goes on."""
            lines = [row for row in jsonl.rows(sums) if row["step"] <= state.global_step]
            self.sums = lines[-1] if lines else {"step": 0, "tokens": 0, "groups": 0, "mixed": 0}
            sums.write_text("".join(f"{json.dumps(row)}\n" for row in lines))
            kept = [row for row in jsonl.rows(points) if row["step"] <= state.global_step]
            kept = kept or [{**self.sums, **measure()}]
            points.write_text("".join(f"{json.dumps(row)}\n" for row in kept))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:  # noqa: ARG002
            """Count a step."""
            added = tally(logs or {}, self.sums)
            if added is None:
                return
            self.sums = {"step": state.global_step, **added}
            _append(sums, self.sums)
            spent = self.sums["tokens"] >= budget
            if spent:
                self._end(control)
            if spent or state.global_step % every == 0:
                _append(points, {**self.sums, **measure()})
                if enough(jsonl.rows(points)):
                    self._end(control)

        def _end(self, control: Any) -> None:
            """No more steps, and no checkpoint of this one: whoever goes on from it would do one more."""
            control.should_training_stop = True
            control.should_save = False

    return Counted()


def _append(path: Path, row: Mapping[str, Any]) -> None:
    """One more line."""
    with path.open("a") as file:
        file.write(f"{json.dumps(row)}\n")
