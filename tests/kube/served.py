"""Versions to serve, and their golden files, which `python -m tests.kube.served` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proseform import config, digest, testing
from proseform.bundle import Generation, Part
from proseform.kube import dump, services, traffic

GOLDEN = Path(__file__).parent / "golden"
_MANY = {
    "scaling": {"by": "keda"},
    "engine": {"replicas_max": 4},
    "transformer": {"replicas": 2, "replicas_max": 6},
    "hostname": "judge.example.org",
}
FORMS: dict[str, dict[str, Any]] = {
    "economical": {"serving": _MANY},
    "wide": {
        "serving": {"form": "wide", "engine": {"gpus": 2, "quantization": "fp8_per_channel"}},
        "images": {"vllm": f"vllm/vllm-openai@sha256:{'0' * 64}"},
    },
}


def served(knobs: dict[str, Any] | None = None, *, adapters: bool = True, version: str = "3") -> services.Served:
    """A version of the toy task: two adapters on one base, or two whole models."""
    place = config.Place.model_validate(knobs or {})
    task = testing.toy_task()
    parts = {}
    for role, prompt, tokens in (("evaluator", task.evaluator, 96), ("formatter", task.formatter, 128)):
        base = "base" if adapters else role
        adapter = {"adapter": role, "adapter_digest": digest.of_json([role, version])} if adapters else {}
        parts[role] = Part(base, digest.of_json(base), prompt, Generation(tokens, 2048), **adapter)
    bundle = testing.toy_bundle(task, settings={"dtype": "bfloat16"}, **parts)
    uri = f"pvc://{place.claim}/bundles/{digest.short(bundle.digest)}"
    ranks = {"evaluator": 16, "formatter": 24} if adapters else {}
    return services.Served(bundle, version, "proseform-toy", uri, place, 1024, ranks)


def rendered(form: str) -> str:
    """One form as YAML: the version's objects, and a route that gives it all traffic."""
    version = served(FORMS[form])
    route = traffic.route("toy", version.model, {"3": version.service}, {"3": 100}, version.place)
    return dump.as_yaml([*services.build(version), route])


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in FORMS:
        (GOLDEN / f"{name}.yaml").write_text(rendered(name))
