"""How many pods: KServe's own autoscaling where it has what we need, a disruption budget, and spread over nodes and zones.

KServe 0.20 makes the HorizontalPodAutoscaler or KEDA's ScaledObject itself, from the class in an annotation and the
metrics in ``autoScaling``. Under the class ``none`` it keeps ``minReplicas`` pods. Under ``keda`` every component needs
a trigger, so transformers are given the processor. What it does not make is a PodDisruptionBudget: that is ours.
ServiceMonitors, which bring vLLM's figures to Prometheus, stand in the chart: one for all versions.
"""

from __future__ import annotations

from typing import Literal

from proseform import config
from proseform.kube.pods import Manifest

Component = Literal["predictor", "transformer"]
CLASS = "serving.kserve.io/autoscalerClass"
"""Annotation: what scales an InferenceService."""
SERVICE = "serving.kserve.io/inferenceservice"
"""Label: the InferenceService of a pod."""


def component(
    serving: config.Serving, namespace: str, name: str, which: Component, of: Component | None = None
) -> Manifest:
    """The fields of a component of an InferenceService that say how many pods it has, and where.

    Args:
        serving: ``[serving]``.
        namespace: Of the service; Prometheus is asked for its figures alone.
        name: The InferenceService's name.
        which: The component, as KServe calls it.
        of: Whose work it does, where it is another's: before an engine by URL, the predictor is the transformer.
    """
    of = of or which
    knobs = serving.engine if of == "predictor" else serving.transformer
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": _labels(name, which)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
    made: Manifest = {
        "minReplicas": knobs.replicas,
        "maxReplicas": most(serving, of),
        "topologySpreadConstraints": spread,
    }
    if serving.scaling.by == "keda" and of == "predictor":
        return {**made, "autoScaling": {"metrics": [_waiting(serving.scaling, namespace, name)]}}
    if serving.scaling.by != "none":
        return {**made, "autoScaling": {"metrics": [_processor(serving.scaling)]}}
    return made


def budget(
    serving: config.Serving, about: Manifest, name: str, which: Component, of: Component | None = None
) -> list[Manifest]:
    """A PodDisruptionBudget: nodes are drained one pod at a time. None where there is one pod, which could never go.

    Args:
        serving: ``[serving]``.
        about: Its metadata, but for the name.
        name: The InferenceService's name.
        which: The component, as KServe calls it.
        of: Whose work it does, where it is another's: before an engine by URL, the predictor is the transformer.
    """
    if most(serving, of or which) == 1:
        return []
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {**about, "name": f"{name}-{which}"},
            "spec": {
                "maxUnavailable": 1,
                "selector": {"matchLabels": _labels(name, which)},
                "unhealthyPodEvictionPolicy": "AlwaysAllow",  # a pod that does not start holds no node
            },
        }
    ]


def most(serving: config.Serving, which: Component) -> int:
    """Pods of a component at most."""
    knobs = serving.engine if which == "predictor" else serving.transformer
    return max(knobs.replicas, knobs.replicas_max) if serving.scaling.by != "none" else knobs.replicas


def _labels(name: str, which: Component) -> dict[str, str]:
    """The labels that KServe gives the pods of a component."""
    return {SERVICE: name, "component": which}


def _processor(scaling: config.Scaling) -> Manifest:
    """Scale by processor use."""
    target = {"type": "Utilization", "averageUtilization": scaling.cpu}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _waiting(scaling: config.Scaling, namespace: str, name: str) -> Manifest:
    """Scale by the requests that wait: the sum over all pods, which KEDA divides by the aim (its metric type AverageValue).

    KServe hands KEDA only ``target.value`` as the threshold. The label ``job`` is the InferenceService, by the chart's monitors.
    """
    query = f'sum(vllm:num_requests_waiting{{namespace="{namespace}",job="{name}"}})'
    metric = {"backend": "prometheus", "serverAddress": scaling.prometheus, "query": query}
    return {
        "type": "External",
        "external": {"metric": metric, "target": {"type": "Value", "value": str(scaling.waiting)}},
    }
