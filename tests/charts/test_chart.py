"""The chart, rendered by the real Helm: its objects are valid and safe."""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram, generate_latest

from manifests import render
from proseform import config
from proseform.infer.refusals import INSUFFICIENT
from proseform.kube import pods
from proseform.serve import faults
from proseform.serve import metrics as serving
from proseform.versions import images, version
from tests.charts import admission
from tests.charts.objects import DIGEST, POSTGRES, VARIANTS, named, of_kind


@pytest.fixture(params=VARIANTS)
def rendered(request):
    return render.objects(VARIANTS[request.param], hooks=True)


def test_helm_has_nothing_against_the_chart():
    report = helm_python.lint(render.CHART, {}, strict=True)
    assert not report["errors"]
    assert {message["error"] for message in report["messages"]} <= {"icon is recommended"}


def test_every_object_is_valid_by_its_strict_schema(rendered):
    assert {
        f"{manifest['kind']}/{manifest['metadata']['name']}": faults
        for manifest in rendered
        if (faults := admission.faults(manifest))
    } == {}


def test_no_object_has_a_name_twice_and_all_lie_in_the_release_namespace(rendered):
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered]
    assert len(names) == len(set(names))
    clustered = [manifest for manifest in rendered if manifest["kind"].startswith("ValidatingAdmissionPolicy")]
    assert {manifest["metadata"]["namespace"] for manifest in rendered if manifest not in clustered} == {render.NAME}
    assert all(manifest["metadata"]["name"].startswith(f"{render.NAME}-{render.NAME}-") for manifest in clustered)
    assert all(
        manifest["metadata"]["labels"]["app.kubernetes.io/part-of"] == pods.PART_OF["app.kubernetes.io/part-of"]
        for manifest in rendered
    )


def test_every_pod_is_restricted_and_more(rendered):
    pods = {manifest["metadata"]["name"]: pod for manifest in rendered if (pod := admission.pod_of(manifest))}
    assert {name: faults for name, pod in pods.items() if (faults := list(admission.against_pod(pod)))} == {}


def test_rights_are_narrow(rendered):
    assert [fault for manifest in rendered for fault in admission.against_rights(manifest)] == []


def restricted() -> dict[str, Any]:
    return copy.deepcopy(named(render.objects(), "Deployment", "proseform-mlflow")["spec"]["template"]["spec"])


def container(**fields: Any) -> dict[str, Any]:
    pod = restricted()
    pod["containers"][0].update(fields)
    return pod


def context(**fields: Any) -> dict[str, Any]:
    pod = restricted()
    pod["containers"][0]["securityContext"].update(fields)
    return pod


@pytest.mark.parametrize(
    ("pod", "fault"),
    [
        ({**restricted(), "hostNetwork": True}, "hostNetwork"),
        ({**restricted(), "automountServiceAccountToken": True}, "token"),
        ({**restricted(), "volumes": [{"name": "node", "hostPath": {"path": "/"}}]}, "volume node"),
        ({**restricted(), "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}, "root"),
        ({**restricted(), "securityContext": {"runAsNonRoot": True}}, "seccomp"),
        (context(runAsUser=0), "root"),
        (context(allowPrivilegeEscalation=True), "privileges"),
        (context(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}), "capabilities"),
        (context(capabilities={}), "capabilities"),
        (context(readOnlyRootFilesystem=False), "writable root"),
        (container(ports=[{"containerPort": 80, "hostPort": 80}]), "host port"),
        (container(resources={}), "resources"),
        (
            container(env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]),
            "secret in the environment",
        ),
        (container(env=[{"name": "PGPASSWORD", "value": "hunter2"}]), "secret in the environment"),
        (container(envFrom=[{"secretRef": {"name": "a"}}]), "secret in the environment"),
        (container(image="proseform/serve:latest"), "image proseform/serve:latest"),
        (container(image="proseform/serve"), "image proseform/serve"),
    ],
)
def test_a_pod_that_breaks_a_rule_is_found(pod, fault):
    """Each rule of admission.py can fail."""
    assert list(admission.against_pod(pod)) == [fault]


