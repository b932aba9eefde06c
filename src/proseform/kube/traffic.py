"""Traffic between versions: the weights of one HTTPRoute (Gateway API v1) in front of their transformers.

Every version has its own services, so a weight says which bundle answers, and a rollback is one patch of weights.
KServe 0.20's split in Standard mode (``spec.canary``) puts the pods of all versions behind one Service and ignores
weights. The route admits clients' requests alone: no metrics, no health, no ``/v1/bundle``.
Left out: sticky sessions; two requests of one client may be answered by two bundles, and each answer names its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proseform import config, naming
from proseform.errors import InputError
from proseform.kube.pods import PART_OF, Manifest

WHOLE = 100
"""The sum of a route's weights."""
_SLACK_S = 5
"""How much longer a gateway waits for an answer than the transformer works on it, in seconds."""
PORT = 80
"""The port of the Services that KServe creates."""


def route(
    task: str, name: str, services: Mapping[str, str], weights: Mapping[str, int], place: config.Place
) -> Manifest:
    """The route of a task.

    Args:
        task: The task's name, as in ``/v1/tasks/{task}/answer``.
        name: The model's name in KServe's protocols.
        services: Version to the Service of its transformer.
        weights: Version to its share in percent; a version that is left out gets 0, and a patch can raise that.
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
    """A merge patch that changes the weights of a route and nothing else; see :func:`route`."""
    return {"spec": {"rules": _rules(task, name, services, weights, place)}}


def shares(version: str, current: Mapping[str, int], share: float) -> dict[str, int]:
    """Weights after a promotion.

    Args:
        version: The version that gets the share.
        current: Version to weight, as the route has them now.
        share: In [0, 1]; the other versions share the rest in proportion to their weights. If they have none, the
            version gets all of it.

    Returns:
        Version to percent; they sum to 100.

    >>> shares("3", {"2": 100, "1": 0}, 0.25)
    {'2': 75, '1': 0, '3': 25}
    >>> shares("2", {"2": 25, "1": 75}, 1.0)
    {'1': 0, '2': 100}
    """
    others = {other: weight for other, weight in current.items() if other != version}
    whole = sum(others.values())
    left = WHOLE - round(WHOLE * share) if whole else 0
    split = {other: left * weight // whole if whole else 0 for other, weight in others.items()}
    if split:  # the heaviest gets what rounding took
        split[max(split, key=lambda other: others[other])] += left - sum(split.values())
    return {**split, version: WHOLE - left}


def weights(http_route: Mapping[str, Any], services: Mapping[str, str]) -> dict[str, int]:
    """Version to percent, as a route has them; a Service of no known version is listed under its own name.

    Args:
        http_route: The HTTPRoute.
        services: Version to Service.
    """
    versions = {service: version for version, service in services.items()}
    backends = [backend for rule in http_route["spec"].get("rules", []) for backend in rule.get("backendRefs", [])]
    return {versions.get(backend["name"], backend["name"]): int(backend.get("weight", 1)) for backend in backends}


def trouble(http_route: Mapping[str, Any]) -> str:
    """Why a gateway does not serve a route, in words; empty if it does."""
    parents = http_route.get("status", {}).get("parents", [])
    generation = int(http_route["metadata"].get("generation", 0))
    conditions = [
        condition
        for parent in parents
        for condition in parent.get("conditions", ())
        if condition.get("observedGeneration", generation) >= generation
    ]
    unmet = [
        condition
        for condition in conditions
        if condition["type"] in {"Accepted", "ResolvedRefs"} and condition["status"] != "True"
    ]
    if unmet:
        return f"{unmet[0].get('reason', unmet[0]['type'])}: {unmet[0].get('message', '')}".rstrip(": ")
    return "" if conditions else "no gateway has taken it"


def address(gateway: Mapping[str, Any]) -> str:
    """The URL of a Gateway, from the first address in its status and its first listener; empty without an address."""
    addresses = [str(address["value"]) for address in gateway.get("status", {}).get("addresses", ())]
    if not addresses:
        return ""
    listener = gateway["spec"]["listeners"][0]
    host = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]  # IPv6
    return f"{str(listener['protocol']).lower()}://{host}:{listener['port']}"


def _rules(
    task: str, name: str, services: Mapping[str, str], weights: Mapping[str, int], place: config.Place
) -> list[Manifest]:
    """One rule: the clients' paths, the Services that answer, and the time limit.

    The transformer's own deadline ends first, so that the caller gets its error and not the gateway's.
    """
    _check(services, weights)
    backends = [
        {"name": service, "port": PORT, "weight": weights.get(version, 0)} for version, service in services.items()
    ]
    return [
        {
            "matches": [{"path": {"type": kind, "value": path}} for kind, path in _paths(task, name)],
            "backendRefs": backends,
            "timeouts": {"request": f"{place.serving.transformer.timeout_s + _SLACK_S}s"},
        }
    ]


def _paths(task: str, name: str) -> list[tuple[str, str]]:
    """Our path and those of KServe's protocols. A prefix matches whole segments, so V1's ``:predict`` has an entry."""
    return [
        ("Exact", f"/v1/tasks/{task}/answer"),
        ("Exact", f"/v1/models/{name}"),
        ("Exact", f"/v1/models/{name}:predict"),
        ("PathPrefix", f"/v2/models/{name}"),
    ]


def _check(services: Mapping[str, str], weights: Mapping[str, int]) -> None:
    """Raise for invalid weights; see :func:`route`."""
    stated = ", ".join(f"{version}={weight}" for version, weight in weights.items())
    unknown = [version for version in weights if version not in services]
    if unknown:
        deployed = ", ".join(services) or "none"
        raise InputError(f"No version {unknown[0]} is deployed; deployed: {deployed}.", hint="Deploy it first.")
    if any(isinstance(weight, bool) or not isinstance(weight, int) or weight < 0 for weight in weights.values()):
        raise InputError(f"The weights {stated} are not all whole numbers of at least 0.")
    if sum(weights.values()) != WHOLE:
        raise InputError(f"The weights {stated or '(none)'} sum to {sum(weights.values())}, not to {WHOLE}.")
