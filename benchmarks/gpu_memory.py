"""Whether the arithmetic of a run's memory meets a GPU: `python -m benchmarks.gpu_memory --out FOLDER`.

For models of a Llama's shape with random weights (nothing is fetched) a few real steps of SFT and GRPO are started
through the launcher that a run uses, and the peak that CUDA's allocator saw is set beside what
:mod:`proseform.train.memory` says; a case that the arithmetic refuses is run all the same, to see whether it truly runs
out of memory. Every case is a process of its own. Without a GPU only the smallest runs, and nothing is measured.
Left out: several GPUs; checkpoints of whole models, which stay on the GPU only as long as they are copied.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu_worker import MEASURED, per_step
from proseform import config, launch, warm
from proseform.errors import ProseformError
from proseform.machine import machine
from proseform.train import memory, weights

WORKER = "benchmarks.gpu_worker"
_GB = 1e9
_NAME = 48
"""Width of a case's name in the table."""
_STEPS = 4
"""Of a run; a stage whose output nothing needs is stopped one before, so that it saves no checkpoint."""
_THREADS = min(8, os.cpu_count() or 1)
"""Of a rank: models are cast to fp32 on the CPU."""


def _shape(layers: int, width: int, heads: int, shared: int, inner: int, *, tied: bool = True) -> dict[str, Any]:
    """A Llama's shape: layers, hidden size, query and key-value heads, inner size of the MLP."""
    return {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_key_value_heads": shared,
        "intermediate_size": inner,
        "tie_word_embeddings": tied,
    }


SHAPES = {
    "tiny": _shape(2, 64, 2, 2, 128),
    "135M": _shape(30, 576, 9, 3, 1536),
    "0.5B": _shape(30, 1152, 18, 6, 3072),
    "1.5B": _shape(24, 2048, 32, 8, 8192),
    "4.5B": _shape(32, 3328, 26, 13, 8960, tied=False),
    "7B": _shape(32, 4096, 32, 8, 14336, tied=False),
}
"""Shapes by the parameters they come to, with 49,152 tokens in the vocabulary."""


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement.

    Attributes:
        shape: A name of :data:`SHAPES`.
        stage: ``sft`` or ``grpo``.
        lora: The rank; 0 trains all weights.
        rows: Rows of an SFT step, or prompts of a GRPO step.
        micro: Rows of a forward pass.
        length: Tokens of each row, prompt and completion.
        completion: Tokens of each completion.
        seconds: What it takes, about; where less is left it is not begun.
        more: What else its run changes.
    """

    shape: str
    stage: str
    lora: int
    rows: int
    micro: int
    length: int
    completion: int
    seconds: int
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        trained = f"LoRA {self.lora}" if self.lora else "whole"
        optimizer = " muon" if "muon" in json.dumps(self.more) else ""
        written = f", {self.completion} written" if self.stage == "grpo" else ""
        return f"{self.shape} {self.stage} {trained}{optimizer}, {self.micro} x {self.length}{written}"

    @property
    def run(self) -> config.Run:
        """The run file's tables."""
        lora = {"lora": {"r": self.lora, "alpha": 2 * self.lora}} if self.lora else {}
        steps = {"steps": _STEPS, "save_every": 50}
        grpo = {"prompts": self.rows, "generations": 8, **steps} if self.stage == "grpo" else {"steps": 0}
        return config.Run.model_validate(
            {
                "name": "gpu",
                "model": {"max_length": self.length},
                "sft": {
                    "evaluator": {"batch": self.rows, "micro_batch": self.micro, **steps, **lora, **self.more},
                },
                "grpo": {**grpo, "micro_batch": self.micro, **(self.more if self.stage == "grpo" else {})},
                "generation": {role: {"max_tokens": self.completion} for role in ("evaluator", "formatter")},
            }
        )

    @property
    def tokens(self) -> int:
        """Tokens of a step: of the rows in SFT, of the completions in GRPO."""
        return self.rows * (8 * self.completion if self.stage == "grpo" else self.length)


