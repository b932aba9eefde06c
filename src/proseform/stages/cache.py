"""The stage cache: the home folder, a stage's key, its lock, its commit, and its events.

A stage's key is a digest of the code and libraries that its result passes through (see :mod:`~proseform.stages.keys`)
and of its inputs: the task, its own part of the resolved run, and the digests of its payloads. If a result exists, it
is adopted; if another process is making it, this one waits and adopts it; else the stage runs, and commits atomically.
Events go to ``runs/<run>/events.jsonl`` in the home folder, where the pipeline's display reads them.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from proseform import config, digest, launch
from proseform.laws import trial
from proseform.lifetime import end_with
from proseform.stages import keys
from proseform.store import Ref, Result, Store, fetch, write_json
from proseform.task import Task


class Artifact(Protocol):
    """What travels between components: KFP's own artifacts have this shape."""

    uri: str
    metadata: dict[str, Any]


@dataclass
class Slot:
    """An artifact outside of a pipeline; empty until a stage fills it."""

    uri: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Home:
    """The home folder: ``PROSEFORM_HOME``, by default ``.proseform`` in the working directory.

    Attributes:
        root: The folder; holds work, runs, and by default the store and the registry.
        store: The payloads: ``PROSEFORM_STORE``, by default ``store`` below the root.
        run: The name of the pipeline run: ``PROSEFORM_RUN``.
        fresh: Part of every key: ``PROSEFORM_FRESH``. Empty, unless results of earlier runs must not be adopted.
        place: Where training and serving run, as a name, path or text: ``PROSEFORM_PLACE``; empty is this machine.
        engine: What answers on this machine, as ``--engine`` has it: ``PROSEFORM_ENGINE``; empty is this process.
    """

    root: Path
    store: Store
    run: str
    fresh: str
    place: str = ""
    engine: str = ""

    @property
    def runs(self) -> Path:
        """The folder of this pipeline run."""
        return self.root / "runs" / self.run

    @property
    def cluster(self) -> config.Place | None:
        """The place on Kubernetes; None if everything runs on this machine.

        Raises:
            ConfigError: No such place, or a wrong key or value in it.
        """
        return config.PLACES.load(self.place) if self.place else None

    def tell(self, **event: Any) -> None:
        """Append an event to the run's ``events.jsonl``."""
        self.runs.mkdir(parents=True, exist_ok=True)
        with (self.runs / "events.jsonl").open("a") as file:
            file.write(json.dumps({"t": round(time.time(), 2), **event}, ensure_ascii=False) + "\n")


def home() -> Home:
    """The home of this process."""
    root = Path(os.environ.get("PROSEFORM_HOME", ".proseform")).absolute()
    store = Store(os.environ.get("PROSEFORM_STORE") or str(root / "store"))
    run, fresh, place, engine = (
        os.environ.get(f"PROSEFORM_{name}", default)
        for name, default in (("RUN", "by-hand"), ("FRESH", ""), ("PLACE", ""), ("ENGINE", ""))
    )
    return Home(root, store, run, fresh, place, engine)


def load_task(name: str) -> Task:
    """The task, after its laws have been checked.

    Raises:
        TaskError: No such task, or a broken law.
    """
    return trial.load(name)


def once(
    stage: str,
    inputs: Mapping[str, Any],
    body: Callable[[Path, Path], Mapping[str, Any]],
    *,
    roots: Sequence[str] = (),
    apart: frozenset[str] = frozenset(),
    also: Sequence[str] = (),
) -> Result:
    """Run a stage's body, unless its result exists.

    Args:
        stage: The step's name.
        inputs: Everything that the result depends on beside the code, as JSON.
        body: ``(work, out) -> figures``: fills the folder ``out``; ``work`` survives an interruption.
        roots: Modules that the result passes through, with all that they import; empty: the stage's own module.
        apart: Modules that the roots reach, but that the result does not pass through.
        also: Libraries that the result passes through although no module imports them by name.

    Raises:
        ProseformError: The body's; it is written to ``error.json`` too.
    """
    place = home()
    tie()
    key = digest.of_json({"stage": stage, **keys.of(stage, roots, apart, also), "fresh": place.fresh, **inputs})
    work = place.root / "work" / f"{stage}-{digest.short(key)}"
    with place.store.lock(stage, key, place.root / "work") as waited:
        done = place.store.result(stage, key)
        if done is not None:
            place.tell(
                stage=stage,
                state="reused",
                waited=waited,
                seconds=done.seconds,
                figures=dict(done.figures),
                uri=done.ref.uri,
            )
            return done
        place.tell(stage=stage, state="started", work=str(work), resumed=(work / "checkpoints").is_dir())
        out = work / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        started = time.monotonic()
        try:
            figures = body(work, out)
        except Exception as error:
            launch.write_error(work, error)
            place.tell(stage=stage, state="failed", **launch.words(error))
            raise
        done = place.store.commit(stage, key, out, figures, time.monotonic() - started)
        place.tell(stage=stage, state="done", seconds=done.seconds, figures=dict(done.figures), uri=done.ref.uri)
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(work / "checkpoints", ignore_errors=True)
    return done


def act(stage: str, body: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Run a stage that acts on the registry; it runs every time, since the registry may have changed.

    Args:
        stage: The step's name; its figures are kept as ``<stage>.json`` in the run's folder.
        body: Acts, and gives the figures; it must be idempotent.
    """
    place = home()
    tie()
    work = ensured(place.root / "work" / f"{stage}-{place.run}")
    place.tell(stage=stage, state="started", work=str(work))
    started = time.monotonic()
    try:
        figures = body()
    except Exception as error:
        place.tell(stage=stage, state="failed", **launch.words(error))
        raise
    write_json(place.runs / f"{stage}.json", dict(figures))
    place.tell(
        stage=stage, state="done", seconds=round(time.monotonic() - started, 2), figures={"key": figures.get("key", "")}
    )
    return figures


def tie() -> None:
    """End with the pipeline's runner, if ``PROSEFORM_TIED`` holds its process id."""
    runner = os.environ.pop("PROSEFORM_TIED", "")  # not for children of this process, which end with it
    if runner:
        end_with(int(runner))


def ensured(folder: Path) -> Path:
    """The folder, created if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def ref(artifact: Artifact) -> Ref:
    """The reference that an artifact carries."""
    return Ref(artifact.uri, str(artifact.metadata["digest"]))


def folder(artifact: Artifact) -> Path:
    """An artifact's payload as a local folder, verified."""
    return fetch(ref(artifact), home().root / "fetched")


def hand_over(result: Result, artifact: Artifact) -> None:
    """Write a result's URI, digest and figures to an artifact."""
    artifact.uri = result.ref.uri
    artifact.metadata["digest"] = result.ref.digest
    artifact.metadata["figures"] = json.dumps(dict(result.figures))
