"""What the builders make is held to what the chart is held to: restricted pods, no token, and labels that the policies know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from manifests import render, samples
from proseform import config
from tests.charts import admission
from tests.charts.network import Pod, reaches

Manifest = dict[str, Any]
OF_PODS = {
    "securityContext",
    "automountServiceAccountToken",
    "volumes",
    "containers",
    "initContainers",
    "nodeSelector",
    "tolerations",
}


def pods(found: list[Manifest]) -> Iterator[Manifest]:
    """Every pod's spec, wherever it stands.

    A predictor has the containers of its runtime, as KServe puts them together.
    """
    runtimes = {
        each["metadata"]["name"]: each["spec"]["containers"] for each in found if each["kind"] == "ServingRuntime"
    }

    def inside(node: Any) -> Iterator[Manifest]:
        if isinstance(node, list):
            for each in node:
                yield from inside(each)
        elif isinstance(node, dict):
            of_runtime = runtimes[node["model"]["runtime"]] if "runtime" in node.get("model", {}) else []
            if of_runtime or "containers" in node:
                yield {**node, "containers": [*of_runtime, *node.get("containers", [])]}
            else:
                for each in node.values():
                    yield from inside(each)

    for each in found:
        if each["kind"] != "ServingRuntime":
            yield from inside(each)


def labelled(node: Any) -> Iterator[dict[str, str]]:
    """The labels of every template of a pod."""
    if isinstance(node, list):
        for each in node:
            yield from labelled(each)
    elif isinstance(node, dict):
        if "containers" in node.get("spec", {}) and "metadata" in node:
            yield node["metadata"]["labels"]
        for each in node.values():
            yield from labelled(each)


@pytest.mark.parametrize("name", samples.every())
def test_every_pod_of_a_sample_is_restricted_and_more(name):
    found = list(pods(samples.every()[name]))
    assert len(found) == {"pytorchjob": 2, "trainjob": 1, "economical": 2, "wide": 3}[name]
    assert [list(admission.against_pod(pod)) for pod in found] == [[]] * len(found)
    assert all(set(pod) & OF_PODS >= {"securityContext", "automountServiceAccountToken"} for pod in found)


@pytest.mark.parametrize("name", samples.every())
def test_every_object_of_a_sample_lies_in_the_namespace_of_the_chart(name):
    assert {each["metadata"]["namespace"] for each in samples.every()[name]} == {render.NAME}


@pytest.mark.parametrize("name", ["pytorchjob", "trainjob"])
def test_training_pods_reach_one_another_and_are_reached_by_nobody_else(name):
    policies = [each for each in render.objects() if each["kind"] == "NetworkPolicy"]
    found = list(labelled(samples.every()[name]))
    assert found
    for labels in found:
        assert reaches(policies, Pod(labels), Pod(labels), 29500)
        assert not reaches(policies, Pod(), Pod(labels), 29500)
        assert not reaches(policies, Pod(namespace="traefik"), Pod(labels), 29500)


def test_claims_and_gateway_of_the_samples_are_the_chart_s():
    standing = {(each["kind"], each["metadata"]["name"]) for each in render.objects()}
    every = [each for found in samples.every().values() for each in found]
    volumes = [volume for pod in pods(every) for volume in pod.get("volumes", [])]
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    assert claims == {config.Place().claim}
    parents = {ref["name"] for each in every if each["kind"] == "HTTPRoute" for ref in each["spec"]["parentRefs"]}
    assert {("PersistentVolumeClaim", each) for each in claims} | {("Gateway", each) for each in parents} <= standing


@pytest.mark.parametrize("name", samples.every())
def test_the_pipeline_may_make_every_object_of_a_sample(name):
    """What the launcher and ``promote`` apply, they have the rights for."""
    role = next(each for each in render.objects() if each["kind"] == "Role")
    plural = {"TrainingRuntime": "trainingruntimes", "InferenceService": "inferenceservices", "HTTPRoute": "httproutes"}
    for each in samples.every()[name]:
        group = each["apiVersion"].rpartition("/")[0]
        kind = plural.get(each["kind"], each["kind"].lower() + "s")
        verbs = {
            verb
            for rule in role["rules"]
            if group in rule["apiGroups"] and kind in rule["resources"]
            for verb in rule["verbs"]
        }
        assert {"get", "list", "create", "patch", "delete"} <= verbs, each["kind"]
