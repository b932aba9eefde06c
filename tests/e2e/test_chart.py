"""The chart's own test, and the overlays before a real API server."""

from __future__ import annotations

import sys

import pytest
import yaml

from manifests import render
from tests.cluster.kubectl import apply, kubectl
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
