"""The state of a training job and its reason, from the job, its pods and their events: one sentence, and a remedy.

Pure. The reasons are those of Kubernetes (kubelet's waiting and terminated reasons, the scheduler's conditions) and of
the operators (condition reasons of PyTorchJob and TrainJob). States that can pass by themselves are told apart from
those that cannot, so that a launcher waits for the first and gives up on the second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = Mapping[str, Any]
Phase = Literal["queued", "waiting", "running", "succeeded", "failed"]

_IMAGE = {
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ErrImageInspect",
    "RegistryUnavailable",
}
_KILLED = 128
"""Exit codes above this are 128 plus the signal that ended the process."""


@dataclass(frozen=True, slots=True)
class State:
    """The state of a job.

    Attributes:
        phase: queued: held back by a queue; waiting: not all pods are up yet; then running, and succeeded or failed.
        reason: Kubernetes' word, such as ``OOMKilled`` or ``Unschedulable``; empty if nothing is wrong.
        words: What happened, a sentence.
        remedy: What to do about it, a sentence.
        stuck: A waiting job that goes on only if something changes; the launcher gives up on it after a grace period.
    """

    phase: Phase
    reason: str = ""
    words: str = ""
    remedy: str = ""
    stuck: bool = False

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.phase in {"succeeded", "failed"}


def state(job: Json, pods: Sequence[Json], events: Iterable[Json] = ()) -> State:
    """The state of a PyTorchJob or TrainJob.

    Args:
        job: The object.
        pods: Its pods.
        events: Events of the job and its pods, in any order.

    >>> state({"status": {"conditions": [{"type": "Succeeded", "status": "True"}]}}, []).phase
    'succeeded'
    """
    conditions = {c["type"]: c for c in job.get("status", {}).get("conditions", ()) if c.get("status") == "True"}
    if "Succeeded" in conditions or "Complete" in conditions:
        return State("succeeded")
    if "Failed" in conditions:
        return _failed(job, conditions["Failed"], pods)
    if job.get("spec", {}).get("suspend") or job.get("spec", {}).get("runPolicy", {}).get("suspend"):
        return State(
            "queued",
            "Suspended",
            "The job is held back by its queue.",
            "Look at the queue's Workload: kubectl get workloads.",
        )
    troubles = [problem for pod in pods if (problem := trouble(pod)) is not None]
    if troubles:
        return troubles[0]
    phases = [pod.get("status", {}).get("phase", "Pending") for pod in pods]
    if phases and all(phase != "Pending" for phase in phases):
        return State("running")
    warned = warning(events) if not pods else ""
    if warned:
        return State(
            "waiting", "FailedCreate", f"Its pods cannot be created: {warned}", _remedy_of_refusal(warned), stuck=True
        )
    if not pods and not job.get("status", {}).get("conditions"):
        remedy = "Is the operator of this kind running? kubectl get pods -A."
        return State("waiting", "NoOperator", "No operator has looked at its job yet.", remedy, stuck=True)
    return State("waiting", "", "Its pods are starting.")


def _failed(job: Json, condition: Json, pods: Sequence[Json]) -> State:
    """Why a job has failed; its pods say more than its condition."""
    stated = f"{condition.get('reason', '')} {condition.get('message', '')}"
    spec = job.get("spec", {})
    late = any(pod.get("status", {}).get("reason") == "DeadlineExceeded" for pod in pods)
    if late or "Deadline" in stated or "deadline" in stated or "was active longer than" in stated:
        seconds = spec.get("activeDeadlineSeconds") or spec.get("runPolicy", {}).get("activeDeadlineSeconds", "?")
        return State(
            "failed",
            "DeadlineExceeded",
            f"The job ran longer than its {seconds} s.",
            "Raise the place's jobs.deadline_s; the next run goes on from the last checkpoint.",
        )
    ends = [end for pod in pods if (end := _end(pod)) is not None]
    if ends:
        return ends[0]
    gave_up = "backoff" in stated.lower()
    words = (
        "Its pods failed more often than allowed."
        if gave_up
        else f"The operator says: {condition.get('message', '').strip() or stated}"
    )
    return State(
        "failed",
        "BackoffLimitExceeded" if gave_up else condition.get("reason", "Failed"),
        words,
        "Look at the pods' logs.",
    )


def trouble(pod: Json) -> State | None:
    """Why a pod does not start, or why it is restarted; None if all is well."""
    name, status = pod.get("metadata", {}).get("name", "?"), pod.get("status", {})
    for condition in status.get("conditions", ()):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _unscheduled(name, str(condition.get("message", "")))
    for container in [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]:
        waiting = container.get("state", {}).get("waiting", {})
        reason = waiting.get("reason", "")
        if reason in _IMAGE:
            return State(
                "waiting",
                reason,
                f"Pod {name} cannot get its image {container.get('image', '?')} ({reason}).",
                "Check the place's images.train, and that the nodes may pull it.",
                stuck=True,
            )
        if reason in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
            message = str(waiting.get("message", ""))
            return State(
                "waiting",
                reason,
                f"Pod {name} cannot start: {message}",
                "Check claim, user and mounts in the place.",
                stuck=True,
            )
        if reason == "CrashLoopBackOff":
            last = container.get("lastState", {}).get("terminated", {})
            ended = _words_of_end(name, last)
            return State("waiting", ended.reason, f"{ended.words} It is started again.", ended.remedy)
    return None


def _unscheduled(name: str, message: str) -> State:
    """No node takes the pod."""
    lacking = re.findall(r"Insufficient ([\w./-]*\w)", message)
    if lacking:
        what = ", ".join(dict.fromkeys(lacking))
        remedy = f"Lower what jobs ask for ({what}) in the place, or add nodes."
        return State("waiting", "Unschedulable", f"No node has enough {what} for pod {name}.", remedy, stuck=True)
    if "persistentvolumeclaim" in message.lower():
        remedy = "Create the claim, or name another as the place's claim."
        return State("waiting", "Unschedulable", f"Pod {name} waits for its volume: {message}", remedy, stuck=True)
    remedy = "Check the place's jobs.node_selector and tolerations against the nodes."
    return State("waiting", "Unschedulable", f"No node takes pod {name}: {message}", remedy, stuck=True)


def _end(pod: Json) -> State | None:
    """How a failed pod ended; None if it has not failed."""
    name, status = pod.get("metadata", {}).get("name", "?"), pod.get("status", {})
    if status.get("reason") in {"Evicted", "Preempting", "Preempted"} or _disrupted(status):
        reason = status.get("reason") or "Preempted"
        return State(
            "failed",
            reason,
            f"Pod {name} was taken from its node: {status.get('message', '') or _disrupted(status)}",
            "Run again: it goes on from the last checkpoint; a higher priority class or a quieter node keeps it.",
        )
    for container in status.get("containerStatuses", ()):
        for stage in ("state", "lastState"):
            ended = container.get(stage, {}).get("terminated")
            if ended and ended.get("exitCode"):
                return _words_of_end(name, ended)
    return None


def _disrupted(status: Json) -> str:
    """The message of a pod's disruption; empty if there was none."""
    disruptions = (
        condition
        for condition in status.get("conditions", ())
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True"
    )
    return next((f"{condition.get('reason', '')}: {condition.get('message', '')}" for condition in disruptions), "")


