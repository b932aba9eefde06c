"""Whether an InferenceService is ready, and why it is not: the object, its pods and warnings in, words and a remedy out.

Pure. Conditions of an InferenceService say that it is not ready and seldom why, so its pods are asked first, then the
warnings about them, then the conditions. What KServe's ``observedGeneration`` counts is its Deployment's, so a change
of something that was ready is not told from before; versions are not changed but made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from proseform.kube import follow
from proseform.kube.follow import Json

_IMAGES = "Check the place's images, and that the nodes may pull them."
_CRASHES = 3
"""Restarts after which a pod does not mend itself."""


@dataclass(frozen=True, slots=True)
class State:
    """How an InferenceService stands.

    Attributes:
        ready: It answers.
        words: What it waits for, a sentence.
        remedy: What to do about it, a sentence.
        stuck: It will not go on by itself.
        crashed: Pod, container and whether the container has been started again, where its log says more.
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
    called = service["metadata"]["name"]
    conditions = {each["type"]: each for each in service.get("status", {}).get("conditions", ())}
    if conditions.get("Ready", {}).get("status") == "True":
        return State(ready=True)
    standing = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    for found in (_kept(pod) or _crashed(pod) for pod in standing):
        if found is not None:
            return found
    warned = follow.warning(events)
    if warned and not standing:
        return State(False, f"The pods of {called} cannot be created: {warned}", _against(warned), stuck=True)
    unready = [each for each in conditions.values() if each["status"] == "False" and each.get("message")]
    if unready and not standing:
        return State(
            False,
            f"KServe says of {called}: {unready[0]['message']}",
            "Look at the InferenceService's events.",
            stuck=True,
        )
    if not conditions:
        return State(
            False, f"KServe's controller has not looked at {called} yet.", "Is it running? kubectl get pods -A."
        )
    slow = f" The last warning: {warned}" if warned else ""
    waiting = [pod["metadata"]["name"] for pod in standing if not _ready(pod)]
    return State(
        False,
        f"{called} waits for {', '.join(waiting) or 'its pods'}, which load what they need.{slow}",
        "Give it more time.",
    )


def _kept(pod: Json) -> State | None:
    """What keeps a pod from being started at all."""
    found = follow.trouble(pod)
    if found is None or not found.stuck:
        return None
    knobs = _knobs(pod)
    if found.reason == "Unschedulable":
        remedy = (
            "Check that its claims exist and its volumes can be had."
            if "volume" in found.words
            else f"Lower {knobs}, or add nodes."
        )
    elif "image" in found.words:
        remedy = _IMAGES
    else:
        remedy = f"Check the place's user, and claim and mounts in {knobs}."
    return State(False, found.words, remedy, stuck=True)


def _crashed(pod: Json) -> State | None:
    """How a container of a pod ended, where one did."""
    called = pod["metadata"]["name"]
    knobs = _knobs(pod)
    status = pod.get("status", {})
    if status.get("reason") == "Evicted":
        return State(
            False,
            f"Pod {called} was taken from its node: {status.get('message', '')}",
            "Lower what pods may use, or add nodes.",
        )
    for each in [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]:
        now = each.get("state", {}).get("terminated")
        ended = now or each.get("lastState", {}).get("terminated")
        if each.get("ready") or not ended or not ended.get("exitCode"):
            continue
        restarts = int(each.get("restartCount", 0))
        words = f"Pod {called} ended with code {ended['exitCode']} and was started again, {restarts} times so far."
        remedy = "Its log says why."
        if ended.get("reason") == "OOMKilled":
            words = f"Pod {called} used more memory than it may."
            remedy = f"Raise {knobs}.memory, or lower kv_cache_gib or model.max_length."
        return State(False, words, remedy, stuck=restarts >= _CRASHES, crashed=(called, each["name"], now is None))
    return None


def _knobs(pod: Json) -> str:
    """The section of a place that a pod is made by; KServe labels it with its component."""
    return f"the place's serving.{'transformer' if pod['metadata'].get('labels', {}).get('component') == 'transformer' else 'engine'}"


def _ready(pod: Json) -> bool:
    """Whether a pod is ready."""
    return any(
        each["type"] == "Ready" and each["status"] == "True" for each in pod.get("status", {}).get("conditions", ())
    )


def _against(said: str) -> str:
    """What to do where pods are refused."""
    if "PodSecurity" in said:
        return "The namespace admits only pods of its security level; what KServe adds (an init container, say) has to keep it too."
    if "serviceaccount" in said.lower().replace(" ", ""):
        return "Create the account, or name another in the place's serving.account."
    if "quota" in said:
        return "Ask for more quota, or lower what the place's serving asks for."
    return "The cluster's administrator can say what is not allowed."
