"""The number of pods and their spread: KServe's own autoscaling, and disruption budgets, which it lacks.

KServe 0.20 creates the HorizontalPodAutoscaler or KEDA's ScaledObject itself, from the class in an annotation and the
metrics in ``autoScaling``. With the class ``none`` it keeps ``minReplicas`` pods. With ``keda`` every component needs
a trigger, so transformers scale by processor use. PodDisruptionBudgets are built here. ServiceMonitors, by which
Prometheus gets vLLM's metrics, are in the chart: one for all versions.
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
        namespace: The service's namespace, to which the query of Prometheus is restricted.
        name: The InferenceService's name.
        which: The component, as KServe calls it.
        of: The component whose work it does, if another: with an engine by URL, the predictor is the transformer.
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
    fields: Manifest = {
        "minReplicas": knobs.replicas,
        "maxReplicas": most(serving, of),
        "topologySpreadConstraints": spread,
    }
    if serving.scaling.by == "keda" and of == "predictor":
        return {**fields, "autoScaling": {"metrics": [_waiting(serving.scaling, namespace, name)]}}
    if serving.scaling.by != "none":
        return {**fields, "autoScaling": {"metrics": [_processor(serving.scaling)]}}
    return fields


def budget(
    serving: config.Serving, about: Manifest, name: str, which: Component, of: Component | None = None
) -> list[Manifest]:
    """A PodDisruptionBudget, by which drained nodes evict one pod at a time.

    Empty for a component of one pod, whose node could not be drained.

    Args:
        serving: ``[serving]``.
        about: Its metadata, without the name.
        name: The InferenceService's name.
        which: The component, as KServe calls it.
        of: As for :func:`component`.
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
                "unhealthyPodEvictionPolicy": "AlwaysAllow",  # a pod that does not start must not block a drain
            },
        }
    ]


def most(serving: config.Serving, which: Component) -> int:
    """The most pods that a component may have."""
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
    """Scale by waiting requests: the sum over all pods, which KEDA divides by the target (metric type AverageValue).

    KServe passes only ``target.value`` to KEDA, as the threshold. The chart's monitors set the label ``job`` to the
    InferenceService.
    """
    query = f'sum(vllm:num_requests_waiting{{namespace="{namespace}",job="{name}"}})'
    metric = {"backend": "prometheus", "serverAddress": scaling.prometheus, "query": query}
    return {
        "type": "External",
        "external": {"metric": metric, "target": {"type": "Value", "value": str(scaling.waiting)}},
    }
