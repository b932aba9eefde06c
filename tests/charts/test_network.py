"""Network policies: every pair of pods and every port, against the list of what is needed."""

from __future__ import annotations

from typing import Any

import pytest

from manifests import render
from proseform.kube import jobs
from tests.charts.network import Pod, reaches
from tests.charts.objects import POSTGRES, of_kind

OURS = {"app.kubernetes.io/part-of": "proseform"}
SERVED = {"serving.kserve.io/inferenceservice": "cv"}
PODS = {
    "training": Pod({**OURS, "app.kubernetes.io/component": "training", jobs.JOB: "a"}),
    "mlflow": Pod({**OURS, "app.kubernetes.io/component": "mlflow"}),
    "pipeline": Pod({**OURS, "app.kubernetes.io/component": "pipeline"}),
    "step": Pod({"pipeline/runid": "1"}),
    "test": Pod({**OURS, "app.kubernetes.io/component": "test"}),
    "transformer": Pod({**SERVED, "component": "transformer"}),
    "predictor": Pod({**SERVED, "component": "predictor"}),
    "stranger": Pod({"component": "transformer"}),
    "gateway": Pod(namespace="traefik"),
    "kfp": Pod(namespace="kubeflow"),
    "prometheus": Pod(namespace="monitoring"),
    "elsewhere": Pod({**OURS, "app.kubernetes.io/component": "pipeline"}, namespace="default"),
}
PORTS = {22: "any", 5000: "mlflow", 8080: "http"}
ALWAYS = {
    *(("training", "training", port) for port in PORTS),
    *((source, "mlflow", 5000) for source in ("pipeline", "step", "test")),
    *((source, "transformer", 8080) for source in ("gateway", "pipeline", "step")),
    ("transformer", "predictor", 8080),
    *((source, target, port) for source in ("pipeline", "step") for target in ("gateway", "kfp") for port in PORTS),
}


@pytest.mark.parametrize("monitored", [False, True])
def test_exactly_what_is_needed_is_let_through(monitored):
    """Every pair of pods and every port is compared with the list."""
    policies = of_kind(render.objects({"monitoring": {"create": monitored}}, hooks=True), "NetworkPolicy")
    inside = {name for name, pod in PODS.items() if pod.namespace == "proseform"}
    pairs = [(a, b) for a in PODS for b in PODS if {a, b} & inside]
    open_ = {(a, b, port) for a, b in pairs for port in PORTS if reaches(policies, PODS[a], PODS[b], port)}
    assert open_ == ALWAYS | (
        {("prometheus", "transformer", 8080), ("prometheus", "predictor", 8080)} if monitored else set()
    )


def test_the_hub_is_reached_by_the_job_that_fetches_the_base_alone():
    policies = of_kind(render.objects({"network": {"hub": {"create": True}}}), "NetworkPolicy")
    (policy,) = [policy for policy in policies if policy["metadata"]["name"] == "proseform-hub"]
    selector = policy["spec"]["podSelector"]["matchLabels"]
    assert selector[jobs.STAGE] == "base"
    labels = {**OURS, "app.kubernetes.io/component": "training"}
    assert selector.items() <= {**labels, jobs.STAGE: "base"}.items()
    assert not selector.items() <= {**labels, jobs.STAGE: "grpo"}.items()
    (rule,) = policy["spec"]["egress"]
    block = rule["to"][0]["ipBlock"]
    assert block["cidr"] == "0.0.0.0/0"
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(block["except"])


def test_an_engine_elsewhere_on_the_cluster_is_reached_by_those_that_ask_it_alone():
    values = {"network": {"engine": {"create": True, "namespace": "models", "port": 8000}}}
    policies = of_kind(render.objects(values), "NetworkPolicy")
    asking = Pod({**SERVED, **OURS, "component": "predictor", "app.kubernetes.io/component": "transformer"})
    engine = Pod(namespace="models")
    assert reaches(policies, asking, engine, 8000)
    assert reaches(policies, PODS["gateway"], asking, 8080)
    assert not reaches(policies, asking, engine, 22)
    assert not reaches(policies, PODS["predictor"], engine, 8000)
    assert not reaches(policies, PODS["gateway"], PODS["predictor"], 8080)


