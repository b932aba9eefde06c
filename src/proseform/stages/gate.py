"""gate: judge a version by the report that is filed with it. A closed gate is a result, with its reasons."""

from __future__ import annotations

import json
from typing import Any

from proseform import config, thresholds
from proseform.registry import attachments, connect, models
from proseform.stages import cache
from proseform.stages.register import registered_name


def run(task: str, run: str, tracking_uri: str, name: str, version: str = "") -> str:
    """Judge a version.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text; its ``[gate]`` holds the thresholds.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        name: The registered model; see :func:`proseform.stages.register.registered_name`.
        version: The version to judge; empty takes the candidate, or the champion if there is no candidate.

    Returns:
        ``open`` or ``closed``.

    Raises:
        RegistryError: No such model or version, or no report is filed with it.
    """
    knobs = config.load(run)

    def body() -> dict[str, Any]:
        registry = connect(cache.home().root, tracking_uri)
        model = registered_name(task, knobs, name)
        judged = models.get(registry, model, version or candidate(models.aliases(registry, model)))
        report = json.loads(attachments.read(registry, judged, "report.json"))
        verdict = thresholds.judge(report, knobs.gate, judged.bundle, judged.tags["proseform.task_contract"])
        attachments.judge(registry, judged, verdict)
        state = "open" if verdict.open else "closed"
        passed = sum(check.passed for check in verdict.checks)
        key = f"{state}, {passed} of {len(verdict.checks)} checks passed"
        return {
            "key": f"{key}: {'; '.join(verdict.reasons)}" if verdict.reasons else key,
            "state": state,
            "verdict": verdict.as_dict(),
        }

    return str(cache.act("gate", body)["state"])


def candidate(aliases: dict[str, str]) -> str:
    """The alias to promote; after a promotion there is no candidate, and a repeated run judges the champion."""
    return models.CANDIDATE if models.CANDIDATE in aliases else models.CHAMPION
