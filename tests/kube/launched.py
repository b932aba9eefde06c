"""Jobs for tests of the launcher: how they end, and those of an earlier launch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from proseform import config
from proseform import launch as launchers
from proseform.kube import launcher
from proseform.kube.api import Api
from tests.kube.server import Server

JOBS = "/apis/kubeflow.org/v1/namespaces/here/pytorchjobs"
PODS = "/api/v1/namespaces/here/pods"


def cluster(api: Api, **knobs: Any) -> launcher.Cluster:
    place = config.Place.model_validate({"namespace": "here", "jobs": {"pending_s": 600, **knobs}})
    return launcher.Cluster(place, Path("/home/x"), "cv-small-1", api)


def ends(
    server: Server, job: launchers.Job, *conditions: dict[str, str], after: int = 3, writes: bool = True
) -> Callable[..., None]:
    """Let the job end at the n-th request for it."""
    seen = 0

    def before(method: str, path: str) -> None:
        nonlocal seen
        if method == "GET" and path.startswith(JOBS) and path in server.objects:
            seen += 1
            if seen == after:
                if writes:
                    (Path(job.out) / "model.json").write_text("{}")
                server.objects[path]["status"] = {
                    "conditions": [{"status": "True", **condition} for condition in conditions]
                }

    server.before = before
    return before


def existing(server: Server, api: Api, job: launchers.Job, **status: Any) -> dict[str, Any]:
    """A job that an earlier launch, of another pipeline run, has created."""
    earlier = replace(cluster(api), pipeline_run="cv-small-0")
    (manifest,) = launcher.jobs.build(earlier.training("proseform.train.sft", job))
    server.objects[f"{JOBS}/{manifest['metadata']['name']}"] = {**manifest, **status}
    return manifest


def pod(server: Server, manifest: dict[str, Any], **status: Any) -> str:
    name = f"{manifest['metadata']['name']}-master-0"
    server.objects[f"{PODS}/{name}"] = {
        "metadata": {"name": name, "uid": "u", "labels": manifest["metadata"]["labels"]},
        "status": status,
    }
    return name


def wrote(job: launchers.Job, error: Exception, then: Callable[..., None]) -> Callable[..., None]:
    """Let the worker write its error."""

    def before(method: str, path: str) -> None:
        if (Path(job.work) / launchers.JOB).exists():
            launchers.write_error(Path(job.work), error)
        return then(method, path)

    return before
