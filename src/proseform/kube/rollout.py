"""A version on a cluster: apply it, wait for it, give it its share of the traffic, and remove it.

Every step can be repeated: objects are applied on the server's side, under names that hold the version, and a version
that is deployed already does not change. Versions are found by their labels, so no state is kept elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proseform import config, digest
from proseform.errors import ClusterError, InputError
from proseform.kube import services, traffic, waiting
from proseform.kube.api import Api
from proseform.kube.pods import Manifest
from proseform.kube.waiting import Say

_KINDS = (
    (services.SERVING, "InferenceService"),
    ("policy/v1", "PodDisruptionBudget"),
    ("serving.kserve.io/v1alpha1", "ServingRuntime"),
    ("v1", "ConfigMap"),
)


@dataclass(frozen=True, slots=True)
class Deployed:
    """A version that is deployed on the cluster.

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


def versions(api: Api, task: str) -> dict[str, Deployed]:
    """The deployed versions of a task, by number, oldest first."""
    by_version: dict[str, list[Manifest]] = {}
    for service in api.find(services.SERVING, "InferenceService", _selector(task)):
        if not service["metadata"].get("deletionTimestamp"):
            by_version.setdefault(service["metadata"]["labels"][services.VERSION], []).append(service)
    deployed = {}
    for version, own in sorted(by_version.items(), key=lambda item: (len(item[0]), item[0])):
        entry = next((service for service in own if "transformer" in service["spec"]), own[0])
        names = tuple(sorted(service["metadata"]["name"] for service in own))
        bundle = entry["metadata"]["annotations"][services.BUNDLE]
        component = "transformer" if "transformer" in entry["spec"] else "predictor"  # before an engine by URL
        deployed[version] = Deployed(version, bundle, f"{entry['metadata']['name']}-{component}", names)
    return deployed


def apply(api: Api, manifests: Sequence[Manifest], *, dry_run: bool = False) -> None:
    """Apply a version's objects.

    Args:
        api: The API server.
        manifests: From :func:`proseform.kube.services.build`.
        dry_run: Let the server check them, and change nothing.

    Raises:
        ClusterError: The server refuses one, or knows no such kind.
        InputError: Another bundle is deployed under this version, as after the registry was created anew.
    """
    for manifest in manifests:
        if manifest["kind"] == "ConfigMap":
            _check_bundle(api, manifest)
    for manifest in manifests:
        try:
            api.apply(manifest, dry_run=dry_run)
        except ClusterError as error:
            if error.status == 404:  # noqa: PLR2004 - no such namespace, or no such kind
                hint = f"Is there a namespace {api.namespace}, and are KServe 0.20 and the Gateway API installed?"
                raise ClusterError(
                    f"{manifest['kind']} {manifest['metadata']['name']}: {error.message}", hint=hint, status=404
                ) from error
            raise


def _check_bundle(api: Api, bundle_map: Manifest) -> None:
    """Raise if the ConfigMap of this name holds another bundle."""
    name = bundle_map["metadata"]["name"]
    existing = api.get(bundle_map["apiVersion"], bundle_map["kind"], name)
    current = existing["metadata"].get("annotations", {}).get(services.BUNDLE) if existing else None
    bundle = bundle_map["metadata"]["annotations"][services.BUNDLE]
    if current and current != bundle:
        raise InputError(
            f"{name} holds bundle {digest.short(current)}, not {digest.short(bundle)}.",
            hint="Remove it first: proseform undeploy.",
        )


def weights(api: Api, model: str, deployed: Mapping[str, Deployed]) -> dict[str, int]:
    """Version to percent, as the route has them; 0 for versions that it does not name."""
    route = api.get(*waiting.ROUTE, traffic.route_name(model))
    routed = traffic.weights(route, _services(deployed)) if route else {}
    return {**dict.fromkeys(deployed, 0), **routed}


