"""What breaks on a cluster: each ends in the right state, with words that a person can act on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proseform.errors import ConfigError, StageError
from proseform.kube import jobs
from tests.cluster import cluster as the
from tests.cluster.kubectl import KubectlError, apply, kubectl
from tests.e2e import launched
from tests.e2e.world import NAMESPACE

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def gone(world, stage):
    return not world.api.find("kubeflow.org/v1", "PyTorchJob", f"{jobs.STAGE}={stage}")


def starts(job):
    return [int(line) for line in (Path(job.work) / "starts.txt").read_text().split()]


def test_a_missing_image_is_told_and_the_job_is_taken_away(world):
    where = launched.place(world, image="proseform.local/none:1", pending_s=5)
    with pytest.raises(StageError, match=r"cannot get its image proseform.local/none:1 \((ErrImagePull|ImagePullBackOff)\)") as caught:
        launched.run(where, "toy", launched.job("no-image"))
    assert "cluster.images.train" in caught.value.hint
    launched.eventually(lambda: gone(world, "no-image"))


def test_memory_that_no_node_has_is_told(world):
    with pytest.raises(StageError, match="No node has enough memory for pod no-memory") as caught:
        launched.run(launched.place(world, memory="900Gi", pending_s=5), "toy", launched.job("no-memory"))
    assert "Lower cluster.jobs for memory" in caught.value.hint


def test_a_worker_that_exits_1_again_and_again_is_given_up(world):
    job = launched.job("exits", end="exit")
    with pytest.raises(StageError, match=r"The worker in pod exits-\w+-master-0 ended with code 1|failed more often than allowed"):
        launched.run(launched.place(world, restarts=1), "toy", job)
    assert len(starts(job)) >= 2, "it was tried again"


def test_a_worker_s_own_words_come_first_and_at_once(world):
    job = launched.job("raises", end="raise")
    with pytest.raises(ConfigError, match="The tenth row is no row") as caught:
        launched.run(launched.place(world), "toy", job)
    assert caught.value.hint == "Mend it."
    launched.eventually(lambda: gone(world, "raises"))


def test_a_deadline_ends_the_job_and_is_told(world):
    with pytest.raises(StageError, match="The job ran longer than its 25 s"):
        launched.run(launched.place(world, deadline_s=25), "toy", launched.job("late", count=300))


def test_a_job_survives_a_restarted_api_server(world):
    job = launched.job("steady", count=20)
    with launched.running(launched.place(world), "toy", job):
        launched.eventually((Path(job.work) / "starts.txt").exists)
        the.restart("kube-apiserver")
    assert starts(job) == [0], "nothing was started again"


def test_an_operator_that_is_down_is_told_and_the_next_run_goes_through(world):
    launched.scale("kubeflow", "training-operator", 0)
    job = launched.job("unseen", count=1)
    try:
        with pytest.raises(StageError, match="No operator has looked at its job yet") as caught:
            launched.run(launched.place(world, pending_s=5), "toy", job)
        assert "kubectl get pods -A" in caught.value.hint
    finally:
        launched.scale("kubeflow", "training-operator", 1)
    launched.run(launched.place(world), "toy", job)
    assert (Path(job.out) / "done.txt").exists()


def test_a_second_launch_adopts_the_job_that_runs(world):
    job = launched.job("adopted", count=12)
    where = launched.place(world)
    with launched.running(where, "toy", job):
        launched.eventually((Path(job.work) / "starts.txt").exists)
        launched.run(where, "toy", job)
    assert starts(job) == [0]


def test_the_namespace_admits_restricted_pods_alone(world):
    bare = {"name": "main", "image": world.python, "command": ["true"]}
    about = {"name": "bare", "namespace": NAMESPACE}
    with pytest.raises(KubectlError, match='violates PodSecurity "restricted'):
        apply([{"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": {"containers": [bare]}}])


GRANTED = {
    "pipeline": [
        "create pytorchjobs.kubeflow.org", "delete pytorchjobs.kubeflow.org", "create inferenceservices.serving.kserve.io",
        "patch httproutes.gateway.networking.k8s.io", "list pods", "get pods/log", "create configmaps",
    ],
    "training": [],
    "serving": [],
    "mlflow": [],
}  # fmt: skip
REFUSED = [
    "create pods", "create pods/exec", "get secrets", "list secrets", "create secrets", "delete persistentvolumeclaims", "list namespaces",
    "create deployments.apps", "create rolebindings.rbac.authorization.k8s.io", "create serviceaccounts/token", "update gateways",
    "get nodes", "impersonate users",
]  # fmt: skip


@pytest.mark.parametrize("account", GRANTED)
def test_an_account_may_what_it_needs_and_nothing_beside(world, account):
    """By the API server's own authoriser."""
    everything = sorted({each for granted in GRANTED.values() for each in granted} | set(REFUSED))
    may = {each for each in everything if allowed(account, *each.split())}
    assert may == set(GRANTED[account])


def allowed(account, verb, what):
    """Whether an account may do it: a review that the API server answers, whoever asks."""
    resource, _, sub = what.partition("/")
    resource, _, group = resource.partition(".")
    about = {"namespace": NAMESPACE, "verb": verb, "resource": resource, "group": group, "subresource": sub}
    spec = {"user": f"system:serviceaccount:{NAMESPACE}:{NAMESPACE}-{account}", "resourceAttributes": about}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return json.loads(kubectl("create", "-f", "-", "--output=json", text=json.dumps(review)))["status"]["allowed"]