def test_an_engine_that_generates_for_measurement_is_reached_by_pipelines_alone():
    """No pod but a pipeline's, no port but the engine's, and no namespace but its own."""
    values = {"network": {"evaluateEngine": {"create": True, "namespace": "models", "port": 8000}}}
    policies = of_kind(render.objects(values, hooks=True), "NetworkPolicy")
    engine, other = Pod(namespace="models"), Pod(namespace="other")
    inside = [name for name, pod in PODS.items() if pod.namespace == "proseform"]
    assert [name for name in inside if reaches(policies, PODS[name], engine, 8000)] == ["pipeline", "step"]
    assert not [name for name in inside if reaches(policies, PODS[name], engine, 22)]
    assert not [name for name in inside if reaches(policies, PODS[name], other, 8000)]
    closed = of_kind(render.objects(), "NetworkPolicy")
    assert not [name for name in inside if reaches(closed, PODS[name], engine, 8000)]


@pytest.mark.parametrize(("what", "port"), [("collector", 4318), ("cache", 6379)])
def test_a_collector_of_traces_or_a_cache_is_reached_by_transformers_alone(what, port):
    """Those beside vLLM, and those that ask an engine by URL."""
    lent = {"create": True, "namespace": "lent"}
    values = {"network": {"engine": {"create": True, "namespace": "models", "port": 8000}, what: lent}}
    policies = of_kind(render.objects(values, hooks=True), "NetworkPolicy")
    asking = Pod({**SERVED, **OURS, "component": "predictor", "app.kubernetes.io/component": "transformer"})
    target = Pod(namespace="lent")
    inside = {name: pod for name, pod in PODS.items() if pod.namespace == "proseform"} | {"asking": asking}
    assert [name for name, pod in inside.items() if reaches(policies, pod, target, port)] == ["transformer", "asking"]
    assert not [name for name, pod in inside.items() if reaches(policies, pod, target, port - 1)]
    assert not reaches(of_kind(render.objects(), "NetworkPolicy"), PODS["transformer"], target, port)


def test_every_pod_may_ask_the_cluster_s_dns_and_none_another_namespace():
    policies = of_kind(render.objects(), "NetworkPolicy")
    assert reaches(policies, PODS["stranger"], Pod(namespace="kube-system"), 53)
    assert not reaches(policies, PODS["stranger"], Pod(namespace="kube-system"), 443)


def addresses(manifests: list[dict[str, Any]]) -> set[tuple[str, str, int]]:
    """Policy, address and port of all connections that may leave the cluster."""
    rules = [
        (policy["metadata"]["name"], rule)
        for policy in of_kind(manifests, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
    ]
    return {
        (name, peer["ipBlock"]["cidr"], rule["ports"][0]["port"])
        for name, rule in rules
        for peer in rule["to"]
        if "ipBlock" in peer
    }


def test_addresses_are_reached_by_whom_they_concern():
    api = {("proseform-pipeline", "10.0.0.0/8", 6443), ("proseform-steps", "10.0.0.0/8", 6443)}
    assert addresses(render.objects()) == api
    measured = {(f"proseform-{name}", "192.0.2.0/24", 8443) for name in ("pipeline", "steps")}
    elsewhere = {"network": {"evaluateEngine": {"create": True, "cidr": "192.0.2.0/24", "port": 8443}}}
    assert addresses(render.objects(elsewhere)) == api | measured
    store = {
        (f"proseform-{name}", "0.0.0.0/0", 9000) for name in ("training", "predictor", "mlflow", "pipeline", "steps")
    }
    assert addresses(render.objects(POSTGRES)) == api | store | {("proseform-mlflow", "10.0.0.0/8", 5432)}