def move(api: Api, task: str, model: str, split: Mapping[str, int], place: config.Place) -> None:
    """Give versions their weights, by one patch, and wait until the gateway has accepted it.

    A version gains weight only once its Service has endpoints: KServe calls a version ready by its pods, but a gateway
    reaches it by endpoints. Before a version joins a route of others, there is a further wait of ``drain_s``, in which
    every gateway learns its endpoints; a version that is in the route already, as in a rollback, takes over at once.

    Args:
        api: The API server.
        task: The task's name.
        model: The model's name.
        split: Version to percent; versions that are left out are no longer in the route.
        place: The cluster.

    Raises:
        InputError: Invalid weights; see :func:`proseform.kube.traffic.route`.
        ClusterError: A version has no endpoints, or no gateway accepts the route.
    """
    deployed = versions(api, task)
    services_of = {version: service for version, service in _services(deployed).items() if version in split}
    route = traffic.route(task, model, services_of, split, place)
    existing = api.get(*waiting.ROUTE, traffic.route_name(model))
    before = traffic.weights(existing, services_of) if existing else {}
    gaining = [version for version in services_of if split[version] > before.get(version, 0)]
    for version in gaining:
        waiting.await_endpoints(api, services_of[version])
    if before and not before.keys() >= set(gaining):
        time.sleep(place.serving.drain_s)
    api.apply(route)
    waiting.await_route(api, model, place)


def remove(api: Api, task: str, version: str, place: config.Place, model: str, *, force: bool, say: Say) -> None:
    """Remove a version.

    Args:
        api: The API server.
        task: The task's name.
        version: The version.
        place: The cluster.
        model: The model's name.
        force: Remove the last version too, with the route, so that nothing answers any more.
        say: Called with a sentence for each deleted object.

    Raises:
        InputError: No such version, or the route gives it traffic.
        ClusterError: Its InferenceServices do not vanish.
    """
    deployed = versions(api, task)
    if version not in deployed:
        raise InputError(
            f"No version {version} of task '{task}' is deployed; deployed: {', '.join(deployed) or 'none'}."
        )
    now, last = weights(api, model, deployed), len(deployed) == 1
    rest = {other: weight for other, weight in now.items() if other != version and other in deployed}
    if now[version] and not (last and force):
        other = max(rest, key=lambda version: rest[version], default="")
        hint = (
            "With --force it is removed all the same, and nothing answers."
            if last
            else f"First: proseform deploy --version {other}."
        )
        raise InputError(f"Version {version} of task '{task}' takes {now[version]} % of the traffic.", hint=hint)
    route = {"apiVersion": waiting.ROUTE[0], "kind": waiting.ROUTE[1], "metadata": {"name": traffic.route_name(model)}}
    routed = api.get(*waiting.ROUTE, traffic.route_name(model)) is not None
    if last:
        api.delete(route)
    elif routed:  # a route that names a missing Service is invalid as a whole
        api.merge(route, traffic.patch(task, model, _services({other: deployed[other] for other in rest}), rest, place))
        waiting.await_route(api, model, place)
    time.sleep(place.serving.drain_s if routed else 0)  # until every gateway and proxy has the new route
    for api_version, kind in _KINDS:
        for manifest in api.find(api_version, kind, _selector(task, version)):
            api.delete({**manifest, "apiVersion": api_version, "kind": kind})
            say(f"deleted {kind} {manifest['metadata']['name']}")
    waiting.await_gone(api, deployed[version].names)


def prune(api: Api, task: str, model: str, place: config.Place, say: Say) -> None:
    """Remove versions without traffic, except the newest ``serving.keep``."""
    deployed = versions(api, task)
    now = weights(api, model, deployed)
    idle = [version for version in deployed if not now[version]]
    for version in idle[: max(0, len(idle) - place.serving.keep)]:
        remove(api, task, version, place, model, force=False, say=say)


def _services(deployed: Mapping[str, Deployed]) -> dict[str, str]:
    """Version to Service."""
    return {version: entry.service for version, entry in deployed.items()}


def _selector(task: str, version: str = "") -> str:
    """The labels of a task's objects, or of one version's, as a selector."""
    return ",".join(f"{key}={value}" for key, value in services.labels(task, version).items())
