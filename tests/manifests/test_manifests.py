"""The plain manifests: fresh, valid, and each overlay builds to what it says."""

from __future__ import annotations

import functools
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from manifests import render, samples
from tests.charts import admission
from tests.charts.network import Pod, reaches

FOLDER = render.ROOT / "manifests"
OVERLAYS = ["dev", "gpu", "production", "openshift"]
STEP = Pod({"pipeline/runid": "1"})
TRANSFORMER = Pod({"serving.kserve.io/inferenceservice": "cv", "component": "transformer"})


@functools.cache
def built(name: str) -> list[dict[str, Any]]:
    """What kustomize makes of a folder, offline."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl on this machine: kustomize is in it")
    done = subprocess.run(["kubectl", "kustomize", FOLDER / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def one(manifests: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(manifest for manifest in manifests if (manifest["kind"], manifest["metadata"]["name"]) == (kind, name))


def kinds(manifests: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}


def test_what_is_rendered_is_fresh():
    assert [str(path.relative_to(render.ROOT)) for path in render.stale()] == [], "run: make render"


def test_staleness_is_noticed(monkeypatch):
    monkeypatch.setattr(render, "values", lambda: "user: 5\n")
    assert render.CHART / "values.yaml" in render.stale()


def test_rendering_twice_gives_the_same_bytes():
    assert render.files() == render.files()


@pytest.mark.parametrize("name", ["base", *(f"overlays/{overlay}" for overlay in OVERLAYS)])
class TestEachFolder:
    def test_builds_to_valid_objects(self, name):
        assert {
            str(manifest["metadata"]): faults for manifest in built(name) if (faults := admission.faults(manifest))
        } == {}

    def test_has_restricted_pods_and_narrow_rights(self, name):
        pods = [pod for manifest in built(name) if (pod := admission.pod_of(manifest))]
        assert pods
        assert [fault for pod in pods for fault in admission.against_pod(pod)] == []
        assert [fault for manifest in built(name) for fault in admission.against_rights(manifest)] == []

    def test_lies_in_one_namespace_and_has_nothing_of_helm(self, name):
        assert {
            manifest["metadata"].get("namespace") for manifest in built(name) if manifest["kind"] != "Namespace"
        } == {render.NAME}
        assert "helm.sh" not in yaml.safe_dump(built(name))

    def test_denies_by_default(self, name):
        policies = [manifest for manifest in built(name) if manifest["kind"] == "NetworkPolicy"]
        assert not reaches(policies, Pod(), TRANSFORMER, 8080)
        assert reaches(policies, STEP, TRANSFORMER, 8080)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_keeps_all_of_the_base_and_holds_the_namespace_to_restricted(name):
    manifests = built(f"overlays/{name}")
    removed = {("PersistentVolumeClaim", "proseform-mlflow")} if name == "production" else set()
    assert kinds(built("base")) - kinds(manifests) == removed
    labels = one(manifests, "Namespace", render.NAME)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_dev_asks_for_what_one_node_has():
    manifests = built("overlays/dev")
    assert one(manifests, "PersistentVolumeClaim", "proseform-store")["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert not {manifest["kind"] for manifest in manifests} & {"ServiceMonitor", "PrometheusRule"}


def test_gpu_bounds_what_the_namespace_takes():
    assert one(built("overlays/gpu"), "ResourceQuota", "proseform-gpus")["spec"]["hard"] == {
        "requests.nvidia.com/gpu": "8"
    }


def test_production_s_mlflow_is_what_the_chart_makes_with_the_same_values():
    """The overlay is written by hand; the chart says whether it is right."""
    values = {"mlflow": {"replicas": 2, "database": {"secret": "proseform-database"}}}
    values |= {"objectStore": {"bucket": "proseform/mlflow", "secret": "proseform-objects"}}
    theirs = one(render.objects(values), "Deployment", "proseform-mlflow")["spec"]
    ours = one(built("overlays/production"), "Deployment", "proseform-mlflow")["spec"]
    assert ours["template"]["spec"].pop("topologySpreadConstraints")
    for spec in (ours, theirs):
        container = spec["template"]["spec"]["containers"][0]
        container["env"] = {variable["name"]: variable["value"] for variable in container["env"]}
        container["volumeMounts"] = {mount["name"]: mount for mount in container["volumeMounts"]}
        spec["template"]["spec"]["volumes"] = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    assert ours == theirs


def test_production_listens_with_tls_alone_and_is_watched():
    manifests = built("overlays/production")
    assert [listener["protocol"] for listener in one(manifests, "Gateway", "proseform")["spec"]["listeners"]] == [
        "HTTPS"
    ]
    assert {("PrometheusRule", "proseform"), ("ServiceMonitor", "proseform-transformer")} <= kinds(manifests)
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    assert reaches(policies, Pod(namespace="monitoring"), TRANSFORMER, 8080)


def test_openshift_gives_users_itself_and_has_its_own_namespaces():
    manifests = built("overlays/openshift")
    context = one(manifests, "Deployment", "proseform-mlflow")["spec"]["template"]["spec"]["securityContext"]
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(context)
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    assert reaches(policies, Pod(namespace="openshift-ingress"), TRANSFORMER, 8080)
    assert reaches(policies, Pod(namespace="openshift-user-workload-monitoring"), TRANSFORMER, 8080)
    assert reaches(policies, STEP, Pod(namespace="openshift-ingress"), 443)
    assert reaches(policies, STEP, Pod(namespace="kubeflow"), 8887)
    assert reaches(policies, STEP, Pod(namespace="openshift-dns"), 5353)
    assert not reaches(policies, Pod(namespace="traefik"), TRANSFORMER, 8080)
    assert not reaches(policies, Pod(namespace="monitoring"), TRANSFORMER, 8080)


@pytest.mark.parametrize("name", samples.every())
def test_every_sample_is_known_to_the_api_server(name):
    manifests = samples.every()[name]
    assert [fault for manifest in manifests for fault in admission.faults(manifest)] == []
