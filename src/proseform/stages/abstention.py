"""When a bundle abstains, learnt from its dataset: worked out once, by whichever stage needs it first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proseform import abstention, config
from proseform.abstention import Abstention
from proseform.case import ATTACKED, Case, load_cases
from proseform.stages import cache, keys, policy
from proseform.store import Result, write_json
from proseform.task import Task

_FILE = "abstention.json"
LEARNT = 5000
"""Training cases that are looked at; which words are common in them is known by then."""
_APART = keys.VERIFIER - {"proseform.abstention", "proseform.case"} | {"proseform.task"}
"""Modules that it does not pass through; the task's digests are in its key."""
CALIBRATED = 5000
"""Held-out cases on which the bound is calibrated, so many that others would hardly move it, as others of 1,000 did; of
a user's own as many as the split valid has."""


def learnt(task: Task, run: config.Run, dataset: cache.Artifact) -> Result | None:
    """What a bundle of this dataset is to know, as a result; None where the run wants none.

    Args:
        task: The task.
        run: Gives the share of its own cases that may be taken for strange.
        dataset: Holds the training cases, and a user's own held-out ones; others are generated.
    """
    if not run.abstention.share:
        return None
    inputs: dict[str, Any] = {
        "task": [task.contract, task.data],
        "abstention": run.abstention.model_dump(mode="json"),
        "dataset": cache.ref(dataset).digest,
        "own": bool(run.dataset.file),
        "seed": run.dataset.seed,
    }

    def body(_work: Path, out: Path) -> dict[str, Any]:
        folder = cache.folder(dataset)
        known = load_cases(folder / "cases-train.jsonl", LEARNT)
        train = [case.inputs for case in known if ATTACKED not in case.id]
        held_out = [case.inputs for case in _held_out(task, run, folder)]
        fitted = abstention.fitted(train, held_out, run.abstention.share)
        write_json(out / _FILE, None if fitted is None else asdict(fitted))
        few = f"never: of {abstention.least(run.abstention.share)} held-out cases there are {len(held_out)}"
        return {"key": few if fitted is None else f"beyond {fitted.bound:.2f} standard deviations"}

    return cache.once("abstention", inputs, body, apart=_APART)


def read(result: Result | None) -> Abstention | None:
    """What :func:`learnt` has learnt; None where there were too few held-out cases to calibrate it on."""
    if result is None:
        return None
    stored: Mapping[str, Any] | None = json.loads((policy.fetched(result) / _FILE).read_text(encoding="utf-8"))
    return None if stored is None else Abstention.read(stored)


def _held_out(task: Task, run: config.Run, folder: Path) -> Iterable[Case]:
    """Cases that nothing was trained on: the user's own, or generated ones of the level that was trained."""
    if run.dataset.file or task.replayed:
        return load_cases(folder / "cases-valid.jsonl", CALIBRATED)
    level = str(json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["level"])
    return task.generate(level, "valid", run.dataset.seed, CALIBRATED)
