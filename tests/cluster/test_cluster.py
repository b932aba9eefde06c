"""The cluster for real: a pod with a name, a job, a model, a gateway. Wants root and Go; see the fixture."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.cluster import cluster as the
from tests.cluster import images, programs
from tests.cluster.kubectl import KubectlError, apply, kubectl
from tests.cluster.places import GATEWAY_CLASS, GATEWAY_PORT, HOST, KUBECONFIG
from tests.cluster.probe import eventually
from tests.cluster.process import Process

pytestmark = pytest.mark.cluster
SHELL = "proseform.local/busybox:test"
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture(scope="module", autouse=True)
def ours(cluster):
    """Our own cluster: these tests look into its processes."""
    if cluster != KUBECONFIG:
        pytest.skip(f"the cluster of {cluster} is not ours to look into")
    images.load_program(Path("/bin/busybox"), SHELL, "/bin/busybox")


@pytest.fixture
def namespace():
    """A namespace that admits restricted pods alone."""
    name = f"test-{time.monotonic_ns() % 10**9}"
    about = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": about}])
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def container(*args, image=SHELL, name="main", **more):
    """A container that restricted namespaces admit; the image is busybox."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "args": list(args),
        "securityContext": RESTRICTED,
        **more,
    }


def script(text, **more):
    """A container that runs a script of busybox commands."""
    return container("sh", "-c", text, env=[{"name": "PATH", "value": "/bin"}], **more)


def resource(api, kind, namespace, name, spec):
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": spec,
    }


def pod(namespace, name, *containers, **more):
    return resource("v1", "Pod", namespace, name, {"restartPolicy": "Never", "containers": list(containers), **more})


def web(namespace, name, says):
    """A pod that serves a word over HTTP, and its service."""
    folder = {"name": "tmp", "mountPath": "/tmp"}
    serve = script(f"echo -n {says} > /tmp/index.html && exec busybox httpd -f -p 8080 -h /tmp", volumeMounts=[folder])
    service = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    return [
        pod(namespace, name, serve, volumes=[{"name": "tmp", "emptyDir": {}}]),
        resource("v1", "Service", namespace, name, service),
    ]


def pytorch_job(namespace, master, worker=None):
    """A PyTorchJob of a master's container and, if there is one, a worker's."""
    roles = {"Master": master, "Worker": worker}
    specs = {
        role: {"replicas": 1, "restartPolicy": "Never", "template": {"spec": {"containers": [of]}}}
        for role, of in roles.items()
        if of
    }
    return resource("kubeflow.org/v1", "PyTorchJob", namespace, "job", {"pytorchReplicaSpecs": specs})


def wait(namespace, what, condition, seconds=90):
    kubectl("wait", "--namespace", namespace, f"--for={condition}", what, f"--timeout={seconds}s")


def test_a_pod_resolves_a_service_by_name_and_reaches_it(namespace):
    apply(web(namespace, "web", "hello"))
    wait(namespace, "pod/web", "condition=Ready")
    names = container(f"web.{namespace}.svc.cluster.local", image=images.name_of(programs.WAIT), name="names")
    asks = script("busybox wget -q -O - http://$WEB_SERVICE_HOST/")  # a static busybox cannot look names up
    apply([pod(namespace, "asks", asks, initContainers=[names])])
    wait(namespace, "pod/asks", "jsonpath={.status.phase}=Succeeded")
    assert kubectl("logs", "--namespace", namespace, "asks") == "hello"


def test_an_image_by_its_digest_is_the_image(namespace):
    pinned = images.load_program(programs.WAIT.path, "proseform.local/pinned:1", "/wait-for-name")
    apply([pod(namespace, "pinned", container("kubernetes.default.svc.cluster.local", image=pinned))])
    wait(namespace, "pod/pinned", "jsonpath={.status.phase}=Succeeded")
    assert "10.97.0.1" in kubectl("logs", "--namespace", namespace, "pinned")


def test_pod_security_refuses_what_is_not_restricted(namespace):
    with pytest.raises(KubectlError, match='violates PodSecurity "restricted'):
        apply([pod(namespace, "bare", {"name": "main", "image": SHELL})])


def test_a_job_of_master_and_worker_runs_under_restricted(namespace):
    """The operator's own init container would be refused; ours waits for the master's name."""
    says = "echo rank $RANK of $WORLD_SIZE at $MASTER_ADDR"
    until_told = f"trap 'exit 0' TERM; {says}; while true; do busybox sleep 0.2; done"  # a job ends with its master
    apply([pytorch_job(namespace, script(until_told, name="pytorch"), script(says, name="pytorch"))])
    eventually(lambda: "job-worker-0" in kubectl("get", "pods", "--namespace", namespace, "--output=name"))
    worker = json.loads(kubectl("get", "pod", "job-worker-0", "--namespace", namespace, "--output=json"))
    assert [container["image"] for container in worker["spec"]["initContainers"]] == [images.name_of(programs.WAIT)]
    wait(namespace, "pod/job-worker-0", "jsonpath={.status.phase}=Succeeded")
    assert kubectl("logs", "--namespace", namespace, "job-worker-0", "-c", "pytorch").startswith(
        "rank 1 of 2 at job-master-0"
    )
    kubectl("exec", "--namespace", namespace, "job-master-0", "-c", "pytorch", "--", "busybox", "kill", "1")
    wait(namespace, "pytorchjob/job", "condition=Succeeded")