MUON = {"optimizer": "muon"}
SMOKE = [Case("tiny", "sft", 4, 2, 2, 256, 16, 0), Case("tiny", "grpo", 4, 1, 8, 256, 16, 0)]
"""What runs without a GPU."""
CASES = [
    Case("135M", "sft", 0, 16, 16, 1024, 256, 15),
    Case("135M", "sft", 32, 16, 4, 1024, 256, 12),
    Case("135M", "grpo", 32, 4, 8, 1024, 32, 20),
    Case("135M", "grpo", 0, 8, 64, 1024, 32, 20),
    Case("135M", "grpo", 0, 8, 64, 1024, 256, 30),
    Case("0.5B", "sft", 0, 16, 8, 2048, 256, 15),
    Case("1.5B", "sft", 0, 8, 4, 2048, 256, 20),
    Case("1.5B", "sft", 0, 8, 4, 2048, 256, 20, MUON),
    Case("1.5B", "grpo", 0, 4, 16, 1024, 32, 25),
    Case("7B", "sft", 16, 8, 4, 4096, 512, 30),
    Case("7B", "grpo", 16, 2, 8, 2048, 32, 25),
    Case("7B", "sft", 0, 4, 4, 4096, 512, 20),
    Case("4.5B", "sft", 0, 1, 1, 1024, 256, 30),
]
"""Cheapest first. A GRPO with LoRA goes on with the adapter of the SFT before it of the same shape."""


def main() -> None:
    """Measure case by case; figures are written as they come."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, required=True, help="folder for gpu_memory.json and gpu_memory.txt")
    options.add_argument("--scratch", type=Path, help="folder for models (17 GB for 7B); default: a temporary one")
    options.add_argument("--seconds", type=float, default=3600, help="time in all; what does not fit in is left out")
    options.add_argument("--limit", type=float, default=120, help="longest time of a case, in seconds")
    options.add_argument("--only", action="append", help="cases whose name contains this; may be given several times")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + chosen.seconds
    gpu = memory.gpu_bytes(config.Run(name="gpu"), here=True)
    if gpu is None:
        print(f"There is no GPU here ({machine()}): one small case of each stage runs, and nothing is measured.")
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="gpu-", dir=chosen.scratch) as folder, warmed(Path(folder)):
        for case in CASES if gpu else SMOKE:
            if chosen.only and not any(part in case.name for part in chosen.only):
                continue
            left = until - time.monotonic()
            if left < case.seconds:
                lines.append({"case": case.name, "outcome": f"left out: {left:.0f} s are left"})
            else:
                lines.append({"case": case.name, **measure(case, Path(folder), min(chosen.limit, left), gpu)})
            text = page(lines, gpu)
            (chosen.out / "gpu_memory.json").write_text(json.dumps(lines, indent=1))
            (chosen.out / "gpu_memory.txt").write_text(text)
            print(text.splitlines()[-1], flush=True)
    print((chosen.out / "gpu_memory.txt").read_text())


@contextlib.contextmanager
def warmed(folder: Path) -> Iterator[None]:
    """A warm process for the ranks, as a run on this machine has; it is ended afterwards."""
    os.environ[warm.SOCKET] = str(folder / "warm")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # a fork takes no thread along
    process = subprocess.Popen(
        [sys.executable, "-m", "proseform.warm", str(folder / "warm"), *warm.MODULES], env=environment
    )
    while not (folder / "warm").exists() and process.poll() is None:
        time.sleep(0.01)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(case: Case, folder: Path, limit_s: float, gpu: float | None) -> dict[str, Any]:
    """Run one case to its end, or to its limit.

    Args:
        case: The case.
        folder: Holds bases, datasets and jobs.
        limit_s: Longest time, in seconds.
        gpu: Memory of the GPU in bytes, as it is stated; None where there is none.
    """
    base = folder / f"base-{case.shape}"
    place = folder / case.name.replace(" ", "-").replace(",", "")
    began = time.monotonic()
    try:
        with limited(limit_s):
            if not (base / "config.json").exists():
                for other in folder.glob("base-*"):
                    shutil.rmtree(other)
                shape = {"shape": SHAPES[case.shape]}
                _start(launch.Job("base", str(folder / "make"), str(base), settings=shape, threads=_THREADS))
            measured = _stage(case, place, base, folder)
    except (TimeoutError, ProseformError) as error:
        measured = {"outcome": f"{type(error).__name__}: {error}", "marks": [], "device": {}}
    shapes = memory.shapes_of(base)
    if not shapes:
        return {"outcome": measured["outcome"]}
    need = next(need for need in memory.needs(shapes, case.run) if need.stage.startswith(case.stage))
    return {
        "parameters": sum(math.prod(shape) for shape in shapes.values()),
        "arithmetic": need.bytes,
        "refused": gpu is not None and need.bytes > gpu,
        "tokens": case.tokens,
        "step_s": per_step(measured["marks"]),
        "whole_s": round(time.monotonic() - began, 1),
        **measured,
    }


def _stage(case: Case, place: Path, base: Path, folder: Path) -> dict[str, Any]:
    """Train, and read what the worker measured."""
    policy = folder / f"adapter-{case.shape}" if case.lora else folder / f"whole-{case.shape}"
    if not case.lora and not policy.exists():
        policy.mkdir()
        (policy / weights.WEIGHTS).symlink_to(base)
    inputs = {"dataset": place / "dataset", "base": base, "policy": policy}
    job = launch.Job(
        stage=case.stage,
        work=str(place / "work"),
        out=str(policy if case.lora and case.stage == "sft" else place / "out"),
        inputs={name: f"{path}#" for name, path in inputs.items()},
        settings={
            "task": "cv",
            "role": "evaluator",
            "run": case.run.model_dump(mode="json", by_alias=True),
            "words": True,
            "stop": 0 if case.lora and case.stage == "sft" else _STEPS - 1,
        },
        threads=_THREADS,
    )
    _start(job)
    measured: dict[str, Any] = json.loads((Path(job.work) / MEASURED).read_text())
    return measured


def _start(job: launch.Job) -> None:
    """Run the benchmark's worker, and wait until its process is gone, whatever ended it."""
    try:
        launch.Local().run(WORKER, job)
    finally:
        while ranks(job):
            time.sleep(0.1)


