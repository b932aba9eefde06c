"""Failures on a cluster: each ends in the right state, with a message that says what to do."""

from __future__ import annotations

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from proseform import launch
from proseform.errors import ClusterError, ConfigError, StageError
from proseform.kube import jobs
from proseform.kube.api import Api
from proseform.kube.launcher import Cluster
from tests.cluster import cluster as the
from tests.cluster.kubectl import KubectlError, apply, kubectl
from tests.cluster.probe import eventually
from tests.e2e import launched
from tests.e2e.world import HOME, NAMESPACE, USER

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]  # whichever is first makes images and world
DOOMED = {
    "no-image": ({"image": "proseform.local/none:1", "pending_s": 5}, {}),
    "no-memory": ({"memory": "900Gi", "pending_s": 5}, {}),
    "exits": ({"restarts": 2}, {"end": "exit"}),  # the second restart is counted once the first has run
    "raises": ({}, {"end": "raise"}),
    "late": ({"deadline_s": 25}, {"count": 300}),
}
"""Jobs that fail: the knobs of their place, and their worker's settings."""


@pytest.fixture(scope="module")
def ended(world):
    """The error of each of them; they run side by side, since they mostly wait."""

    def run(name):
        knobs, settings = DOOMED[name]
        try:
            launched.run(launched.place(world, **knobs), "toy", launched.job(name, **settings))
        except Exception as error:  # noqa: BLE001 - what the tests look at
            return error
        return None

    with ThreadPoolExecutor(len(DOOMED)) as pool:
        return dict(zip(DOOMED, pool.map(run, DOOMED), strict=True))


def told(error, kind, words, hint):
    """Check an error's class, its message and its hint."""
    assert isinstance(error, kind), error
    assert re.search(words, error.message), error.message
    assert hint in error.hint, error.hint


def gone(world, stage):
    return not world.api.find("kubeflow.org/v1", "PyTorchJob", f"{jobs.STAGE}={stage}")


def starts(name):
    """The number from which each start of a job's worker counted."""
    return [int(line) for line in (launched.JOBS / name / "starts.txt").read_text().split()]


def test_a_missing_image_is_told_and_the_job_is_taken_away(world, ended):
    words = r"cannot get its image proseform.local/none:1 \((ErrImagePull|ImagePullBackOff)\)"
    told(ended["no-image"], StageError, words, "images.train")
    eventually(lambda: gone(world, "no-image"), 120)


def test_memory_that_no_node_has_is_told_and_the_job_is_taken_away(world, ended):
    told(
        ended["no-memory"],
        StageError,
        "No node has enough memory for pod no-memory",
        "Lower what jobs ask for (memory)",
    )
    eventually(lambda: gone(world, "no-memory"), 120)


def test_a_worker_that_exits_1_again_and_again_is_given_up(ended):
    words = r"The worker in pod exits-\w+-master-0 ended with code 1|failed more often than allowed"
    told(ended["exits"], StageError, words, "log")
    assert len(starts("exits")) >= 2, "it was tried again"


def test_a_worker_s_own_words_come_first_and_it_is_not_tried_again(world, ended):
    told(ended["raises"], ConfigError, "The tenth row is no row", "Correct it.")
    eventually(lambda: gone(world, "raises"), 120)


def test_a_deadline_ends_the_job_and_is_told(ended):
    told(ended["late"], StageError, "The job ran longer than its 25 s", "jobs.deadline_s")


def test_a_pod_of_another_world_refuses_to_train(world):
    """The worker's job asks for three processes, and the cluster's has one, as after an edit by hand."""
    job = replace(launched.job("alone"), world_size=3)
    launch.prepare(job)
    for path in (Path(job.work), *Path(job.work).rglob("*")):
        shutil.chown(path, USER, USER)
    manifests = jobs.build(
        jobs.Training("alone", "toy", f"{job.work}/{launch.JOB}", str(HOME), launched.place(world, restarts=0))
    )
    world.api.create(manifests[-1])
    eventually((Path(job.work) / launch.ERROR).exists, 120)
    world.api.delete(manifests[-1])
    error = json.loads((Path(job.work) / launch.ERROR).read_text())
    assert error["message"] == "alone: 1 processes are here, 3 were asked for."


def test_a_running_job_is_adopted_by_a_second_launch_and_survives_a_restarted_api_server(world):
    job, where = launched.job("steady", count=12), launched.place(world)
    with launched.running(where, "toy", job):
        eventually((Path(job.work) / "starts.txt").exists, 120)
        the.restart("kube-apiserver")
        launched.run(where, "toy", job)
    assert starts("steady") == [0], "nothing was started again"


def test_an_operator_that_is_down_is_told_and_the_next_run_goes_through(world):
    """With its webhook, the API server refuses the job; without one, the job stays as it was created."""
    launched.scale("training operator", 0)
    job, where = launched.job("unseen", count=1), launched.place(world, pending_s=5)
    try:
        with pytest.raises(ClusterError, match="failed calling webhook") as refused:
            Cluster(where, HOME, "e2e", Api(NAMESPACE, patience_s=3)).run("toy", job)
        kubectl("delete", "validatingwebhookconfiguration", "validator.training-operator.kubeflow.org")
        with pytest.raises(StageError, match="No operator has looked at its job yet") as unseen:
            launched.run(where, "toy", job)
    finally:
        launched.scale("training operator", 1)
    assert all("kubectl get pods -A" in caught.value.hint for caught in (refused, unseen))
    launched.run(where, "toy", job)
    assert (Path(job.out) / "done.txt").exists()


def test_the_namespace_admits_restricted_pods_alone(world):
    bare = {"name": "main", "image": world.python, "command": ["true"]}
    about = {"name": "bare", "namespace": NAMESPACE}
    with pytest.raises(KubectlError, match='violates PodSecurity "restricted'):
        apply([{"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": {"containers": [bare]}}])


GRANTED = {
    "pipeline": [
        "create pytorchjobs.kubeflow.org",
        "delete pytorchjobs.kubeflow.org",
        "create inferenceservices.serving.kserve.io",
        "patch httproutes.gateway.networking.k8s.io",
        "list pods",
        "get pods/log",
        "create configmaps",
    ],
    "training": [],
    "serving": [],
    "mlflow": [],
}
REFUSED = [
    "create pods",
    "create pods/exec",
    "get secrets",
    "list secrets",
    "create secrets",
    "delete persistentvolumeclaims",
    "list namespaces",
    "create deployments.apps",
    "create rolebindings.rbac.authorization.k8s.io",
    "create serviceaccounts/token",
    "update gateways.gateway.networking.k8s.io",
    "get nodes",
    "impersonate users",
]


@pytest.mark.parametrize("account", GRANTED)
def test_an_account_may_what_it_needs_and_nothing_beside(world, account):
    rights = sorted({*REFUSED}.union(*GRANTED.values()))
    reviews = [review(account, *right.split()) for right in rights]
    asked = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    verdicts = kubectl("create", "-f", "-", "--output=jsonpath={.status.allowed} ", text=asked).split()
    allowed = [right for right, verdict in zip(rights, verdicts, strict=True) if verdict == "true"]
    assert allowed == sorted(GRANTED[account])


def review(account, verb, what):
    """A question to the API server's authoriser: whether an account may do something."""
    resource, _, sub = what.partition("/")
    resource, _, group = resource.partition(".")
    about = {"namespace": NAMESPACE, "verb": verb, "resource": resource, "group": group, "subresource": sub}
    spec = {"user": f"system:serviceaccount:{NAMESPACE}:{NAMESPACE}-{account}", "resourceAttributes": about}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
