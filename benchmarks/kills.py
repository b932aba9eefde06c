"""Whether training survives: it is killed (kill -9) at random moments and goes on, and its weights are compared.

Run it as `python -m benchmarks.kills --kills 200`. A run of SFT or GRPO on the frozen task of `benchmarks.signal` is
done once undisturbed. Then runs are killed at moments drawn from its duration, and start again, until they end; each
must end with the same weights, byte by byte. GRPO has every method of `[grpo.signal]` on; `grpo-json` has those for
JSON too, by the rubric `additive`. Workers are forked from this process, so that a start costs no imports. The exit
code is 1 where a run ended with other weights.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.forked import check, forked, wait
from benchmarks.signal import leg
from proseform import config, digest, warm
from proseform.launch import Job
from proseform.machine import machine

EVERYTHING: dict[str, dict[str, float]] = {
    **{name: {} for name in ("resample", "rounds", "zero_variance", "curriculum", "skip", "gold")},
    "replay": {"share": 0.5},
}
STAGES = ("sft", "grpo", "grpo-json")
OF_JSON = {"reward": "json", "rubric": "additive", "signal": {**EVERYTHING, "skeleton": {}, "form": {}}}
STEPS, SAVE_EVERY = 12, 2


@dataclass
class Tally:
    """What came of it.

    Attributes:
        kills: How often a worker was killed.
        runs: Runs that ended.
        equal: Of these, with the weights of the undisturbed one.
    """

    kills: int = 0
    runs: int = 0
    equal: int = 0


def main() -> None:
    """Kill, go on, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="kills of each stage")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=[*STAGES])
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, default=Path(".proseform/benchmarks/kills"))
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    leg.install(folder)
    os.environ["OMP_NUM_THREADS"] = "1"
    for module in warm.MODULES:
        importlib.import_module(module)
    from proseform.train import grpo, sft

    wait(forked(lambda: leg.trained(folder, 0, leg.run(0, STEPS, {})), folder / "trained.log"))
    made = leg.trained(folder, 0, leg.run(0, STEPS, {}))
    recipe = leg.run(0, STEPS, {"signal": EVERYTHING}).model_dump(mode="json", by_alias=True)
    recipe["grpo"]["save_every"] = SAVE_EVERY
    recipe["sft"]["evaluator"] |= {"steps": 40, "save_every": 5}
    of_json = {**recipe, "grpo": {**recipe["grpo"], **OF_JSON}}
    runs = {stage: config.Run.model_validate(of_json if stage == "grpo-json" else recipe) for stage in STAGES}
    inputs = {"sft": {name: made[name] for name in ("dataset", "base")}, "grpo": made, "grpo-json": made}
    mains = {"sft": sft.main, "grpo": grpo.main, "grpo-json": grpo.main}
    tallies = {}
    for stage in given.stages:
        tallies[stage] = tally(
            lambda name, stage=stage: leg.job(stage, folder / name, runs[stage], **inputs[stage]),
            mains[stage], folder, given.kills, random.Random(f"{stage}/{given.seed}"),
        )  # fmt: skip
    print(machine())
    for stage, one in tallies.items():
        print(
            f"{stage:<10}{one.kills:>5} kills{one.runs:>5} runs{one.equal:>5} with the weights of the undisturbed one"
        )
    if any(one.equal < one.runs for one in tallies.values()):
        raise SystemExit(1)


def tally(
    make: Callable[[str], Job], work: Callable[[Job], None], folder: Path, kills: int, rng: random.Random
) -> Tally:
    """Kill runs until there were so many kills and the last run has ended.

    Args:
        make: A job by the name of its folder.
        work: The worker.
        folder: Holds the jobs' folders.
        kills: How many, at least.
        rng: Of the moments.
    """
    began = time.monotonic()
    whole = _fresh(make, folder, "whole")
    wait(forked(lambda: work(whole), _log(whole)))
    duration, due, done = time.monotonic() - began, _weights(whole), Tally()
    while done.kills < kills:
        job = _fresh(make, folder, "killed")
        while True:
            process = forked(partial(work, job), _log(job))
            if _ended_within(process, rng.uniform(0, duration) if done.kills < kills else duration * 1000):
                break
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            done.kills += 1
        done.runs += 1
        done.equal += _weights(job) == due
        print(f"{job.stage}: {done.kills} kills, {done.equal} of {done.runs} runs equal", file=sys.stderr, flush=True)
    return done


def _fresh(make: Callable[[str], Job], folder: Path, name: str) -> Job:
    """A job without anything of an earlier run."""
    shutil.rmtree(folder / name, ignore_errors=True)
    return make(name)


def _weights(job: Job) -> str:
    """The digest of what a run has trained."""
    return digest.of_files(Path(job.out) / "weights")


def _log(job: Job) -> Path:
    """Where the words of a job's worker go."""
    return Path(job.work) / "worker.log"


def _ended_within(process: int, seconds: float) -> bool:
    """Whether a process ends by itself within a time.

    Raises:
        RuntimeError: It failed.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            check(status)
            return True
        time.sleep(0.01)
    return False


if __name__ == "__main__":
    main()
