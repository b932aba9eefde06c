"""Samples of what the builders of `proseform.kube` make, for people to read: training jobs, and both forms of serving.

Names and digests are made up; `proseform deploy --dry-run client` prints the objects of a real bundle.
"""

from __future__ import annotations

from typing import Any

from proseform import config, digest, task
from proseform.bundle import Bundle, Generation, Part
from proseform.kube import jobs, sampler, services, traffic

_KEY = digest.of_json("a sample")
_HOME = "/var/lib/proseform"
_GPUS = {"nodes": 2, "gpus": 8, "cpu": "32", "memory": "400Gi", "queue": "training"}


def every() -> dict[str, list[dict[str, Any]]]:
    """The objects of every sample by its file's name."""
    return {
        "pytorchjob": jobs.build(_training("PyTorchJob")),
        "trainjob": jobs.build(_training("TrainJob")),
        "generation": _sampled(),
        "economical": _served("economical"),
        "wide": _served("wide"),
    }


def _training(kind: str) -> jobs.Training:
    """GRPO on two nodes of eight GPUs."""
    place = config.Place.model_validate({"jobs": {"kind": kind, **_GPUS}})
    work, short = f"{_HOME}/work/grpo-{digest.short(_KEY)}", digest.short(_KEY)
    labels = {jobs.KEY: short, jobs.STAGE: "grpo", jobs.RUN: "cv-default-20260101-120000"}
    return jobs.Training(
        f"grpo-{short}", "proseform.train.grpo", f"{work}/job.json", _HOME, place, 16, 4, labels, {jobs.KEY: _KEY}
    )


def _sampled() -> list[dict[str, Any]]:
    """GRPO on two nodes of eight GPUs, and the vLLM server that samples for it on two more."""
    run = config.load('extends = "default"\n[grpo.generation]\nengine = "vllm-server"\ntensor_parallel = 2\n')
    training = _training("PyTorchJob")
    return [*jobs.build(sampler.beside(training)), *sampler.build(training, f"{_HOME}/store/base/model", run)]


def _served(form: str) -> list[dict[str, Any]]:
    """Version 3 of the CV task's bundle, adapters on one base, with the route that gives it all traffic."""
    place = config.Place.model_validate({"serving": {"form": form}})
    cv = task.load("cv")
    parts = {
        role: Part("base", digest.of_json("base"), prompt, Generation(tokens, 4096), role, digest.of_json(role))
        for role, prompt, tokens in (("evaluator", cv.evaluator, 512), ("formatter", cv.formatter, 768))
    }
    bundle = Bundle(
        cv.name,
        cv.contract,
        parts["evaluator"],
        parts["formatter"],
        cv.schema.document,
        {"dtype": "bfloat16"},
    )
    where = f"pvc://{place.claim}/bundles/{digest.short(bundle.digest)}"
    version = services.Served(bundle, "3", "proseform-cv", where, place, 4096, {"evaluator": 32, "formatter": 64})
    return [*services.build(version), traffic.route(cv.name, version.model, {"3": version.service}, {"3": 100}, place)]
