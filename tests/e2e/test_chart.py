"""The chart's own test, its overlays and its admission policies, by a real API server."""

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

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]  # whichever is first makes images and world
OVERLAYS = render.ROOT / "manifests" / "overlays"
WHOLE = [
    folder.name
    for folder in sorted(OVERLAYS.iterdir())
    if "kind: Kustomization" in (folder / "kustomization.yaml").read_text()
]
ELSEWHERE = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "Route"}
"""Kinds of operators that are not on this cluster."""


def test_the_charts_own_test_passes(world):
    """A pod asks MLflow by its Service's name."""
    with helm() as installed:
        installed.test(NAMESPACE, timeout=120)


@pytest.fixture(scope="module")
def empty(cluster):
    """An empty namespace, so that nothing deployed is changed."""
    apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "overlays"}}])
    yield "overlays"
    kubectl("delete", "namespace", "overlays", "--wait=false")


@pytest.mark.parametrize("overlay", WHOLE)
def test_an_api_server_takes_an_overlay(empty, overlay, capsys):
    """All of it except kinds of operators that are not on this cluster, which are printed."""
    objects = list(yaml.safe_load_all(kubectl("kustomize", str(OVERLAYS / overlay))))
    known = {line.split()[-1] for line in kubectl("api-resources", "--no-headers").splitlines()}
    ours = [manifest for manifest in objects if manifest["kind"] in known and manifest["kind"] != "Namespace"]
    for manifest in ours:
        manifest["metadata"]["namespace"] = empty
    kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", text=yaml.safe_dump_all(ours))
    assert len(ours) > 10
    unknown = {manifest["kind"] for manifest in objects} - known
    assert unknown <= ELSEWHERE
    with capsys.disabled():
        sys.stdout.write(f"\n{overlay}: {len(ours)} objects taken; not tried: {', '.join(sorted(unknown)) or 'none'}\n")


GUARDED = "guarded"
"""A separate namespace, so that the policies do not apply to other tests' pods."""


@pytest.fixture(scope="module")
def guarded(cluster):
    """The chart's account, rights and policies alone."""
    with helm_python.Chart.load(render.CHART) as chart:
        texts = chart.render({"admission": {"create": True}}, name=NAMESPACE, namespace=GUARDED)
    objects = [
        manifest for text in texts.values() for manifest in yaml.safe_load_all(text) if isinstance(manifest, dict)
    ]
    kinds = {"ServiceAccount", "Role", "RoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    ours = [manifest for manifest in objects if manifest.get("kind") in kinds]
    apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": GUARDED}}, *ours])
    eventually(lambda: "admission.images" in refused(sample("pytorchjob", "PyTorchJob", image="evil/miner:1")))
    yield
    policies = [manifest for manifest in ours if manifest["kind"].startswith("Validating")]
    kubectl("delete", "-f", "-", "--ignore-not-found", text=yaml.safe_dump_all(policies))
    kubectl("delete", "namespace", GUARDED, "--wait=false")


def sample(name, kind, image=""):
    """An object of a sample, in the guarded namespace, with another image if one is given."""
    manifest = copy.deepcopy(next(sample for sample in samples.every()[name] if sample["kind"] == kind))
    manifest["metadata"]["namespace"] = GUARDED
    if image:
        manifest["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["image"] = image
    return manifest


def refused(manifest):
    """Why the API server refuses an object that the pipeline's account creates; empty if it accepts it."""
    account = f"system:serviceaccount:{GUARDED}:{NAMESPACE}-pipeline"
    try:
        kubectl("create", "--dry-run=server", f"--as={account}", "-f", "-", text=yaml.safe_dump(manifest))
    except KubectlError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pytorchjob", "PyTorchJob"),
        ("economical", "ServingRuntime"),
        ("economical", "InferenceService"),
        ("wide", "InferenceService"),
    ],
)
def test_the_api_server_lets_the_pipeline_s_account_create_what_the_pipeline_makes(guarded, name, kind):
    """Including the fields that webhooks add, since policies judge after them."""
    assert refused(sample(name, kind)) == ""


def test_the_api_server_refuses_that_account_another_image_and_pods(guarded):
    assert "admission.images" in refused(sample("pytorchjob", "PyTorchJob", image="evil/miner:1"))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": GUARDED}}
    pod["spec"] = {"containers": [{"name": "a", "image": "proseform/train:0"}]}
    assert "cannot create resource" in refused(pod)
