"""Whether training that was killed ends with the same weights here: `python -m benchmarks.gpu_resume --out FOLDER`.

The tiny model of the run `small`, in a run's dtype: SFT, and GRPO upon it, each twice without a break and once ended by
SIGKILL in the middle and started again. Where the two without a break differ already, this device's arithmetic does not
repeat itself, and no resumption could; ``--deterministic`` does it all with torch's deterministic algorithms as well.
Left out: ranks on several GPUs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu_memory import WORKER, ranks, warmed
from benchmarks.gpu_worker import MEASURED, per_step
from proseform import config, digest, launch, store
from proseform.errors import StageError
from proseform.machine import machine
from proseform.stages import cache, dataset, policy
from proseform.train import checkpoints, progress, weights

_EVERY = 5
"""Steps between checkpoints."""
_RUN = """
extends = "small"
[model]
dtype = "{dtype}"
[dataset]
train = 1000
[sft.evaluator]
steps = {imitated}
save_every = {every}
[grpo]
steps = {steps}
save_every = {every}
[generation]
evaluator.max_tokens = 96
[launch]
processes = 1
device = "auto"
"""


def main() -> None:
    """Train, kill, go on, compare; print the table and write it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, required=True, help="folder for gpu_resume.json and gpu_resume.txt")
    options.add_argument("--steps", type=int, default=20, help="of GRPO")
    options.add_argument(
        "--imitated", type=int, default=300, help="steps of SFT, after which some completions should earn"
    )
    options.add_argument("--deterministic", action="store_true", help="with torch's deterministic algorithms as well")
    options.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    text = _RUN.format(dtype=chosen.dtype, steps=chosen.steps, imitated=chosen.imitated, every=_EVERY)
    run = config.load(text)
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder, warmed(Path(folder)):
        os.environ["PROSEFORM_HOME"] = f"{folder}/home"
        data = cache.Slot()
        dataset.run("cv", text, data)
        base = store.fetch(policy.base(run, "cv", data).ref, Path(folder))
        inputs = {"dataset": cache.folder(data), "base": base}
        for deterministic in (False, True) if chosen.deterministic else (False,):
            place = Path(folder) / ("deterministic" if deterministic else "plain")
            for stage in ("sft", "grpo"):
                jobs = {
                    name: _job(stage, place / stage / name, run, inputs, deterministic) for name in ("a", "b", "cut")
                }
                lines.append(
                    {
                        "stage": stage,
                        "deterministic": deterministic,
                        **compare(jobs, chosen.imitated if stage == "sft" else chosen.steps),
                    }
                )
                inputs = {**inputs, "policy": Path(jobs["a"].out)}
                print(_write(chosen.out, lines, chosen.dtype).splitlines()[-1], flush=True)


def _job(stage: str, place: Path, run: config.Run, inputs: dict[str, Path], deterministic: bool) -> launch.Job:
    """A job of the benchmark's worker."""
    settings = {
        "task": "cv",
        "role": "evaluator",
        "run": run.model_dump(mode="json", by_alias=True),
        "deterministic": deterministic,
    }
    sources = {name: f"{path}#" for name, path in inputs.items()}
    return launch.Job(stage, str(place / "work"), str(place / "out"), sources, settings)


def compare(jobs: dict[str, launch.Job], steps: int) -> dict[str, Any]:
    """Run ``a`` and ``b`` through and kill ``cut`` in the middle, all at the same time; then let it go on.

    Returns:
        ``repeats`` and ``resumes`` (whether the weights are equal byte for byte), where it was killed and went on,
        the first and last of the figure that training should move, and seconds a step of ``a``.
    """
    killed: list[int] = []
    threads = [threading.Thread(target=launch.Local().run, args=(WORKER, jobs[name])) for name in ("a", "b")]
    threads.append(threading.Thread(target=_interrupted, args=(jobs["cut"], killed, steps)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal = checkpoints.latest(Path(jobs["cut"].work) / checkpoints.FOLDER, 1)
    launch.Local().run(WORKER, jobs["cut"])
    digests = {name: _digest(job) for name, job in jobs.items()}
    history = progress.history(jobs["a"])
    shown = "reward" if jobs["a"].stage == "grpo" else "loss"
    measured = json.loads((Path(jobs["a"].work) / MEASURED).read_text())
    return {
        "repeats": digests["a"] == digests["b"],
        "resumes": digests["a"] == digests["cut"],
        "killed": bool(killed),
        "went_on_after": checkpoints.step(seal) if seal else 0,
        "figure": shown,
        "first": progress.mean(history[:5], shown),
        "last": progress.mean(history[-5:], shown),
        "step_s": per_step(measured["marks"]),
        "device": measured["device"],
    }


def _interrupted(job: launch.Job, killed: list[int], steps: int) -> None:
    """Run a job and kill its rank once half of its steps are sealed and the next one is under way."""
    thread = threading.Thread(target=_failing, args=(job,))
    thread.start()
    middle = steps // 2 - steps // 2 % _EVERY
    sealed = Path(job.work) / checkpoints.FOLDER / f"checkpoint-{middle}" / checkpoints.SEAL
    while thread.is_alive() and not sealed.exists():
        time.sleep(0.002)
    for process in ranks(job):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            killed.append(process)
    thread.join()


def _failing(job: launch.Job) -> None:
    """Run a job whose rank is killed."""
    with contextlib.suppress(StageError):
        launch.Local().run(WORKER, job)


def _digest(job: launch.Job) -> str:
    """Of the weights."""
    folder = Path(job.out) / weights.WEIGHTS
    return digest.of_files(folder, [path.name for path in folder.glob("*.safetensors")])


def _write(out: Path, lines: list[dict[str, Any]], dtype: str) -> str:
    """Write both files; the text of the second."""
    (out / "gpu_resume.json").write_text(json.dumps(lines, indent=1))
    about = lines[0]["device"]
    text = [f"{about['name'] or machine()}, torch {about['torch']}; tiny model, {dtype}", *map(_line, lines)]
    (out / "gpu_resume.txt").write_text("\n".join(text) + "\n")
    return "\n".join(text)


def _line(line: dict[str, Any]) -> str:
    """One stage in words."""
    return (
        f"{line['stage']:<5}{'deterministic' if line['deterministic'] else 'plain':<14}repeats: {line['repeats']!s:<6}"
        f"killed: {line['killed']!s:<6}went on after step {line['went_on_after']}, equal: {line['resumes']!s:<6}"
        f"{line['figure']} {line['first']} to {line['last']}, {line['step_s']:.3f} s a step"
    )


if __name__ == "__main__":
    main()
