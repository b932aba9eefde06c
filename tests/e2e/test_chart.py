"""The chart's own test, and the overlays before a real API server."""

from __future__ import annotations

import copy
import sys

import helm_python
import pytest
import yaml

from manifests import render, samples
from tests.cluster.kubectl import KubectlError, apply, kubectl
from tests.cluster.probe import eventually
from tests.e2e.world import NAMESPACE, helm

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
OVERLAYS = render.ROOT / "manifests" / "overlays"
WHOLE = [
    folder.name
    for folder in sorted(OVERLAYS.iterdir())
    if "kind: Kustomization" in (folder / "kustomization.yaml").read_text()
]
ELSEWHERE = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "Route"}
"""Kinds of operators that are not here."""


def test_the_charts_own_test_passes(world):
    """A pod asks MLflow by its Service's name."""
    with helm() as installed:
        installed.test(NAMESPACE, timeout=120)


@pytest.fixture(scope="module")
def empty(cluster):
    """A namespace without anything in it: what stands already is not to be changed."""
    apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "overlays"}}])
    yield "overlays"
    kubectl("delete", "namespace", "overlays", "--wait=false")


@pytest.mark.parametrize("overlay", WHOLE)
def test_an_api_server_takes_an_overlay(empty, overlay, capsys):
    """All of it but the kinds of operators that are not here; those are named."""
    made = list(yaml.safe_load_all(kubectl("kustomize", str(OVERLAYS / overlay))))
    known = {line.split()[-1] for line in kubectl("api-resources", "--no-headers").splitlines()}
    ours = [each for each in made if each["kind"] in known and each["kind"] != "Namespace"]
    for each in ours:
        each["metadata"]["namespace"] = empty
    kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", text=yaml.safe_dump_all(ours))
    assert len(ours) > 10
    unknown = {each["kind"] for each in made} - known
    assert unknown <= ELSEWHERE
    with capsys.disabled():
        sys.stdout.write(f"\n{overlay}: {len(ours)} objects taken; not tried: {', '.join(sorted(unknown)) or 'none'}\n")


GUARDED = "guarded"
"""A namespace of its own: the policies are not to meet what the story runs."""


@pytest.fixture(scope="module")
def guarded(cluster):
    """Account, rights and policies of the chart, and nothing else of it."""
    with helm_python.Chart.load(render.CHART) as chart:
        texts = chart.render({"admission": {"create": True}}, name=NAMESPACE, namespace=GUARDED)
    objects = [each for text in texts.values() for each in yaml.safe_load_all(text) if isinstance(each, dict)]
    kinds = {"ServiceAccount", "Role", "RoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    ours = [each for each in objects if each.get("kind") in kinds]
    apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": GUARDED}}, *ours])
    eventually(lambda: "admission.images" in refused(sample("pytorchjob", "PyTorchJob", image="evil/miner:1")))
    yield
    policies = [each for each in ours if each["kind"].startswith("Validating")]
    kubectl("delete", "-f", "-", "--ignore-not-found", text=yaml.safe_dump_all(policies))
    kubectl("delete", "namespace", GUARDED, "--wait=false")


def sample(name, kind, image=""):
    """An object of a sample in the guarded namespace; with another image where one is named."""
    made = copy.deepcopy(next(each for each in samples.every()[name] if each["kind"] == kind))
    made["metadata"]["namespace"] = GUARDED
    if image:
        made["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["image"] = image
    return made


def refused(manifest):
    """What the API server has against an object that the pipeline's account would create; empty where it takes it."""
    account = f"system:serviceaccount:{GUARDED}:{NAMESPACE}-pipeline"
    try:
        kubectl("create", "--dry-run=server", f"--as={account}", "-f", "-", text=yaml.safe_dump(manifest))
    except KubectlError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("name", "kind"),
    [("pytorchjob", "PyTorchJob"), ("economical", "ServingRuntime"), ("economical", "InferenceService"), ("wide", "InferenceService")],
)  # fmt: skip
def test_the_api_server_lets_the_pipeline_s_account_create_what_the_pipeline_makes(guarded, name, kind):
    """With what webhooks add to it, since policies judge after them."""
    assert refused(sample(name, kind)) == ""


def test_the_api_server_refuses_that_account_another_image_and_pods(guarded):
    assert "admission.images" in refused(sample("pytorchjob", "PyTorchJob", image="evil/miner:1"))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": GUARDED}}
    pod["spec"] = {"containers": [{"name": "a", "image": "proseform/train:0"}]}
    assert "cannot create resource" in refused(pod)