def _words_of_end(name: str, ended: Json) -> State:
    """The state of a job by one of its terminated containers."""
    code, reason = int(ended.get("exitCode", 0)), str(ended.get("reason", ""))
    if reason == "OOMKilled":
        return State(
            "failed",
            "OOMKilled",
            f"Pod {name} used more memory than it may.",
            "Raise the place's jobs.memory, or lower micro_batch or model.max_length.",
        )
    if code > _KILLED:
        return State(
            "failed",
            "Killed",
            f"Pod {name} was ended by signal {code - _KILLED}.",
            "Run again: it goes on from the last checkpoint; if it happens again, look at the node.",
        )
    return State("failed", "Error", f"The worker in pod {name} ended with code {code}.", "Look at the log.")


def warning(events: Iterable[Json]) -> str:
    """The message of the latest warning; empty if there is none."""
    warned = [e for e in events if e.get("type") == "Warning"]
    warned.sort(key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))
    return str(warned[-1].get("message", "")) if warned else ""


def _remedy_of_refusal(message: str) -> str:
    """What to do if the API server refuses pods."""
    if "PodSecurity" in message:
        return "The namespace admits only pods of its security level; check the place's user and images."
    if "quota" in message:
        return "Ask for more quota, or lower what the place's jobs ask for."
    return "The namespace's administrator can say what is not allowed."
