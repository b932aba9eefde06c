"""A version on a cluster: applied, waited for, given its share of the traffic, and taken away.

Every step can be repeated: objects are applied by the server, under names that hold the version, and a version that
stands already is left as it is. Versions are found by their labels, so nothing has to remember them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from proseform import config, digest
from proseform.errors import ClusterError, InputError
from proseform.kube import ready, services, traffic
from proseform.kube.api import Api
from proseform.kube.pods import Manifest
from proseform.kube.scaling import SERVICE

_POLL_S = 2.0
_ROUTE_S = 60.0
"""Seconds in which a gateway takes a route."""
_ENDPOINTS_S = 60.0
"""Seconds in which the pods of a version that is ready become endpoints of its Service."""
_GONE_S = 120.0
"""Seconds in which the services of a removed version go."""
_LOG_LINES = 8
_ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")
_ENDPOINTS = ("discovery.k8s.io/v1", "EndpointSlice")
_KINDS = (
    (services.SERVING, "InferenceService"),
    ("policy/v1", "PodDisruptionBudget"),
    ("serving.kserve.io/v1alpha1", "ServingRuntime"),
    ("v1", "ConfigMap"),
)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Standing:
    """A version that stands on the cluster.

    Attributes:
        version: Its number.
        bundle: The bundle's digest.
        service: The Service of its transformer.
        names: Its InferenceServices.
    """

    version: str
    bundle: str
    service: str
    names: tuple[str, ...]


def versions(api: Api, task: str) -> dict[str, Standing]:
    """The versions of a task that stand, by number, oldest first."""
    found: dict[str, list[Manifest]] = {}
    for each in api.find(services.SERVING, "InferenceService", _selector(task)):
        if not each["metadata"].get("deletionTimestamp"):
            found.setdefault(each["metadata"]["labels"][services.VERSION], []).append(each)
    made = {}
    for version in sorted(found, key=lambda each: (len(each), each)):
        entry = next((each for each in found[version] if "transformer" in each["spec"]), found[version][0])
        names = tuple(sorted(each["metadata"]["name"] for each in found[version]))
        bundle = entry["metadata"]["annotations"][services.BUNDLE]
        component = "transformer" if "transformer" in entry["spec"] else "predictor"  # before an engine by URL
        made[version] = Standing(version, bundle, f"{entry['metadata']['name']}-{component}", names)
    return made


def apply(api: Api, manifests: Sequence[Manifest], *, dry_run: bool = False) -> None:
    """Apply a version's objects.

    Args:
        api: The API server.
        manifests: From :func:`proseform.kube.services.build`.
        dry_run: Let the server check them, and change nothing.

    Raises:
        ClusterError: The server refuses one, or knows no such kind.
        InputError: Another bundle stands under this version, as after a registry was made anew.
    """
    for each in manifests:
        there = (
            api.get(each["apiVersion"], each["kind"], each["metadata"]["name"]) if each["kind"] == "ConfigMap" else None
        )
        stands = there["metadata"].get("annotations", {}).get(services.BUNDLE) if there else None
        bundle = each["metadata"].get("annotations", {}).get(services.BUNDLE)
        if stands and stands != bundle:
            raise InputError(
                f"Under {each['metadata']['name']} stands bundle {digest.short(stands)}, not {digest.short(str(bundle))}.",
                hint="Remove it first: proseform undeploy.",
            )
    for each in manifests:
        try:
            api.apply(each, dry_run=dry_run)
        except ClusterError as error:
            if error.status == 404:  # noqa: PLR2004 - no such namespace, or no such kind
                hint = f"Is there a namespace {api.namespace}, and are KServe 0.20 and the Gateway API installed?"
                raise ClusterError(
                    f"{each['kind']} {each['metadata']['name']}: {error.message}", hint=hint, status=404
                ) from error
            raise


def await_ready(api: Api, names: Sequence[str], serving: config.Serving, wait_s: float, say: Say) -> None:
    """Wait until InferenceServices are ready.

    Args:
        api: The API server.
        names: The services.
        serving: ``[serving]``.
        wait_s: Seconds to wait in all.
        say: Told whenever what is waited for changes.

    Raises:
        ClusterError: They are not ready in time, or will not be; with the reason, and the last lines of a crashed
            container.
    """
    until, last = time.monotonic() + wait_s, ""
    stuck_since: float | None = None
    while True:
        unready = [found for name in names if not (found := _state(api, name)).ready]
        if not unready:
            return
        worst = max(unready, key=lambda each: each.stuck)
        stuck_since = (stuck_since or time.monotonic()) if worst.stuck else None
        if worst.words != last:
            last = worst.words
            say(last)
        now = time.monotonic()
        if now > until or (stuck_since is not None and now - stuck_since > serving.pending_s):
            waited = f"not ready after {wait_s:g} s" if now > until else f"no better for {serving.pending_s} s"
            raise ClusterError(f"{', '.join(names)}: {waited}. {worst.words}{_log(api, worst)}", hint=worst.remedy)
        time.sleep(_POLL_S)


def weights(api: Api, model: str, standing: Mapping[str, Standing]) -> dict[str, int]:
    """Version to percent, as the route has them; versions that it does not name stand at 0."""
    found = api.get(*_ROUTE, traffic.route_name(model))
    now = traffic.weights(found, _services(standing)) if found else {}
    return {**dict.fromkeys(standing, 0), **now}


def move(api: Api, task: str, model: str, given: Mapping[str, int], place: config.Place) -> None:
    """Give versions their weights, by one patch, and wait until the gateway has taken it.

    A version gains weight once its Service has endpoints: KServe calls it ready by its pods, a gateway reaches it by its
    endpoints. One that joins the route of others waits ``drain_s`` more, until every gateway has learnt them; one that
    stands in it already, as for a rollback, takes over at once.

    Args:
        api: The API server.
        task: The task's name.
        model: The model's name.
        given: Version to percent; versions that are left out are no longer in the route.
        place: The cluster.

    Raises:
        InputError: Weights that are none; see :func:`proseform.kube.traffic.route`.
        ClusterError: A version has no endpoints, or no gateway takes the route.
    """
    standing = versions(api, task)
    services_of = {version: service for version, service in _services(standing).items() if version in given}
    route = traffic.route(task, model, services_of, given, place)
    standing_route = api.get(*_ROUTE, traffic.route_name(model))
    before = traffic.weights(standing_route, services_of) if standing_route else {}
    gaining = [version for version in services_of if given[version] > before.get(version, 0)]
    for version in gaining:
        _await_endpoints(api, services_of[version])
    if before and not before.keys() >= set(gaining):
        time.sleep(place.serving.drain_s)
    api.apply(route)
    _await_route(api, model, place)


def remove(api: Api, task: str, version: str, place: config.Place, model: str, *, force: bool, say: Say) -> None:
    """Take a version away.

    Args:
        api: The API server.
        task: The task's name.
        version: The version.
        place: The cluster.
        model: The model's name.
        force: Take the last version too, with the route, so that nothing answers any more.
        say: Told what is done.

    Raises:
        InputError: No such version, or the route gives it traffic.
        ClusterError: It does not go.
    """
    standing = versions(api, task)
    if version not in standing:
        raise InputError(
            f"No version {version} of task '{task}' stands here; there are: {', '.join(standing) or 'none'}."
        )
    now, last = weights(api, model, standing), len(standing) == 1
    rest = {other: weight for other, weight in now.items() if other != version and other in standing}
    if now[version] and not (last and force):
        other = max(rest, key=lambda each: rest[each], default="")
        hint = (
            "With --force it goes all the same, and nothing answers."
            if last
            else f"First: proseform deploy --version {other}."
        )
        raise InputError(f"Version {version} of task '{task}' takes {now[version]} % of the traffic.", hint=hint)
    route = {"apiVersion": _ROUTE[0], "kind": _ROUTE[1], "metadata": {"name": traffic.route_name(model)}}
    routed = api.get(*_ROUTE, traffic.route_name(model)) is not None
    if last:
        api.delete(route)
    elif routed:  # a route that names a Service that is gone is faulty as a whole
        api.merge(route, traffic.patch(task, model, _services({other: standing[other] for other in rest}), rest, place))
        _await_route(api, model, place)
    time.sleep(place.serving.drain_s if routed else 0)  # whoever still sends it something has heard
    for api_version, kind in _KINDS:
        for each in api.find(api_version, kind, _selector(task, version)):
            api.delete({**each, "apiVersion": api_version, "kind": kind})
            say(f"deleted {kind} {each['metadata']['name']}")
    _await_gone(api, standing[version].names)


def prune(api: Api, task: str, model: str, place: config.Place, say: Say) -> None:
    """Remove versions without traffic, but for the newest few (``serving.keep``)."""
    standing = versions(api, task)
    now = weights(api, model, standing)
    idle = [version for version in standing if not now[version]]
    for version in idle[: max(0, len(idle) - place.serving.keep)]:
        remove(api, task, version, place, model, force=False, say=say)


def _await_endpoints(api: Api, service: str) -> None:
    """Wait until a Service has an endpoint that is ready."""
    until = time.monotonic() + _ENDPOINTS_S
    while not any(
        endpoint.get("conditions", {}).get("ready", True)  # unknown counts as ready (discovery.k8s.io/v1)
        for endpoints in api.find(*_ENDPOINTS, f"kubernetes.io/service-name={service}")
        for endpoint in endpoints.get("endpoints") or ()
    ):
        if time.monotonic() > until:
            raise ClusterError(
                f"Service {service} has no ready endpoint after {_ENDPOINTS_S:g} s.",
                hint=f"kubectl describe service {service} shows its selector and its pods.",
            )
        time.sleep(_POLL_S / 4)


def _await_route(api: Api, model: str, place: config.Place) -> None:
    """Wait until the gateway has taken the route as it is."""
    until = time.monotonic() + _ROUTE_S
    while against := traffic.trouble(api.get(*_ROUTE, traffic.route_name(model)) or {"metadata": {}}):
        if time.monotonic() > until:
            hint = f"Is there a Gateway {place.serving.gateway} in {place.namespace}, with an implementation behind it?"
            raise ClusterError(f"HTTPRoute {traffic.route_name(model)}: {against}.", hint=hint)
        time.sleep(_POLL_S / 4)


def _state(api: Api, name: str) -> ready.State:
    """How one InferenceService stands."""
    found = api.get(services.SERVING, "InferenceService", name)
    if found is None:
        raise ClusterError(f"InferenceService {name} was deleted.", hint="Deploy it again.")
    pods = api.find("v1", "Pod", f"{SERVICE}={name}")
    about = [each for each in api.find("v1", "Event", fields="type=Warning") if _is_about(each, name)]
    return ready.state(found, pods, about)


def _is_about(event: Manifest, name: str) -> bool:
    """Whether an event is about an InferenceService or what was made of it."""
    about = str(event.get("involvedObject", {}).get("name", ""))
    return about == name or about.startswith((f"{name}-predictor", f"{name}-transformer"))


def _log(api: Api, state: ready.State) -> str:
    """The last lines of what crashed; empty where nothing did."""
    if state.crashed is None:
        return ""
    pod, container, again = state.crashed
    lines = [line.partition(" ")[2] for line in api.logs(pod, container, tail=_LOG_LINES, previous=again)]
    return " Its last lines: " + " | ".join(lines) if lines else ""


def _await_gone(api: Api, names: Sequence[str]) -> None:
    """Wait until InferenceServices are gone; KServe's controller takes its finalizer off them."""
    until = time.monotonic() + _GONE_S
    while left := [name for name in names if api.get(services.SERVING, "InferenceService", name) is not None]:
        if time.monotonic() > until:
            raise ClusterError(
                f"{', '.join(left)}: deleted, and not gone after {_GONE_S:g} s.", hint="Is KServe's controller running?"
            )
        time.sleep(_POLL_S / 4)


def _services(standing: Mapping[str, Standing]) -> dict[str, str]:
    """Version to Service."""
    return {version: each.service for version, each in standing.items()}


def _selector(task: str, version: str = "") -> str:
    """The labels of a task's objects, or of one version's, as a selector."""
    return ",".join(f"{key}={value}" for key, value in services.labels(task, version).items())
