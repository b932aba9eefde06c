"""Samples obey what the chart obeys: pods are restricted, carry no token, and have labels that the policies know."""

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


def pods(manifests: list[Manifest]) -> Iterator[Manifest]:
    """Every pod's spec, wherever it stands.

    A predictor has the containers of its runtime, as KServe puts them together.
    """
    runtimes = {
        manifest["metadata"]["name"]: manifest["spec"]["containers"]
        for manifest in manifests
        if manifest["kind"] == "ServingRuntime"
    }

    def inside(node: Any) -> Iterator[Manifest]:
        if isinstance(node, list):
            for item in node:
                yield from inside(item)
        elif isinstance(node, dict):
            of_runtime = runtimes[node["model"]["runtime"]] if "runtime" in node.get("model", {}) else []
            if of_runtime or "containers" in node:
                yield {**node, "containers": [*of_runtime, *node.get("containers", [])]}
            else:
                for value in node.values():
                    yield from inside(value)

    for manifest in manifests:
        if manifest["kind"] != "ServingRuntime":
            yield from inside(manifest)


def labelled(node: Any) -> Iterator[dict[str, str]]:
    """The labels of every template of a pod."""
    if isinstance(node, list):
        for item in node:
            yield from labelled(item)
    elif isinstance(node, dict):
        if "containers" in node.get("spec", {}) and "metadata" in node:
            yield node["metadata"]["labels"]
        for value in node.values():
            yield from labelled(value)


@pytest.mark.parametrize("name", samples.every())
def test_every_pod_of_a_sample_is_restricted_and_more(name):
    specs = list(pods(samples.every()[name]))
    assert len(specs) == {"pytorchjob": 2, "trainjob": 1, "generation": 3, "economical": 2, "wide": 3}[name]
    assert [list(admission.against_pod(pod)) for pod in specs] == [[]] * len(specs)
    assert all(set(pod) & OF_PODS >= {"securityContext", "automountServiceAccountToken"} for pod in specs)


@pytest.mark.parametrize("name", samples.every())
def test_every_object_of_a_sample_lies_in_the_namespace_of_the_chart(name):
    assert {manifest["metadata"]["namespace"] for manifest in samples.every()[name]} == {render.NAME}


@pytest.mark.parametrize("name", ["pytorchjob", "trainjob", "generation"])
def test_training_pods_reach_one_another_and_are_reached_by_nobody_else(name):
    policies = [manifest for manifest in render.objects() if manifest["kind"] == "NetworkPolicy"]
    templates = list(labelled(samples.every()[name]))
    assert templates
    for labels in templates:
        assert reaches(policies, Pod(labels), Pod(labels), 29500)
        assert not reaches(policies, Pod(), Pod(labels), 29500)
        assert not reaches(policies, Pod(namespace="traefik"), Pod(labels), 29500)


def test_claims_and_gateway_of_the_samples_are_the_chart_s():
    standing = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in render.objects()}
    every = [manifest for sample in samples.every().values() for manifest in sample]
    volumes = [volume for pod in pods(every) for volume in pod.get("volumes", [])]
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    assert claims == {config.Place().claim}
    parents = {
        ref["name"] for manifest in every if manifest["kind"] == "HTTPRoute" for ref in manifest["spec"]["parentRefs"]
    }
    assert {("PersistentVolumeClaim", claim) for claim in claims} | {
        ("Gateway", parent) for parent in parents
    } <= standing


@pytest.mark.parametrize("name", samples.every())
def test_the_pipeline_may_make_every_object_of_a_sample(name):
    """What the launcher and ``promote`` apply, they have the rights for."""
    role = next(manifest for manifest in render.objects() if manifest["kind"] == "Role")
    plural = {"TrainingRuntime": "trainingruntimes", "InferenceService": "inferenceservices", "HTTPRoute": "httproutes"}
    for manifest in samples.every()[name]:
        group = manifest["apiVersion"].rpartition("/")[0]
        kind = plural.get(manifest["kind"], manifest["kind"].lower() + "s")
        verbs = {
            verb
            for rule in role["rules"]
            if group in rule["apiGroups"] and kind in rule["resources"]
            for verb in rule["verbs"]
        }
        assert {"get", "list", "create", "patch", "delete"} <= verbs, manifest["kind"]