def test_the_pipeline_may_do_what_launcher_and_deployment_need_and_nothing_else():
    (role,) = of_kind(render.objects(), "Role")
    rights = {
        f"{group}/{resource}": set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    own = {"get", "list", "watch", "create", "patch", "delete"}
    assert rights == {
        "kubeflow.org/pytorchjobs": own,
        "trainer.kubeflow.org/trainjobs": own,
        "trainer.kubeflow.org/trainingruntimes": own,
        "serving.kserve.io/inferenceservices": own,
        "serving.kserve.io/servingruntimes": own,
        "gateway.networking.k8s.io/httproutes": own,
        "gateway.networking.k8s.io/gateways": {"get"},
        "policy/poddisruptionbudgets": own,
        "/configmaps": own,
        "/pods": {"get", "list", "watch"},
        "/pods/log": {"get", "list", "watch"},
        "/events": {"get", "list", "watch"},
        "discovery.k8s.io/endpointslices": {"get", "list", "watch"},
        "/namespaces": {"get"},
        "/persistentvolumeclaims": {"get"},
        "argoproj.io/workflowtaskresults": {"create", "patch"},
    }
    named_only = {
        resource: rule["resourceNames"]
        for rule in role["rules"]
        if "resourceNames" in rule
        for resource in rule["resources"]
    }
    assert named_only == {"namespaces": [render.NAME], "persistentvolumeclaims": [config.Place().claim]}


def test_a_secret_is_a_file_that_the_variables_point_to():
    pod = named(render.objects(POSTGRES), "Deployment", "proseform-mlflow")["spec"]["template"]["spec"]
    variables = {variable["name"]: variable["value"] for variable in pod["containers"][0]["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    assert secrets == {"database": "pg", "object-store": "s3"}
    assert variables["PGSERVICEFILE"] == f"{mounts['database']}/pg_service.conf"
    assert variables["AWS_SHARED_CREDENTIALS_FILE"] == f"{mounts['object-store']}/aws"
    assert variables["MLFLOW_BACKEND_STORE_URI"] == "postgresql+psycopg2:///?service=mlflow"
    assert variables["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://proseform/mlflow"
    assert "data" not in mounts


def test_mlflow_in_two_pods_without_database_and_bucket_is_refused_by_name():
    with pytest.raises(helm_python.HelmError, match=r"mlflow\.replicas: more than one pod wants"):
        render.objects({"mlflow": {"replicas": 2}})


def test_names_and_images_agree_with_the_default_place():
    manifests = render.objects()
    place = config.Place()
    assert named(manifests, "PersistentVolumeClaim", place.claim)
    image = named(manifests, "Deployment", "proseform-mlflow")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == images()["pipeline"]
    about = yaml.safe_load((render.CHART / "Chart.yaml").read_text())
    assert about["version"] == about["appVersion"] == version()


def test_two_releases_do_not_meet():
    """Another release, in another namespace, shares no name, and refers to its own namespace."""
    with helm_python.Chart.load(render.CHART) as chart:
        texts = chart.render({"monitoring": {"create": True}}, name="other", namespace="elsewhere")
    manifests = render.read(texts)
    assert all(manifest["metadata"]["name"].startswith("other") for manifest in manifests)
    assert {manifest["metadata"]["namespace"] for manifest in manifests} == {"elsewhere"}
    assert of_kind(manifests, "RoleBinding")[0]["subjects"][0]["namespace"] == "elsewhere"
    assert 'namespace="proseform"' not in json.dumps(of_kind(manifests, "PrometheusRule"))
    assert not [fault for manifest in manifests for fault in admission.faults(manifest)]


def within(parent: Path, values: dict[str, Any], name: str = "acme") -> list[dict[str, Any]]:
    """The objects of a chart that has ours as a subchart."""
    shutil.copytree(render.CHART, parent / "charts/proseform")
    about = {"apiVersion": "v2", "name": "platform", "version": "1.0.0"}
    about["dependencies"] = [{"name": "proseform", "version": version(), "repository": ""}]
    (parent / "Chart.yaml").write_text(yaml.safe_dump(about))
    (parent / "values.yaml").write_text(yaml.safe_dump(values))
    with helm_python.Chart.load(parent) as chart:
        texts = chart.render({}, name=name, namespace="acme")
    return render.read(texts)


def test_as_a_chart_of_another_s_it_takes_global_values_and_no_name_of_theirs(tmp_path):
    """``acme``, ``acme-mlflow`` or ``acme-store`` are names that the parent or another of its charts would have."""
    values = {"global": {"imageRegistry": "here.example.org"}, "proseform": {"monitoring": {"create": True}}}
    manifests = within(tmp_path, values)
    assert manifests
    assert all(manifest["metadata"]["name"].startswith("acme-proseform") for manifest in manifests)
    claims = {manifest["metadata"]["name"] for manifest in of_kind(manifests, "PersistentVolumeClaim")}
    (role,) = of_kind(manifests, "Role")
    assert {name for rule in role["rules"] for name in rule.get("resourceNames", [])} == {
        "acme",
        "acme-proseform-store",
    }
    pod = named(manifests, "Deployment", "acme-proseform-mlflow")["spec"]["template"]["spec"]
    assert {
        volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume
    } <= claims
    assert not [fault for manifest in manifests for fault in admission.faults(manifest)]


def test_a_wrong_value_is_refused_in_a_chart_of_another_s_too(tmp_path):
    with pytest.raises(helm_python.HelmError, match="sise"):
        within(tmp_path, {"proseform": {"store": {"sise": "1Gi"}}})


def test_two_releases_in_one_namespace_have_an_mlflow_each():
    (one, other) = (
        named(render_as(name), kind, f"{name}-mlflow")["spec"]["selector"]
        for name, kind in (("one", "Service"), ("other", "Service"))
    )
    assert one != other
    labels = named(render_as("one"), "Deployment", "one-mlflow")["spec"]["template"]["metadata"]["labels"]
    assert one.items() <= labels.items()
    assert not other.items() <= labels.items()


def render_as(name: str) -> list[dict[str, Any]]:
    """The objects of a release of this name."""
    with helm_python.Chart.load(render.CHART) as chart:
        texts = chart.render({}, name=name, namespace="here")
    return render.read(texts)


def test_ipv6_is_listened_to_and_addressed():
    manifests = render.objects(VARIANTS["ipv6"])
    command = named(manifests, "Deployment", "proseform-mlflow")["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[command.index("--host") + 1] == "::"
    assert named(manifests, "Service", "proseform-mlflow")["spec"]["ipFamilyPolicy"] == "PreferDualStack"
    assert "ipFamilyPolicy" not in named(render.objects(), "Service", "proseform-mlflow")["spec"]


def test_a_digest_is_what_runs():
    pod = named(render.objects(POSTGRES), "Deployment", "proseform-mlflow")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"{images()['pipeline']}@{DIGEST}"


VLLM = {
    "vllm:num_requests_waiting",
    "vllm:num_requests_running",
    "vllm:generation_tokens_total",
    "vllm:kv_cache_usage_perc",
    "vllm:time_to_first_token_seconds_bucket",
}
"""Names of metrics, as vLLM's server exports them."""
METRICS = [one for one in vars(serving).values() if isinstance(one, Counter | Gauge | Histogram)]


def test_alerts_and_dashboard_ask_for_metrics_that_are_there():
    for one in METRICS:
        if one._labelnames:
            one.labels(*one._labelnames)
    known = VLLM | set(re.findall(r"^(proseform_\w+)", generate_latest().decode(), re.MULTILINE))
    manifests = render.objects({"monitoring": {"create": True}})
    (rules,) = of_kind(manifests, "PrometheusRule")
    board = json.loads(named(manifests, "ConfigMap", "proseform-dashboard")["data"]["proseform.json"])
    alerts = [rule["expr"] for group in rules["spec"]["groups"] for rule in group["rules"]]
    panels = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked = {name for text in [*alerts, *panels] for name in re.findall(r"(?:proseform_|vllm:)\w+", text)}
    assert asked
    assert asked <= known
    assert all(text.count("(") == text.count(")") for text in [*alerts, *panels])
    assert all('namespace="proseform"' in text for text in alerts)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_documentation_lists_every_metric_with_its_labels():
    text = (render.CHART.parents[1] / "docs" / "observability.md").read_text()
    rows = re.findall(r"^\| `(proseform_\w+)` \| ([^|]*) \|", text, re.MULTILINE)
    listed = {(name.removesuffix("_total"), tuple(re.findall(r"`(\w+)`", labels))) for name, labels in rows}
    assert listed == {(one._name, one._labelnames) for one in METRICS}
    assert len(rows) == len(METRICS)


def test_the_reasons_that_alerts_tell_apart_are_those_that_serving_gives():
    text = (render.CHART / "templates" / "monitoring.yaml").read_text()
    reasons = {word for alternatives in re.findall(r'reason[!=]~"([^"]+)"', text) for word in alternatives.split("|")}
    reasons_of_serving = {word for _, _, word in faults._KINDS} | {"busy", "internal", INSUFFICIENT}
    assert reasons == reasons_of_serving


def test_the_readme_tells_how_to_hold_the_namespace_to_restricted():
    assert "pod-security.kubernetes.io/enforce=restricted" in (render.CHART / "README.md").read_text()
    assert "pod-security.kubernetes.io/enforce=restricted" in (render.CHART / "templates" / "NOTES.txt").read_text()