def ranks(job: launch.Job) -> list[int]:
    """The processes that write a job's log: its ranks, whoever started them."""
    numbers = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "fd" / "1").readlink() == Path(job.work).resolve() / launch.LOG:
                numbers.append(int(process.name))
    return numbers


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """A limit on time, by an alarm.

    Raises:
        TimeoutError: It is over.
    """

    def over(*_: Any) -> None:
        raise TimeoutError(f"not done within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def page(lines: list[dict[str, Any]], gpu: float | None) -> str:
    """The table."""
    device = next((line["device"] for line in lines if line.get("device")), {})
    name = device.get("name") or "no GPU"
    libraries = ", ".join(f"{library} {device[library]}" for library in ("torch", "transformers", "trl") if device)
    sizes = f"stated {(gpu or 0) / _GB:.1f} GB, usable {device.get('bytes', 0) / _GB:.1f} GB"
    head = f"{name}, {sizes}; {machine()}; {libraries}"
    columns = ("parameters", "arithmetic", "peak", "reserved", "used", "after step", "ratio", "s/step", "tokens/s")
    columns = (*columns, "check", "happened")
    table = [head, f"{'case':<{_NAME}}" + "".join(f"{column:>12}" for column in columns)]
    return "\n".join([*table, *(_line(line) for line in lines)]) + "\n"


def _line(line: dict[str, Any]) -> str:
    """One case in the table, sizes in GB."""
    if "arithmetic" not in line:
        return f"{line['case']:<{_NAME}}  {line['outcome']}"
    marks = line["marks"]
    most = {key: max((mark.get(key, 0) for mark in marks), default=0) / _GB for key in ("peak", "reserved", "used")}
    held = max((mark.get("held", 0) for mark in marks if mark.get("step", 0) >= 1), default=0) / _GB
    check = "refused" if line["refused"] else "fits"
    figures = [
        f"{line['parameters'] / 1e9:.2f} B", f"{line['arithmetic'] / _GB:.2f}",
        *(f"{most[key]:.2f}" for key in ("peak", "reserved", "used")), f"{held:.2f}",
        f"{most['peak'] * _GB / line['arithmetic']:.2f}", f"{line['step_s']:.2f}",
        f"{line['tokens'] / line['step_s']:,.0f}", check,
    ]  # fmt: skip
    return f"{line['case']:<{_NAME}}" + "".join(f"{figure:>12}" for figure in figures) + f"  {line['outcome'][:90]}"


if __name__ == "__main__":
    main()
