"""From a dataset to an answer: jobs train, MLflow registers, KServe serves, a gateway splits traffic; all are real."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter

import httpx
import pytest

from proseform import config, digest
from proseform import task as tasks
from proseform.errors import ClusterError, InputError
from proseform.kube import jobs, pods, rollout, services, waiting
from proseform.kube.api import Api
from proseform.kube.scaling import SERVICE
from tests.cluster.kubectl import apply, kubectl
from tests.cluster.places import GATEWAY_PORT, HOST
from tests.cluster.probe import eventually
from tests.e2e import pipeline
from tests.e2e.launched import scale
from tests.e2e.pipeline import ANOTHER_BUDGET, TASK
from tests.e2e.world import HOME, NAMESPACE, wait

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]
GATEWAY = f"http://{HOST}:{GATEWAY_PORT}"
ROUTE = f"/v1/tasks/{TASK}/answer"


@pytest.fixture(scope="module")
def first(world):
    """The first run, finished: everything is trained, and version 1 is deployed. The second run starts."""
    ended = pipeline.end(world, pipeline.FIRST)
    pipeline.start(world, "second", pipeline.text(ANOTHER_BUDGET))
    return ended


@pytest.fixture(scope="module")
def case():
    """Inputs of a held-out case."""
    return dict(next(tasks.load(TASK).generate("starter", "test", 7, 1)).inputs)


def ask(body, seconds=320):
    return httpx.post(f"{GATEWAY}{ROUTE}", json=body, timeout=seconds)


def test_every_training_stage_was_a_job_of_restricted_pods_and_of_the_world_that_was_asked_for(world, first):
    jobs_of_run = first.jobs(world)
    assert set(jobs_of_run) == {"base", "sft-evaluator", "sft-formatter", "grpo", "records"}
    for stage, job in jobs_of_run.items():
        assert {condition["type"] for condition in job["status"]["conditions"] if condition["status"] == "True"} == {
            "Created",
            "Succeeded",
        }, stage
        asked = {role: replica["replicas"] for role, replica in job["spec"]["pytorchReplicaSpecs"].items()}
        assert asked == ({"Master": 1} if stage in {"base", "records"} else {"Master": 1, "Worker": 1}), (
            "and each asserts that so many are there"
        )
        pods = world.api.find("v1", "Pod", f"{jobs.JOB}={job['metadata']['name']}")
        assert {pod["status"]["phase"] for pod in pods} == {"Succeeded"}, (
            "a worker that outlives its master by a moment is taken away"
        )


def test_what_the_pods_made_is_what_was_registered_deployed_and_answers(world, first, case):
    signed = {stage: job["metadata"]["annotations"][jobs.OUTPUT] for stage, job in first.jobs(world).items()}
    registered = first.figures("register")
    (service,) = world.api.find(services.SERVING, "InferenceService", f"{services.VERSION}={registered['version']}")
    tags = version_tags(registered["version"])
    for stage in ("sft-evaluator", "sft-formatter", "grpo"):
        assert tags[f"proseform.stage.{stage}"] == signed[stage]
    annotations = service["metadata"]["annotations"]
    assert annotations[services.BUNDLE] == registered["bundle"] == tags["proseform.bundle"]
    for role, stage in (("evaluator", "grpo"), ("formatter", "sft-formatter")):
        (payload,) = [
            folder
            for folder in (HOME / "store" / stage).iterdir()
            if digest.of_files(folder, names_of(folder)) == signed[stage]
        ]
        assert annotations[f"proseform.dev/{role}"] == digest.of_files(payload / "weights")
    answer = ask({"inputs": case})
    assert answer.status_code == 200, answer.text
    assert answer.json()["bundle"] == registered["bundle"]


def names_of(payload):
    """The files of a payload, without the commit."""
    return [
        path.relative_to(payload).as_posix()
        for path in payload.rglob("*")
        if path.is_file() and path.name != "result.json"
    ]


def version_tags(version):
    """The tags of a version, read in the MLflow server's pod."""
    script = (
        "import json, mlflow; "
        "client = mlflow.MlflowClient('http://localhost:5000'); "
        f"version = client.get_model_version('proseform-{TASK}', '{version}'); "
        "print(json.dumps(dict(version.tags)))"
    )
    return json.loads(
        kubectl("exec", "--namespace", NAMESPACE, f"deployment/{NAMESPACE}-mlflow", "--", "python3", "-c", script)
    )


