"""The serverless mode: one InferenceService on Knative, whose revisions are the versions.

``canaryTrafficPercent`` splits the traffic. KServe splits each component separately, so a transformer of one version
could reach the engine of another. Hence transformer and engine share a pod here (KServe's collocation), and a revision
is a whole bundle. This needs the economical form, and Knative's feature flags for init containers, persistent volumes
and security contexts of pods. KServe's ``latest`` revision is the new version; the rest of the traffic stays with the
last revision that had all of it. The manifests are checked against schemas; Knative is not run in the tests.
"""

from __future__ import annotations

from proseform.errors import ConfigError
from proseform.infer import vllm
from proseform.kube import engines, pods, services
from proseform.kube.pods import Manifest
from proseform.kube.services import Served

_ENGINE_PORT = 8085
"""The engine's port inside the pod; Knative routes to the transformer's."""
_COLLOCATED = "transformer-container"
"""The name by which KServe recognises a transformer in a predictor's pod."""


def build(served: Served, percent: int) -> list[Manifest]:
    """The objects of a version; the InferenceService is the task's, and each version changes it.

    Args:
        served: The version.
        percent: Its share of the traffic, 1 to 100.

    Raises:
        ConfigError: The bundle has no economical form, or the place asks for an engine by URL or for autoscaling.
    """
    if served.wide:
        against = vllm.economical(served.bundle) or "the wide form has two engines"
        raise ConfigError(f"serving.mode: a serverless revision is one pod, and {against}.", hint='Take "standard".')
    serving = served.place.serving
    if serving.engine.url:
        raise ConfigError("serving.mode: an engine by URL has no revisions of its own.", hint='Take "standard".')
    if serving.scaling.by != "none":
        raise ConfigError("serving.scaling.by: Knative scales serverless revisions itself.", hint='Take "none".')
    called = services.name(served.bundle.task, served.version).rpartition("-")[0]
    beside = services.transformer(
        served, _COLLOCATED, ["--predictor_host", f"localhost:{_ENGINE_PORT}", "--http_port", str(engines.PORT)]
    )
    collocated = pods.pod([beside], served.place, services.transformer_volumes(served))
    pod = engines.pod(served.place)
    runtime = services.runtime(served, served.name, ("evaluator", "formatter"), _ENGINE_PORT)
    # In a Knative pod only one container may have a port, and Knative probes that one itself.
    runtime["spec"]["containers"][0].pop("ports")
    about = services.about(served, called)
    predictor = {
        **pod,
        "volumes": [*pod["volumes"], *(volume for volume in collocated["volumes"] if volume not in pod["volumes"])],
        "containers": collocated["containers"],
        "minReplicas": serving.engine.replicas,
        "maxReplicas": max(serving.engine.replicas, serving.engine.replicas_max),
        "canaryTrafficPercent": percent,
        "model": {"modelFormat": {"name": "vLLM"}, "runtime": served.name, "storageUri": served.storage},
    }
    service = {
        "apiVersion": services.SERVING,
        "kind": "InferenceService",
        "metadata": {**about, "annotations": {**about["annotations"], services.MODE: "Knative"}},
        "spec": {"predictor": predictor},
    }
    return [services.bundle_map(served), runtime, service]