def test_the_operators_webhook_refuses_a_job_without_its_container(namespace):
    with pytest.raises(KubectlError, match="pytorch"):
        apply([pytorch_job(namespace, container("true", name="other"))])


def test_an_inference_service_becomes_a_deployment_and_is_ready(namespace):
    predictor = script(
        "exec busybox httpd -f -p 8080 -h /bin", name="kserve-container", ports=[{"containerPort": 8080}]
    )
    apply(
        [
            resource(
                "serving.kserve.io/v1beta1",
                "InferenceService",
                namespace,
                "model",
                {"predictor": {"containers": [predictor]}},
            )
        ]
    )
    wait(namespace, "deployment/model-predictor", "create")
    wait(namespace, "inferenceservice/model", "condition=Ready")


def get(host):
    """What the gateway answers for a host; nothing where it has no route."""
    request = urllib.request.Request(f"http://{HOST}:{GATEWAY_PORT}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError:
        return ""


def split(namespace, one, two):
    """A route with weights for two services."""
    backends = [{"name": "one", "port": 80, "weight": one}, {"name": "two", "port": 80, "weight": two}]
    spec = {"parentRefs": [{"name": "gate"}], "hostnames": [f"{namespace}.test"], "rules": [{"backendRefs": backends}]}
    return resource("gateway.networking.k8s.io/v1", "HTTPRoute", namespace, "route", spec)


def test_a_route_splits_traffic_by_weight_and_takes_a_change_up_at_once(namespace):
    listener = {"name": "web", "port": GATEWAY_PORT, "protocol": "HTTP"}
    gateway = {"gatewayClassName": GATEWAY_CLASS, "listeners": [listener]}
    apply([*web(namespace, "one", "one"), *web(namespace, "two", "two"), split(namespace, 90, 10)])
    apply([resource("gateway.networking.k8s.io/v1", "Gateway", namespace, "gate", gateway)])
    for name in ("one", "two"):
        wait(namespace, f"pod/{name}", "condition=Ready")
    host = f"{namespace}.test"
    eventually(lambda: {get(host) for _ in range(40)} == {"one", "two"})
    answers = [get(host) for _ in range(200)]
    assert set(answers) == {"one", "two"}
    assert 160 <= answers.count("one") <= 195
    apply([split(namespace, 0, 1)])
    began = time.monotonic()
    eventually(lambda: {get(host) for _ in range(20)} == {"two"}, seconds=10)
    assert time.monotonic() - began < 5
    status = json.loads(kubectl("get", "gateway", "gate", "--namespace", namespace, "--output=json"))["status"]
    assert [address["value"] for address in status["addresses"]] == [HOST]


def test_a_pod_reaches_the_gateway(namespace):
    apply([pod(namespace, "asks", container("wget", "-q", "-O", "-", f"http://{HOST}:{GATEWAY_PORT}/"))])
    wait(namespace, "pod/asks", "jsonpath={.status.phase}=Failed")
    assert "404" in kubectl("logs", "--namespace", namespace, "asks")


def test_a_second_up_says_so_and_starts_nothing():
    before, sentences = {name: Process(name).pid for name in the.PARTS}, []
    began = time.monotonic()
    assert the.up(sentences.append) == KUBECONFIG
    assert sentences == ["The cluster is up already.\n"]
    assert {name: Process(name).pid for name in the.PARTS} == before
    assert time.monotonic() - began < 10, "a second or two, on a machine with nothing else to do"


def test_a_part_that_was_killed_is_named_with_its_last_words_and_started_again():
    before = {name: Process(name).pid for name in the.PARTS if name != "kube-scheduler"}
    os.kill(Process("kube-scheduler").pid, signal.SIGKILL)
    eventually(lambda: Process("kube-scheduler").crashed)
    assert any("kube-scheduler" in line and "crashed" in line for line in the.table())
    sentences = []
    the.up(sentences.append)
    assert any(
        line.startswith("kube-scheduler had ended by itself") and "kube-scheduler.log" in line for line in sentences
    )
    assert the.well()
    assert {name: Process(name).pid for name in the.PARTS if name != "kube-scheduler"} == before


def test_the_api_server_restarts_under_a_running_cluster(namespace):
    the.restart("kube-apiserver")
    apply([pod(namespace, "after", container("true"))])
    wait(namespace, "pod/after", "jsonpath={.status.phase}=Succeeded")
    eventually(the.well)
