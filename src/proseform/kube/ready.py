"""Whether an InferenceService is ready, and if not, why: from the object, its pods and warnings; with a remedy.

Pure. An InferenceService's conditions say that it is not ready and seldom why, so the reason is looked for in its pods
first, then in the warnings about them, then in the conditions. KServe's ``observedGeneration`` is that of its
Deployment, so a service that was ready before a change looks ready after it; hence versions are never changed, but
created anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from proseform.kube import follow
from proseform.kube.follow import Json

_IMAGES = "Check the place's images, and that the nodes may pull them."
_CRASHES = 3
"""Restarts after which a pod is not expected to recover."""


@dataclass(frozen=True, slots=True)
class State:
    """The state of an InferenceService.

    Attributes:
        ready: Whether it answers.
        words: What it waits for, a sentence.
        remedy: What to do about it, a sentence.
        stuck: Whether it goes on only if something changes.
        crashed: Pod, container, and whether the container has restarted since; None if no container crashed.
    """

    ready: bool
    words: str = ""
    remedy: str = ""
    stuck: bool = False
    crashed: tuple[str, str, bool] | None = None


def state(service: Json, pods: Sequence[Json], events: Iterable[Json] = ()) -> State:
    """The state of an InferenceService.

    Args:
        service: The object.
        pods: Its pods.
        events: Warnings about it and what it owns, in any order.

    >>> state({"metadata": {"name": "a"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}, []).ready
    True
    """
    name = service["metadata"]["name"]
    conditions = {condition["type"]: condition for condition in service.get("status", {}).get("conditions", ())}
    if conditions.get("Ready", {}).get("status") == "True":
        return State(ready=True)
    remaining = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    for blocked in (_kept(pod) or _crashed(pod) for pod in remaining):
        if blocked is not None:
            return blocked
    warned = follow.warning(events)
    if warned and not remaining:
        return State(False, f"The pods of {name} cannot be created: {warned}", _remedy(warned), stuck=True)
    unready = [
        condition for condition in conditions.values() if condition["status"] == "False" and condition.get("message")
    ]
    if unready and not remaining:
        return State(
            False,
            f"KServe says of {name}: {unready[0]['message']}",
            "Look at the InferenceService's events.",
            stuck=True,
        )
    if not conditions:
        return State(False, f"KServe's controller has not looked at {name} yet.", "Is it running? kubectl get pods -A.")
    slow = f" The last warning: {warned}" if warned else ""
    waiting = [pod["metadata"]["name"] for pod in remaining if not _ready(pod)]
    return State(
        False,
        f"{name} waits for {', '.join(waiting) or 'its pods'}, which load what they need.{slow}",
        "Give it more time.",
    )


def _kept(pod: Json) -> State | None:
    """Why a pod cannot start at all; None if it can."""
    trouble = follow.trouble(pod)
    if trouble is None or not trouble.stuck:
        return None
    knobs = _knobs(pod)
    if trouble.reason == "Unschedulable":
        remedy = (
            "Check that its claims exist and its volumes can be provisioned."
            if "volume" in trouble.words
            else f"Lower {knobs}, or add nodes."
        )
    elif "image" in trouble.words:
        remedy = _IMAGES
    else:
        remedy = f"Check the place's user, and claim and mounts in {knobs}."
    return State(False, trouble.words, remedy, stuck=True)


def _crashed(pod: Json) -> State | None:
    """How a container of a pod crashed; None if none did."""
    name = pod["metadata"]["name"]
    knobs = _knobs(pod)
    status = pod.get("status", {})
    if status.get("reason") == "Evicted":
        return State(
            False,
            f"Pod {name} was taken from its node: {status.get('message', '')}",
            "Lower what pods ask for, or add nodes.",
        )
    for container in [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]:
        current = container.get("state", {}).get("terminated")
        ended = current or container.get("lastState", {}).get("terminated")
        if container.get("ready") or not ended or not ended.get("exitCode"):
            continue
        restarts = int(container.get("restartCount", 0))
        words = f"Pod {name} ended with code {ended['exitCode']} and was started again, {restarts} times so far."
        remedy = "Its log says why."
        if ended.get("reason") == "OOMKilled":
            words = f"Pod {name} used more memory than it may."
            remedy = f"Raise {knobs}.memory, or lower kv_cache_gib or model.max_length."
        return State(
            False, words, remedy, stuck=restarts >= _CRASHES, crashed=(name, container["name"], current is None)
        )
    return None


def _knobs(pod: Json) -> str:
    """The section of the place that configures a pod; KServe labels a pod with its component."""
    component = pod["metadata"].get("labels", {}).get("component")
    return f"the place's serving.{'transformer' if component == 'transformer' else 'engine'}"


def _ready(pod: Json) -> bool:
    """Whether a pod is ready."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod.get("status", {}).get("conditions", ())
    )


def _remedy(refusal: str) -> str:
    """What to do if pods are refused."""
    if "PodSecurity" in refusal:
        return (
            "The namespace admits only pods of its security level; "
            "containers that KServe adds (an init container, say) have to comply too."
        )
    if "serviceaccount" in refusal.lower().replace(" ", ""):
        return "Create the account, or name another in the place's serving.account."
    if "quota" in refusal:
        return "Ask for more quota, or lower what the place's serving asks for."
    return "The cluster's administrator can say what is not allowed."
