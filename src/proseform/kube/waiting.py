"""Waiting for a version on a cluster: until it is ready, has endpoints, is routed to, or has vanished.

States are polled; each wait has a limit, and its error names the reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from proseform import config
from proseform.errors import ClusterError
from proseform.kube import ready, services, traffic
from proseform.kube.api import Api
from proseform.kube.pods import Manifest
from proseform.kube.scaling import SERVICE

_POLL_S = 2.0
_ROUTE_S = 60.0
"""Longest wait for a gateway to accept a route, in seconds."""
_ENDPOINTS_S = 60.0
"""Longest wait for the Service of a ready version to have endpoints, in seconds."""
_GONE_S = 120.0
"""Longest wait for the InferenceServices of a removed version to vanish, in seconds."""
_LOG_LINES = 8
ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")
ENDPOINTS = ("discovery.k8s.io/v1", "EndpointSlice")
Say = Callable[[str], None]
"""Is called with a sentence."""


def await_ready(api: Api, names: Sequence[str], serving: config.Serving, wait_s: float, say: Say) -> None:
    """Wait until InferenceServices are ready.

    Args:
        api: The API server.
        names: The services.
        serving: ``[serving]``.
        wait_s: Longest wait in all, in seconds.
        say: Called with a sentence whenever the reason of the wait changes.

    Raises:
        ClusterError: They are not ready in time, or stuck; with the reason, and the last lines of a crashed container.
    """
    until, last = time.monotonic() + wait_s, ""
    stuck_since: float | None = None
    while True:
        unready = [state for name in names if not (state := _state(api, name)).ready]
        if not unready:
            return
        worst = max(unready, key=lambda state: state.stuck)
        stuck_since = (stuck_since or time.monotonic()) if worst.stuck else None
        if worst.words != last:
            last = worst.words
            say(last)
        now = time.monotonic()
        if now > until or (stuck_since is not None and now - stuck_since > serving.pending_s):
            waited = f"not ready after {wait_s:g} s" if now > until else f"no better for {serving.pending_s} s"
            raise ClusterError(f"{', '.join(names)}: {waited}. {worst.words}{_log(api, worst)}", hint=worst.remedy)
        time.sleep(_POLL_S)


def await_endpoints(api: Api, service: str) -> None:
    """Wait until a Service has an endpoint that is ready."""
    until = time.monotonic() + _ENDPOINTS_S
    while not any(
        endpoint.get("conditions", {}).get("ready", True)  # unknown counts as ready (discovery.k8s.io/v1)
        for endpoints in api.find(*ENDPOINTS, f"kubernetes.io/service-name={service}")
        for endpoint in endpoints.get("endpoints") or ()
    ):
        if time.monotonic() > until:
            raise ClusterError(
                f"Service {service} has no ready endpoint after {_ENDPOINTS_S:g} s.",
                hint=f"kubectl describe service {service} shows its selector and its pods.",
            )
        time.sleep(_POLL_S / 4)


def await_route(api: Api, model: str, place: config.Place) -> None:
    """Wait until the gateway has accepted the current route."""
    until = time.monotonic() + _ROUTE_S
    while trouble := traffic.trouble(api.get(*ROUTE, traffic.route_name(model)) or {"metadata": {}}):
        if time.monotonic() > until:
            hint = f"Is there a Gateway {place.serving.gateway} in {place.namespace}, with an implementation behind it?"
            raise ClusterError(f"HTTPRoute {traffic.route_name(model)}: {trouble}.", hint=hint)
        time.sleep(_POLL_S / 4)


def await_gone(api: Api, names: Sequence[str]) -> None:
    """Wait until InferenceServices have vanished; KServe's controller removes its finalizer from them."""
    until = time.monotonic() + _GONE_S
    while left := [name for name in names if api.get(services.SERVING, "InferenceService", name) is not None]:
        if time.monotonic() > until:
            raise ClusterError(
                f"{', '.join(left)}: deleted, and not gone after {_GONE_S:g} s.", hint="Is KServe's controller running?"
            )
        time.sleep(_POLL_S / 4)


def _state(api: Api, name: str) -> ready.State:
    """The state of one InferenceService."""
    service = api.get(services.SERVING, "InferenceService", name)
    if service is None:
        raise ClusterError(f"InferenceService {name} was deleted.", hint="Deploy it again.")
    pods = api.find("v1", "Pod", f"{SERVICE}={name}")
    about = [event for event in api.find("v1", "Event", fields="type=Warning") if _is_about(event, name)]
    return ready.state(service, pods, about)


def _is_about(event: Manifest, name: str) -> bool:
    """Whether an event is about an InferenceService or an object of its components."""
    about = str(event.get("involvedObject", {}).get("name", ""))
    return about == name or about.startswith((f"{name}-predictor", f"{name}-transformer"))


def _log(api: Api, state: ready.State) -> str:
    """The last lines of a crashed container's log; empty if none crashed."""
    if state.crashed is None:
        return ""
    pod, container, again = state.crashed
    lines = [line.partition(" ")[2] for line in api.logs(pod, container, tail=_LOG_LINES, previous=again)]
    return " Its last lines: " + " | ".join(lines) if lines else ""
