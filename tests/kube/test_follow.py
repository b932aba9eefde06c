"""The state of a job in words; the shapes of statuses were recorded from kubelet, scheduler and operators."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.kube import follow


def condition(kind: str, **more: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": kind, "status": "True", **more}]}}


def pod(phase: str = "Running", name: str = "sft-master-0", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"phase": phase, **status}}


def waiting(reason: str, message: str = "", last: dict[str, Any] | None = None) -> dict[str, Any]:
    state = {
        "image": "proseform/train:0",
        "state": {"waiting": {"reason": reason, "message": message}},
        "lastState": last or {},
    }
    return pod("Pending", containerStatuses=[state])


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return pod("Failed", containerStatuses=[{"state": {"terminated": {"exitCode": code, "reason": reason}}}])


def unscheduled(message: str) -> dict[str, Any]:
    return pod(
        "Pending",
        conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
    )


RUNNING = condition("Running")
FAILED = condition(
    "Failed", reason="PyTorchJobFailed", message="PyTorchJob sft is failed because 1 Master replica(s) failed."
)
LATE = {
    "spec": {"runPolicy": {"activeDeadlineSeconds": 60}},
    **condition("Failed", message="it was active longer than specified deadline"),
}
GAVE_UP = condition("Failed", message="PyTorchJob sft has failed because it has reached the specified backoff limit")
CRASHED = waiting("CrashLoopBackOff", last={"terminated": {"exitCode": 1, "reason": "Error"}})
PREEMPTED = pod(
    "Failed", conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
)
EVICTED = pod("Failed", reason="Evicted", message="The node was low on resource: memory.")
CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]], str, str, bool]] = {
    "succeeded": (condition("Succeeded"), [ended(0, "Completed")], "succeeded", "", False),
    "a TrainJob that is complete": (condition("Complete"), [], "succeeded", "", False),
    "held by a queue": ({"spec": {"runPolicy": {"suspend": True}}}, [], "queued", "Suspended", False),
    "a TrainJob held by a queue": ({"spec": {"suspend": True}}, [], "queued", "Suspended", False),
    "no operator has seen it": ({}, [], "waiting", "NoOperator", True),
    "no pods yet": (condition("Created"), [], "waiting", "", False),
    "one of two pods is up": (RUNNING, [pod(), pod("Pending")], "waiting", "", False),
    "all pods are up": (RUNNING, [pod(), pod()], "running", "", False),
    "no such image": ({}, [waiting("ErrImagePull")], "waiting", "ErrImagePull", True),
    "an image that is never pulled": ({}, [waiting("ErrImageNeverPull")], "waiting", "ErrImageNeverPull", True),
    "backing off": (RUNNING, [pod(), waiting("ImagePullBackOff")], "waiting", "ImagePullBackOff", True),
    "no memory": (
        {},
        [unscheduled("0/1 nodes are available: 1 Insufficient memory.")],
        "waiting",
        "Unschedulable",
        True,
    ),
    "no claim": ({}, [unscheduled('persistentvolumeclaim "store" not found')], "waiting", "Unschedulable", True),
    "no node": ({}, [unscheduled("node(s) didn't match Pod's node affinity")], "waiting", "Unschedulable", True),
    "a missing secret": (
        {},
        [waiting("CreateContainerConfigError", "no secret")],
        "waiting",
        "CreateContainerConfigError",
        True,
    ),
    "crashed and started again": (RUNNING, [CRASHED], "waiting", "Error", False),
    "out of memory": (FAILED, [ended(137, "OOMKilled")], "failed", "OOMKilled", False),
    "killed": (FAILED, [ended(137)], "failed", "Killed", False),
    "exit code 1": (FAILED, [ended(1)], "failed", "Error", False),
    "evicted": (FAILED, [EVICTED], "failed", "Evicted", False),
    "preempted": (FAILED, [PREEMPTED], "failed", "Preempted", False),
    "deadline": (LATE, [ended(143)], "failed", "DeadlineExceeded", False),
    "a pod's deadline, which is the job's": (
        GAVE_UP,
        [pod("Failed", reason="DeadlineExceeded")],
        "failed",
        "DeadlineExceeded",
        False,
    ),
    "backoff limit": (GAVE_UP, [], "failed", "BackoffLimitExceeded", False),
    "words of the operator alone": (FAILED, [], "failed", "PyTorchJobFailed", False),
}


@pytest.mark.parametrize("name", CASES)
def test_what_happened_is_told_in_a_sentence_with_a_remedy(name: str) -> None:
    job, pods, phase, reason, stuck = CASES[name]
    state = follow.state(job, pods)
    assert (state.phase, state.reason, state.stuck) == (phase, reason, stuck)
    if state.reason:
        assert state.words
        assert state.remedy.endswith(".")


def test_the_resources_that_are_lacking_are_named() -> None:
    state = follow.state(
        {}, [unscheduled("0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 Insufficient memory.")]
    )
    assert "nvidia.com/gpu, memory" in state.words


def test_pods_that_the_api_server_refuses_are_told_by_its_event() -> None:
    refusal = 'violates PodSecurity "restricted:latest": runAsNonRoot'
    events = [
        {"type": "Warning", "lastTimestamp": "2026-01-01T00:00:02Z", "message": refusal},
        {"type": "Warning", "lastTimestamp": "2026-01-01T00:00:01Z", "message": "an older one"},
        {"type": "Normal", "lastTimestamp": "2026-01-01T00:00:03Z", "message": "created"},
    ]
    state = follow.state({}, [], events)
    assert state.stuck
    assert refusal in state.words
    assert "security level" in state.remedy


PHASES = st.sampled_from(["Pending", "Running", "Failed", "Succeeded", "Unknown"])
STATES = st.sampled_from(
    [{}, {"running": {}}, {"waiting": {}}, {"waiting": {"reason": "PodInitializing"}}, {"terminated": {"exitCode": 0}}]
)
SEEN = st.fixed_dictionaries(
    {"type": st.sampled_from(["PodScheduled", "Ready"]), "status": st.sampled_from(["True", "False"])}
)
CONTAINER = st.fixed_dictionaries({}, optional={"state": STATES, "lastState": STATES})
STATUS = st.fixed_dictionaries(
    {},
    optional={
        "phase": PHASES,
        "conditions": st.lists(SEEN, max_size=3),
        "containerStatuses": st.lists(CONTAINER, max_size=2),
    },
)


@given(
    st.lists(st.sampled_from(["Created", "Running", "Restarting", "Succeeded", "Failed"]), max_size=3),
    st.lists(STATUS, max_size=3),
)
def test_whatever_a_cluster_says_is_a_state_and_only_the_job_itself_ends(
    kinds: list[str], statuses: list[dict[str, Any]]
) -> None:
    job = {"status": {"conditions": [{"type": kind, "status": "True"} for kind in kinds]}}
    state = follow.state(job, [{"metadata": {"name": "a"}, "status": status} for status in statuses])
    assert state.over == bool({"Succeeded", "Failed"} & set(kinds))