def test_a_pod_in_the_cluster_gets_verified_json_and_a_broken_request_a_typed_refusal(world, first, case):
    script = """
import json, sys, urllib.error, urllib.request
def ask(body):
    request = urllib.request.Request(sys.argv[1], json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=320) as answer:
            return [answer.status, json.load(answer)]
    except urllib.error.HTTPError as error:
        return [error.code, json.load(error)]
print(json.dumps([ask(body) for body in json.loads(sys.argv[2])]))
"""
    bodies = [{"inputs": case}, {"inputs": {"cv": "only half"}}, {"inputs": {**case, "cv": case["cv"] * 200}}]
    command = ["python3", "-c", script, f"{GATEWAY}{ROUTE}", json.dumps(bodies)]
    container = pods.container(pods.Container("client", world.python, command, resources={"memory": "128Mi"}))
    spec = {**pods.pod([container], config.Place(), {}), "restartPolicy": "Never"}
    apply([{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client", "namespace": NAMESPACE}, "spec": spec}])
    wait("pod/client", "jsonpath={.status.phase}=Succeeded", 400)
    whole, half, long = json.loads(kubectl("logs", "--namespace", NAMESPACE, "client"))
    kubectl("delete", "pod", "--namespace", NAMESPACE, "client", "--wait=false")
    assert whole[0] == 200
    assert whole[1]["verdict"] == "valid"
    assert set(whole[1]["answer"]) == set(tasks.load(TASK).formats["brief"])
    assert (half[0], half[1]["error"]["reason"], half[1]["error"]["message"]) == (
        422,
        "input",
        "Input 'job' is missing.",
    )
    assert (long[0], long[1]["error"]["reason"]) == (422, "insufficient_evidence"), "the bundle knows its kind of case"
    assert "the cv is longer than theirs" in long[1]["error"]["message"]


def warnings(world):
    """The cluster's latest warnings, to explain a failure."""
    events = world.api.find("v1", "Event", fields="type=Warning")
    latest = sorted(events, key=lambda event: event.get("lastTimestamp") or "")[-20:]
    return [
        (event.get("lastTimestamp"), event["involvedObject"].get("name"), event.get("message", "")[:200])
        for event in latest
    ]


class Traffic:
    """One request after another, a second apart, until the context ends; the two cores have a training to do too."""

    def __init__(self, case):
        self.answers, self._case, self._over = [], case, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.is_set():
            answer = ask({"inputs": self._case})
            body = answer.json() if answer.headers.get("content-type", "").startswith("application/json") else {}
            self.answers.append((answer.status_code, body.get("bundle", answer.text[:300])))
            self._over.wait(1)


def test_a_second_version_is_promoted_under_traffic_without_one_failure(world, first, case, capsys):
    one = first.figures("register")["bundle"]
    eventually(lambda: len(rollout.versions(world.api, TASK)) > 1, 240)
    with Traffic(case) as traffic:
        second = pipeline.end(world, "second")
        two = second.figures("register")["bundle"]
        until = time.monotonic() + 120
        while [bundle for _, bundle in traffic.answers[-3:]] != [two] * 3 and time.monotonic() < until:
            time.sleep(1)
    assert set(second.jobs(world)) == {"records"}, (
        "what is trained already is adopted; a bundle with another budget is another one, and is measured anew"
    )
    failures = [answer for answer in traffic.answers if answer[0] != 200]
    assert failures == [], f"after {traffic.answers.index(failures[0])} answers; {warnings(world)}"
    by = Counter(bundle for _, bundle in traffic.answers)
    assert set(by) == {one, two}
    with capsys.disabled():
        sys.stdout.write(f"\n{len(traffic.answers)} requests while version 2 came up and took over, none failed: ")
        sys.stdout.write(f"{by[one]} answered by version 1, {by[two]} by version 2\n")


@pytest.fixture
def standing(world, first):
    """The version that has all traffic, and its predictor's pods."""
    versions = rollout.versions(world.api, TASK)
    weights = rollout.weights(world.api, f"proseform-{TASK}", versions)
    version = versions[max(weights, key=lambda number: weights[number])]
    return version, world.api.find("v1", "Pod", f"{SERVICE}={version.names[0]},component=predictor")


def test_an_evicted_predictor_is_refused_in_words_and_comes_back(world, standing, case):
    version, (pod,) = standing
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE}}
    kubectl(
        "create", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction", "-f", "-", text=json.dumps(eviction)
    )
    refused = eventually(lambda: (answer := ask({"inputs": case})).status_code != 200 and answer, 120)
    assert refused.status_code == 503
    assert refused.json()["error"]["reason"] == "engine"
    sentences = []
    serving = config.Serving(ready_s=600)
    waiting.await_ready(world.api, version.names, serving, 600, sentences.append)
    assert any("waits for" in words for words in sentences)
    answer = eventually(lambda: (response := ask({"inputs": case})).status_code == 200 and response, 120)
    assert answer.json()["bundle"] == version.bundle


def test_the_version_before_takes_over_by_one_patch_and_the_other_is_taken_away(world, standing, case):
    """A rollback while both are deployed; then the version without traffic is removed, with its objects."""
    version, _ = standing
    place = config.PLACES.load(str(pipeline.place("second")))
    versions = rollout.versions(world.api, TASK)
    (other,) = [deployed for deployed in versions.values() if deployed.version != version.version]
    model = f"proseform-{TASK}"
    with pytest.raises(InputError, match="takes 100 % of the traffic"):
        rollout.remove(world.api, TASK, version.version, place, model, force=False, say=lambda _: None)
    rollout.move(world.api, TASK, model, {other.version: 100, version.version: 0}, place)
    eventually(lambda: ask({"inputs": case}).json().get("bundle") == other.bundle, 120)
    rollout.remove(world.api, TASK, version.version, place, model, force=False, say=lambda _: None)
    assert list(rollout.versions(world.api, TASK)) == [other.version]
    kinds = "inferenceservices,configmaps,servingruntimes,deployments,services,pods"
    eventually(
        lambda: f"-v{version.version}-" not in kubectl("get", kinds, "--namespace", NAMESPACE, "--output=name"), 120
    )
    assert ask({"inputs": case}).json()["bundle"] == other.bundle


def test_a_kserve_controller_that_is_down_is_told_and_what_stands_goes_on_answering(world, standing, case):
    version, _ = standing
    service = world.api.get(services.SERVING, "InferenceService", version.names[0])
    about = {"name": "unseen", "namespace": NAMESPACE}
    spec = {"predictor": {"containers": service["spec"]["transformer"]["containers"]}}
    unseen = {"apiVersion": services.SERVING, "kind": "InferenceService", "metadata": about, "spec": spec}
    scale("KServe", 0)
    try:
        with pytest.raises(ClusterError, match="failed calling webhook") as caught:
            rollout.apply(Api(NAMESPACE, patience_s=3), [unseen])
        assert "kubectl get pods -A" in caught.value.hint
        assert ask({"inputs": case}).status_code == 200
    finally:
        scale("KServe", 1)


def test_who_ends_a_pipeline_run_ends_its_jobs(world, first):
    """A deleted pod gets SIGTERM and deletes its jobs. The base exists, so the first job trains an adapter."""
    pipeline.start(world, "ended", pipeline.text(pipeline.A_LONG_RUN))
    eventually(lambda: world.api.find("kubeflow.org/v1", "PyTorchJob", f"{jobs.RUN}=ended"), 120)
    kubectl("delete", "pod", "--namespace", NAMESPACE, "ended", "--grace-period=60")
    eventually(lambda: not world.api.find("kubeflow.org/v1", "PyTorchJob", f"{jobs.RUN}=ended"), 10)
