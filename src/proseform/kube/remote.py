"""A version that uses an engine by URL, any OpenAI-compatible server on this cluster or elsewhere.

It is one InferenceService whose predictor is the transformer's container, since KServe has no transformer without a
predictor. Its pods carry a label of ours, by which the chart's network policies let them reach the engine. The engine's
key is a Secret, mounted as a file.
"""

from __future__ import annotations

from proseform.errors import ConfigError
from proseform.kube import pods, scaling, services
from proseform.kube.pods import Manifest

KEY = "/etc/proseform/engine"
"""The folder that holds the engine's key, as the file ``key``."""


def build(served: services.Served) -> list[Manifest]:
    """The objects of a version, its InferenceService last.

    Raises:
        ConfigError: Serverless mode, whose revisions hold an engine.
    """
    place, serving = served.place, served.place.serving
    if serving.mode == "serverless":
        raise ConfigError("serving.mode: an engine by URL has no revisions of its own.", hint='Take "standard".')
    about = services.about(served, served.name)
    container = {**services.transformer(served, more=_arguments(served)), **services.drained(serving)}
    volumes = services.transformer_volumes(served)
    if serving.engine.key_secret:
        container["volumeMounts"].append({"name": "key", "mountPath": KEY, "readOnly": True})
        volumes["key"] = pods.secret(serving.engine.key_secret)
    knobs = serving.transformer
    predictor = {
        **pods.pod([container], place, volumes, knobs, serving.account),
        "labels": {**pods.PART_OF, "app.kubernetes.io/component": "transformer"},
        **({"annotations": dict(knobs.annotations)} if knobs.annotations else {}),
        "terminationGracePeriodSeconds": serving.drain_s + knobs.timeout_s + services.LEAVING_S,
        **scaling.component(serving, place.namespace, served.name, "predictor", of="transformer"),
    }
    notes = {**about["annotations"], services.MODE: "Standard", scaling.CLASS: serving.scaling.by}
    service = {
        "apiVersion": services.SERVING,
        "kind": "InferenceService",
        "metadata": {**about, "annotations": notes},
        "spec": {"predictor": predictor},
    }
    budgets = scaling.budget(serving, about, served.name, "predictor", of="transformer")
    return [services.bundle_map(served), *budgets, service]


def _arguments(served: services.Served) -> list[str]:
    """The transformer's arguments about the engine."""
    engine = served.place.serving.engine
    key = ["--key-file", f"{KEY}/key"] if engine.key_secret else []
    return ["--engine", engine.url, "--dialect", engine.dialect, "--models", engine.models, *key]
