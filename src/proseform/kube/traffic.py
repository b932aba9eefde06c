"""Traffic between versions: the weights of one HTTPRoute (Gateway API v1) before their transformers.

Every version has services of its own, so a weight says which bundle answers, and rollback is one patch of weights. The
split that KServe 0.20 has in Standard mode (``spec.canary``) shares pods behind one Service and weighs nothing.
The route lets through what clients ask and nothing else: no metrics, no health, no ``/v1/bundle``.
Left out: sticky sessions; two requests of one client may be answered by two bundles, and each answer names its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proseform import config, naming
from proseform.errors import InputError
from proseform.kube.pods import PART_OF, Manifest

WHOLE = 100
"""What the weights of a route sum to."""
_SLACK_S = 5
"""Seconds by which a gateway waits longer for an answer than the transformer works on it."""
PORT = 80
"""Of the Services that KServe makes."""


def route(
    task: str, name: str, services: Mapping[str, str], weights: Mapping[str, int], place: config.Place
) -> Manifest:
    """The route of a task.

    Args:
        task: The task's name, as in ``/v1/tasks/{task}/answer``.
        name: The model's name in KServe's protocols.
        services: Version to the Service of its transformer.
        weights: Version to its share in percent; a version that is left out takes nothing, and stands ready for a
            patch.
        place: Names namespace, gateway and host.

    Raises:
        InputError: The weights do not sum to 100, one is negative or no whole number, or a version has no service.
    """
    hostname = place.serving.hostname
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": route_name(name), "namespace": place.namespace, "labels": {**PART_OF}},
        "spec": {
            "parentRefs": [{"name": place.serving.gateway}],
            **({"hostnames": [hostname]} if hostname else {}),
            "rules": _rules(task, name, services, weights, place),
        },
    }


def route_name(model: str) -> str:
    """The name of the route that leads to a model.

    >>> route_name("proseform-toy"), route_name("My_Team.toy")
    ('proseform-toy', 'my-team-toy-e5db918ebe5b')
    """
    return naming.dns(model)


def patch(
    task: str, name: str, services: Mapping[str, str], weights: Mapping[str, int], place: config.Place
) -> Manifest:
    """A merge patch that moves the weights of a route and leaves everything else alone; see :func:`route`."""
    return {"spec": {"rules": _rules(task, name, services, weights, place)}}


def shares(version: str, standing: Mapping[str, int], share: float) -> dict[str, int]:
    """Weights after a promotion.

    Args:
        version: Who gets the share.
        standing: Version to weight, as the route has them now; versions of weight 0 count as ready.
        share: In [0, 1]; the rest stays with the others, in their proportion. Without others, all goes to the version.

    Returns:
        Version to percent; they sum to 100.

    >>> shares("3", {"2": 100, "1": 0}, 0.25)
    {'2': 75, '1': 0, '3': 25}
    >>> shares("2", {"2": 25, "1": 75}, 1.0)
    {'1': 0, '2': 100}
    """
    others = {each: weight for each, weight in standing.items() if each != version}
    whole = sum(others.values())
    left = WHOLE - round(WHOLE * share) if whole else 0
    made = {each: left * weight // whole if whole else 0 for each, weight in others.items()}
    if made:  # what rounding took goes to the heaviest
        made[max(made, key=lambda each: others[each])] += left - sum(made.values())
    return {**made, version: WHOLE - left}


def weights(found: Mapping[str, Any], services: Mapping[str, str]) -> dict[str, int]:
    """Version to percent, as a route has them; a Service that belongs to no version stands under its own name.

    Args:
        found: The HTTPRoute.
        services: Version to Service.
    """
    versions = {service: version for version, service in services.items()}
    backends = [each for rule in found["spec"].get("rules", []) for each in rule.get("backendRefs", [])]
    return {versions.get(each["name"], each["name"]): int(each.get("weight", 1)) for each in backends}


def trouble(found: Mapping[str, Any]) -> str:
    """Why a gateway does not serve a route, in words; empty where it does."""
    parents = found.get("status", {}).get("parents", [])
    made = int(found["metadata"].get("generation", 0))
    conditions = [
        each
        for parent in parents
        for each in parent.get("conditions", ())
        if each.get("observedGeneration", made) >= made
    ]
    against = [each for each in conditions if each["type"] in {"Accepted", "ResolvedRefs"} and each["status"] != "True"]
    if against:
        return f"{against[0].get('reason', against[0]['type'])}: {against[0].get('message', '')}".rstrip(": ")
    return "" if conditions else "no gateway has taken it"


def address(gateway: Mapping[str, Any]) -> str:
    """The URL at which a Gateway is reached, by the first address of its status and its first listener.

    Empty without one.
    """
    addresses = [str(address["value"]) for address in gateway.get("status", {}).get("addresses", ())]
    if not addresses:
        return ""
    listener = gateway["spec"]["listeners"][0]
    host = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]  # IPv6
    return f"{str(listener['protocol']).lower()}://{host}:{listener['port']}"


def _rules(
    task: str, name: str, services: Mapping[str, str], given: Mapping[str, int], place: config.Place
) -> list[Manifest]:
    """One rule: what clients may ask, who answers it, and how long that may take.

    The transformer's own deadline comes first, so that the caller is told which one it was.
    """
    _check(services, given)
    backends = [
        {"name": service, "port": PORT, "weight": given.get(version, 0)} for version, service in services.items()
    ]
    return [
        {
            "matches": [{"path": {"type": kind, "value": path}} for kind, path in _paths(task, name)],
            "backendRefs": backends,
            "timeouts": {"request": f"{place.serving.transformer.timeout_s + _SLACK_S}s"},
        }
    ]


def _paths(task: str, name: str) -> list[tuple[str, str]]:
    """Our route and KServe's protocols. A prefix ends at a slash, so that V1's ``:predict`` is a path of its own."""
    return [
        ("Exact", f"/v1/tasks/{task}/answer"),
        ("Exact", f"/v1/models/{name}"),
        ("Exact", f"/v1/models/{name}:predict"),
        ("PathPrefix", f"/v2/models/{name}"),
    ]


def _check(services: Mapping[str, str], given: Mapping[str, int]) -> None:
    """Refuse weights that are none."""
    said = ", ".join(f"{version}={weight}" for version, weight in given.items())
    unknown = [version for version in given if version not in services]
    if unknown:
        there = ", ".join(services) or "none"
        raise InputError(f"No version {unknown[0]} stands here; there are: {there}.", hint="Deploy it first.")
    if any(isinstance(weight, bool) or not isinstance(weight, int) or weight < 0 for weight in given.values()):
        raise InputError(f"The weights {said} are not all whole numbers of at least 0.")
    if sum(given.values()) != WHOLE:
        raise InputError(f"The weights {said or '(none)'} sum to {sum(given.values())}, not to {WHOLE}.")
