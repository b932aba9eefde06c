"""The chart by the real Helm: what it renders is valid, safe, and lets through exactly what is needed."""

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
from prometheus_client import generate_latest

from manifests import render
from proseform import config
from proseform.kube import jobs, pods
from proseform.serve import admission as serving
from proseform.versions import images, version
from tests.charts import admission
from tests.charts.network import Pod, reaches

DIGEST = f"sha256:{'0' * 64}"
POSTGRES = {
    "mlflow": {
        "replicas": 2,
        "image": {"digest": DIGEST},
        "database": {"secret": "pg"},
        "hosts": ["mlflow.example.org"],
    },
    "objectStore": {
        "bucket": "proseform/mlflow",
        "secret": "s3",
        "endpoint": "https://objects.example.org:9000",
        "port": 9000,
    },
}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "postgres": POSTGRES,
    "postgres with artifacts on the claim": {"mlflow": {"database": {"secret": "pg"}}},
    "sqlite with artifacts in a bucket": {"objectStore": {"bucket": "proseform"}},
    "monitored": {"monitoring": {"create": True, "labels": {"release": "prometheus"}}},
    "tls": {"gateway": {"tlsSecret": "tls", "hostname": "*.example.org", "port": 443}},
    "private images": {"pullSecrets": ["pull"], "pullPolicy": "Always"},
    "ipv6": {
        "ipv6": True,
        "network": {"apiServerCidr": "fd00::/108", "hub": {"create": True, "cidr": "::/0"}},
        "objectStore": {"bucket": "proseform", "endpoint": "http://[fd00::9]:9000", "cidr": "fd00::9/128"},
    },
    "a hub and an engine by URL": {
        "network": {"hub": {"create": True}, "engine": {"create": True, "namespace": "models", "port": 8000}}
    },
    "admission": {"admission": {"create": True, "secrets": ["hub"]}, "network": {"hub": {"create": True}}},
    "one node": {"store": {"accessMode": "ReadWriteOnce", "storageClass": "local", "keep": False}},
    "nothing that is optional": {key: {"create": False} for key in ("store", "gateway", "mlflow", "network")},
    "everything": {
        **POSTGRES,
        "monitoring": {"create": True},
        "pullSecrets": ["pull"],
        "gateway": {"tlsSecret": "tls"},
    },
}


@pytest.fixture(params=VARIANTS)
def rendered(request):
    return render.objects(VARIANTS[request.param], hooks=True)


def of_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in found if each["kind"] == kind]


