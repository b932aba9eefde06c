"""register: evaluator and formatter as one bundle in MLflow, with its stages' runs and its report.

A bundle that is registered already gets the new report in the place of its own, unless its own is of the split test and
the new one is not: the gate judges by the split test alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proseform import config
from proseform.bundle import Bundle
from proseform.errors import StageError
from proseform.registry import Registry, attachments, connect, model_name, models, track
from proseform.stages import abstention, cache, policy

_STEPS = {
    "dataset": "dataset",
    "sft": "sft-evaluator",
    "grpo": "grpo",
    "formatter": "sft-formatter",
    "report": "evaluate",
}
"""Artifact to the step that made it."""
_TEST = "test"


def run(task: str, run: str, artifacts: Mapping[str, cache.Artifact], tracking_uri: str, name: str) -> str:
    """Register the trained models as one bundle.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        artifacts: ``dataset``, ``sft``, ``grpo``, ``formatter`` and ``report``.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        name: The registered model; empty takes the run's, and then proseform-<task>.

    Returns:
        The version.

    Raises:
        StageError: The report measured another bundle than these models make.
        RegistryError: MLflow refused.
    """
    knobs, the_task = config.load(run), cache.load_task(task)

    def body() -> dict[str, Any]:
        registry = connect(cache.home().root, tracking_uri)
        report = cache.folder(artifacts["report"])
        measured = json.loads((report / "report.json").read_text())
        parent = _track(registry, task, knobs, artifacts)
        with tempfile.TemporaryDirectory(dir=cache.ensured(cache.home().root / "work")) as folder:
            bundle = policy.assemble(
                Path(folder),
                the_task,
                knobs,
                policy.of(artifacts["grpo"]),
                policy.of(artifacts["formatter"]),
                abstention.read(abstention.learnt(the_task, knobs, artifacts["dataset"])),
            )
            if measured["meta"]["digests"]["bundle"] != bundle.digest:
                raise StageError(
                    "The report measured another bundle than these models make.", hint="Run evaluate again."
                )
            standing = _standing(registry, bundle, measured)
            tags = {f"proseform.stage.{step}": cache.ref(artifacts[key]).digest for key, step in _STEPS.items()}
            version = models.register(
                registry,
                Path(folder),
                name=registered_name(task, knobs, name),
                tags=tags,
                report=standing or measured,
                source_run=parent,
            )
        if standing is None:
            texts = {file: (report / file).read_text(encoding="utf-8") for file in ("report.json", "report.html")}
            attachments.attach(registry, version, texts)
        stays = "" if standing is None else "; its report of the split test stays"
        return {
            "key": f"{version.name}, version {version.version}{stays}",
            "name": version.name,
            "version": version.version,
            "bundle": version.bundle,
        }

    return str(cache.act("register", body)["version"])


def registered_name(task: str, run: config.Run, name: str) -> str:
    """The registered model's name: the one asked for, else the run's, else the task's own."""
    return name or run.register_.name or model_name(task)


def _standing(registry: Registry, bundle: Bundle, measured: Mapping[str, Any]) -> dict[str, Any] | None:
    """The report of the split test that is filed with a bundle, where the new one is of another split; else None."""
    if measured["meta"].get("split") == _TEST or (filed := attachments.find(registry, bundle, "report.json")) is None:
        return None
    report: dict[str, Any] = json.loads(filed)
    return report if report["meta"].get("split") == _TEST else None


def _track(registry: Registry, task: str, run: config.Run, artifacts: Mapping[str, cache.Artifact]) -> str:
    """Log every stage with its parameters, metrics and figures as a child of one run; the parent's id."""
    parameters = run.model_dump(mode="json", by_alias=True)
    own = {
        "sft": parameters["sft"]["evaluator"],
        "formatter": parameters["sft"]["formatter"],
        "report": parameters["evaluate"],
    }
    parent = track.log_pipeline(registry, task, run, cache.ref(artifacts["report"]).digest)
    for key, step in _STEPS.items():
        folder, ref = cache.folder(artifacts[key]), cache.ref(artifacts[key])
        track.log_stage(
            registry,
            task,
            step,
            ref.digest,
            parent=parent,
            params=own.get(key) or parameters[step],
            metrics=track.read_metrics(folder / "metrics.jsonl"),
            figures=json.loads(artifacts[key].metadata.get("figures", "{}")),
            tags={"proseform.digest": ref.digest, "proseform.uri": ref.uri},
            files=[folder / "report.html"] if key == "report" else [],
        )
    return parent
