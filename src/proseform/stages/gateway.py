"""Asking the gateway of a cluster for answers, as a client would. Not a stage: probe uses it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from proseform import config, digest
from proseform.errors import ClusterError, EngineError, StageError
from proseform.kube import traffic
from proseform.kube.api import Api

KEY = "PROSEFORM_API_KEY"
"""The environment variable with the API key that is sent, where the place's callers need one."""
_FOUND_S = 90.0
"""Longest wait for the gateway to route to the promoted bundle, in seconds."""
_AWAY = frozenset({404, 502, 503, 504})
"""HTTP codes of gateways before they know a route or its pods."""
_TRIES = 50
"""Least number of requests before giving up: a version with a small share is seldom reached."""
_BUSY = 503


def ask(
    task: str, place: config.Place, model: str, bundle: str, cases: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """The promoted bundle's answers, through the gateway; repeats requests that reach another bundle.

    Args:
        task: The task's name.
        place: The place.
        model: The route's name.
        bundle: The digest of the promoted bundle.
        cases: Inputs as text.

    Returns:
        For each case the answer, or the refusal, as JSON.

    Raises:
        StageError: No request reached the promoted bundle.
        EngineError: Nothing answers at the URL.
    """
    import httpx

    url, until = _url(place), time.monotonic() + _FOUND_S
    host = {"host": place.serving.hostname} if place.serving.hostname and not place.serving.url else {}
    key = {"authorization": f"Bearer {os.environ[KEY]}"} if os.environ.get(KEY) else {}
    replies: list[dict[str, Any]] = []
    tries = 0
    with httpx.Client(
        base_url=url, headers={**host, **key}, timeout=place.serving.transformer.timeout_s + 10
    ) as client:
        while len(replies) < len(cases):
            tries += 1
            late = time.monotonic() > until and tries > _TRIES
            try:
                response = client.post(f"/v1/tasks/{task}/answer", json={"inputs": dict(cases[len(replies)])})
            except httpx.TransportError as error:
                if late:
                    raise EngineError(
                        f"Nothing answers at {url} ({error}).", hint="Name the gateway in the place's serving.url."
                    ) from error
                time.sleep(1)
                continue
            body = _body(response)
            refused = "error" in body and response.status_code != _BUSY  # a busy transformer may answer later
            if body.get("bundle") == bundle or refused:
                replies.append(body.get("error", body))
                until, tries = time.monotonic() + _FOUND_S, 0
            elif late:
                who = f"bundle {digest.short(body['bundle'])}" if "bundle" in body else f"HTTP {response.status_code}"
                raise StageError(
                    f"{url} answers for {model} by {who}, not by {digest.short(bundle)}.", hint="Look at the HTTPRoute."
                )
            elif response.status_code in _AWAY:
                time.sleep(1)
    return replies


def _body(response: Any) -> dict[str, Any]:
    """The JSON object of a response; empty for a gateway's own errors, which are not JSON."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _url(place: config.Place) -> str:
    """The gateway's URL: the place's, else from the Gateway's status."""
    if place.serving.url:
        return place.serving.url.rstrip("/")
    gateway = Api(place.namespace).get("gateway.networking.k8s.io/v1", "Gateway", place.serving.gateway)
    url = traffic.address(gateway) if gateway else ""
    if not url:
        raise ClusterError(
            f"Gateway {place.serving.gateway} states no address.", hint="Name the URL in the place's serving.url."
        )
    return url