def named(found: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(each for each in of_kind(found, kind) if each["metadata"]["name"] == name)


def test_helm_has_nothing_against_the_chart():
    report = helm_python.lint(render.CHART, {}, strict=True)
    assert not report["errors"]
    assert {each["error"] for each in report["messages"]} <= {"icon is recommended"}


def test_every_object_is_valid_by_its_strict_schema(rendered):
    assert {
        f"{each['kind']}/{each['metadata']['name']}": found for each in rendered if (found := admission.faults(each))
    } == {}


def test_no_object_has_a_name_twice_and_all_lie_in_the_release_namespace(rendered):
    names = [(each["kind"], each["metadata"]["name"]) for each in rendered]
    assert len(names) == len(set(names))
    clustered = [each for each in rendered if each["kind"].startswith("ValidatingAdmissionPolicy")]
    assert {each["metadata"]["namespace"] for each in rendered if each not in clustered} == {render.NAME}
    assert all(each["metadata"]["name"].startswith(f"{render.NAME}-{render.NAME}-") for each in clustered)
    assert all(
        each["metadata"]["labels"]["app.kubernetes.io/part-of"] == pods.PART_OF["app.kubernetes.io/part-of"]
        for each in rendered
    )


def test_every_pod_is_restricted_and_more(rendered):
    pods = {each["metadata"]["name"]: pod for each in rendered if (pod := admission.pod_of(each))}
    assert {name: found for name, pod in pods.items() if (found := list(admission.against_pod(pod)))} == {}


def test_rights_are_narrow(rendered):
    assert [fault for each in rendered for fault in admission.against_rights(each)] == []


def restricted() -> dict[str, Any]:
    return copy.deepcopy(named(render.objects(), "Deployment", "proseform-mlflow")["spec"]["template"]["spec"])


def container(**given: Any) -> dict[str, Any]:
    pod = restricted()
    pod["containers"][0].update(given)
    return pod


def context(**given: Any) -> dict[str, Any]:
    pod = restricted()
    pod["containers"][0]["securityContext"].update(given)
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
    """The rules of admission.py can fail, each of them."""
    assert list(admission.against_pod(pod)) == [fault]


def test_the_pipeline_may_do_what_launcher_and_deployment_need_and_nothing_else():
    (role,) = of_kind(render.objects(), "Role")
    rights = {
        f"{group}/{each}": set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for each in rule["resources"]
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
        each: rule["resourceNames"] for rule in role["rules"] if "resourceNames" in rule for each in rule["resources"]
    }
    assert named_only == {"namespaces": [render.NAME], "persistentvolumeclaims": [config.Place().claim]}


def test_a_secret_is_a_file_that_the_variables_point_to():
    pod = named(render.objects(POSTGRES), "Deployment", "proseform-mlflow")["spec"]["template"]["spec"]
    variables = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    secrets = {each["name"]: each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
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
    found = render.objects()
    place = config.Place()
    assert named(found, "PersistentVolumeClaim", place.claim)
    image = named(found, "Deployment", "proseform-mlflow")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == images()["pipeline"]
    about = yaml.safe_load((render.CHART / "Chart.yaml").read_text())
    assert about["version"] == about["appVersion"] == version()


def test_two_releases_do_not_meet():
    """Another release in another namespace shares no name; what it says about namespaces is its own."""
    with helm_python.Chart.load(render.CHART) as chart:
        texts = chart.render({"monitoring": {"create": True}}, name="other", namespace="elsewhere")
    found = [
        each for path, text in texts.items() if path.endswith(".yaml") for each in yaml.safe_load_all(text) if each
    ]
    assert all(each["metadata"]["name"].startswith("other") for each in found)
    assert {each["metadata"]["namespace"] for each in found} == {"elsewhere"}
    assert of_kind(found, "RoleBinding")[0]["subjects"][0]["namespace"] == "elsewhere"
    assert 'namespace="proseform"' not in json.dumps(of_kind(found, "PrometheusRule"))
    assert not [fault for each in found for fault in admission.faults(each)]


def within(parent: Path, values: dict[str, Any], name: str = "acme") -> list[dict[str, Any]]:
    """What a chart renders that has ours among its own."""
    shutil.copytree(render.CHART, parent / "charts/proseform")
    about = {"apiVersion": "v2", "name": "platform", "version": "1.0.0"}
    about["dependencies"] = [{"name": "proseform", "version": version(), "repository": ""}]
    (parent / "Chart.yaml").write_text(yaml.safe_dump(about))
    (parent / "values.yaml").write_text(yaml.safe_dump(values))
    with helm_python.Chart.load(parent) as chart:
        texts = chart.render({}, name=name, namespace="acme")
    return [each for path, text in texts.items() if path.endswith(".yaml") for each in yaml.safe_load_all(text) if each]


def test_as_a_chart_of_another_s_it_takes_global_values_and_no_name_of_theirs(tmp_path):
    """``acme``, ``acme-mlflow`` or ``acme-store`` are names that the parent or another of its charts would have."""
    values = {"global": {"imageRegistry": "here.example.org"}, "proseform": {"monitoring": {"create": True}}}
    found = within(tmp_path, values)
    assert found
    assert all(each["metadata"]["name"].startswith("acme-proseform") for each in found)
    claims = {each["metadata"]["name"] for each in of_kind(found, "PersistentVolumeClaim")}
    (role,) = of_kind(found, "Role")
    assert {name for rule in role["rules"] for name in rule.get("resourceNames", [])} == {
        "acme",
        "acme-proseform-store",
    }
    pod = named(found, "Deployment", "acme-proseform-mlflow")["spec"]["template"]["spec"]
    assert {
        each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"] if "persistentVolumeClaim" in each
    } <= claims
    assert not [fault for each in found for fault in admission.faults(each)]


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
    """What a release of a name renders."""
    with helm_python.Chart.load(render.CHART) as chart:
        texts = chart.render({}, name=name, namespace="here")
    return [each for path, text in texts.items() if path.endswith(".yaml") for each in yaml.safe_load_all(text) if each]


def test_ipv6_is_listened_to_and_addressed():
    found = render.objects(VARIANTS["ipv6"])
    command = named(found, "Deployment", "proseform-mlflow")["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[command.index("--host") + 1] == "::"
    assert named(found, "Service", "proseform-mlflow")["spec"]["ipFamilyPolicy"] == "PreferDualStack"
    assert "ipFamilyPolicy" not in named(render.objects(), "Service", "proseform-mlflow")["spec"]


def test_a_digest_is_what_runs():
    pod = named(render.objects(POSTGRES), "Deployment", "proseform-mlflow")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"{images()['pipeline']}@{DIGEST}"


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
    """Every pair of pods and every port, against the list."""
    found = of_kind(render.objects({"monitoring": {"create": monitored}}, hooks=True), "NetworkPolicy")
    inside = {name for name, pod in PODS.items() if pod.namespace == "proseform"}
    pairs = [(a, b) for a in PODS for b in PODS if {a, b} & inside]
    open_ = {(a, b, port) for a, b in pairs for port in PORTS if reaches(found, PODS[a], PODS[b], port)}
    assert open_ == ALWAYS | (
        {("prometheus", "transformer", 8080), ("prometheus", "predictor", 8080)} if monitored else set()
    )


def test_the_hub_is_reached_by_the_job_that_fetches_the_base_alone():
    found = of_kind(render.objects({"network": {"hub": {"create": True}}}), "NetworkPolicy")
    (policy,) = [each for each in found if each["metadata"]["name"] == "proseform-hub"]
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
    found = of_kind(render.objects(values), "NetworkPolicy")
    asking = Pod({**SERVED, **OURS, "component": "predictor", "app.kubernetes.io/component": "transformer"})
    engine = Pod(namespace="models")
    assert reaches(found, asking, engine, 8000)
    assert reaches(found, PODS["gateway"], asking, 8080)
    assert not reaches(found, asking, engine, 22)
    assert not reaches(found, PODS["predictor"], engine, 8000)
    assert not reaches(found, PODS["gateway"], PODS["predictor"], 8080)


def test_every_pod_may_ask_the_cluster_s_dns_and_none_another_namespace():
    found = of_kind(render.objects(), "NetworkPolicy")
    assert reaches(found, PODS["stranger"], Pod(namespace="kube-system"), 53)
    assert not reaches(found, PODS["stranger"], Pod(namespace="kube-system"), 443)


def addresses(found: list[dict[str, Any]]) -> set[tuple[str, str, int]]:
    """Policy, address and port of what is reached outside the cluster."""
    rules = [
        (each["metadata"]["name"], rule)
        for each in of_kind(found, "NetworkPolicy")
        for rule in each["spec"].get("egress", [])
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
    store = {
        (f"proseform-{name}", "0.0.0.0/0", 9000) for name in ("training", "predictor", "mlflow", "pipeline", "steps")
    }
    assert addresses(render.objects(POSTGRES)) == api | store | {("proseform-mlflow", "10.0.0.0/8", 5432)}


VLLM = {
    "vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:generation_tokens_total", "vllm:kv_cache_usage_perc",
    "vllm:time_to_first_token_seconds_bucket",
}  # fmt: skip
"""Names of vLLM's metrics, as its server gives them."""


def test_alerts_and_dashboard_ask_for_metrics_that_are_there():
    serving.ANSWERS.labels("t", "b")
    serving.REFUSALS.labels("t", "r")
    serving.SECONDS.labels("t")
    known = VLLM | set(re.findall(r"^(proseform_\w+)", generate_latest().decode(), re.MULTILINE))
    found = render.objects({"monitoring": {"create": True}})
    (rules,) = of_kind(found, "PrometheusRule")
    board = json.loads(named(found, "ConfigMap", "proseform-dashboard")["data"]["proseform.json"])
    alerts = [rule["expr"] for group in rules["spec"]["groups"] for rule in group["rules"]]
    panels = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked = {name for text in [*alerts, *panels] for name in re.findall(r"(?:proseform_|vllm:)\w+", text)}
    assert asked
    assert asked <= known
    assert all(text.count("(") == text.count(")") for text in [*alerts, *panels])
    assert all('namespace="proseform"' in text for text in alerts)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_reasons_that_alerts_tell_apart_are_those_that_serving_gives():
    text = (render.CHART / "templates" / "monitoring.yaml").read_text()
    reasons = {word for found in re.findall(r'reason[!=]~"([^"]+)"', text) for word in found.split("|")}
    given = set(re.findall(r'return "(\w+)"', Path(serving.__file__).with_name("faults.py").read_text()))
    assert reasons == given


def test_the_readme_tells_how_to_hold_the_namespace_to_restricted():
    assert "pod-security.kubernetes.io/enforce=restricted" in (render.CHART / "README.md").read_text()
    assert "pod-security.kubernetes.io/enforce=restricted" in (render.CHART / "templates" / "NOTES.txt").read_text()
