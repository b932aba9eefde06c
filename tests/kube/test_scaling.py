"""The number of pods: the fields of KServe's autoscaling, and budgets that never block the drain of a node for good."""

from __future__ import annotations

from typing import Any

import pytest

from proseform.kube import scaling, services
from tests.kube.served import FORMS, served


def built(knobs: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    manifests = services.build(served({"serving": knobs, "namespace": "here"}))
    budgets = [manifest for manifest in manifests if manifest["kind"] == "PodDisruptionBudget"]
    return manifests[-1], budgets


def test_without_scaling_kserve_keeps_what_is_asked_for() -> None:
    service, budgets = built({"engine": {"replicas": 2, "replicas_max": 9}})
    assert service["metadata"]["annotations"][scaling.CLASS] == "none"
    assert (service["spec"]["predictor"]["minReplicas"], service["spec"]["predictor"]["maxReplicas"]) == (2, 2)
    assert "autoScaling" not in service["spec"]["predictor"]
    assert [budget["metadata"]["name"] for budget in budgets] == ["proseform-toy-v3-predictor"]


def test_keda_asks_for_the_requests_that_wait_at_this_very_service() -> None:
    service, _ = built(
        {"scaling": {"by": "keda", "waiting": 7, "prometheus": "http://prometheus:9090"}, "engine": {"replicas_max": 3}}
    )
    (metric,) = service["spec"]["predictor"]["autoScaling"]["metrics"]
    assert metric["external"]["metric"] == {
        "backend": "prometheus",
        "serverAddress": "http://prometheus:9090",
        "query": 'sum(vllm:num_requests_waiting{namespace="here",job="proseform-toy-v3"})',
    }
    assert metric["external"]["target"] == {"type": "Value", "value": "7"}  # the one that KServe hands over


@pytest.mark.parametrize("by", ["hpa", "keda"])
def test_a_transformer_scales_by_its_processor_under_both(by: str) -> None:
    """A ScaledObject without a trigger is refused by KEDA."""
    service, _ = built({"scaling": {"by": by, "cpu": 70}, "transformer": {"replicas_max": 3}})
    (metric,) = service["spec"]["transformer"]["autoScaling"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}


def test_a_lone_pod_has_no_budget_since_it_could_never_be_moved() -> None:
    assert built({})[1] == []


def test_budgets_and_spread_choose_the_pods_of_one_component() -> None:
    manifests = services.build(served(FORMS["economical"]))
    service = manifests[-1]
    for which in ("predictor", "transformer"):
        labels = {"serving.kserve.io/inferenceservice": "proseform-toy-v3", "component": which}
        (budget,) = [
            manifest
            for manifest in manifests
            if manifest["metadata"]["name"] == f"proseform-toy-v3-{which}" and "Budget" in manifest["kind"]
        ]
        assert budget["spec"]["selector"]["matchLabels"] == labels
        assert budget["spec"]["maxUnavailable"] == 1
        spread = service["spec"][which]["topologySpreadConstraints"]
        assert [manifest["labelSelector"]["matchLabels"] for manifest in spread] == [labels, labels]
        assert {manifest["whenUnsatisfiable"] for manifest in spread} == {"ScheduleAnyway"}  # one node is enough
