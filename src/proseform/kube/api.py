"""The API server, as far as we need it: get, list, create, apply, patch, delete, and the logs of pods.

A thin layer over the official client, with its configuration (KUBECONFIG, or the pod's own account) and its transport.
Requests are repeated if the API server does not answer, or answers with 429 or 5xx: following a job or waiting for a
service must survive its restart. Left out: watches; states change within seconds, and a poll cannot be lost.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from proseform.errors import ClusterError
from proseform.kube.pods import Manifest

MANAGER = "proseform"
"""The field manager of applied objects."""

_IRREGULAR = {"NetworkPolicy": "networkpolicies"}
"""Kinds whose resource is not the lower-case kind with an s."""
_CLUSTERED = {"Namespace", "PersistentVolume"}
"""Kinds that have no namespace."""
_T = TypeVar("_T")
_AWAY = {0, 429, 500, 502, 503, 504}
"""HTTP codes after which a repeated request can help; 0: no answer at all."""


class Api:
    """One namespace of one API server.

    Args:
        namespace: The namespace of objects that name none.
        patience_s: How long to repeat requests to an API server that does not answer, in seconds.
        client: A ``kubernetes.client.ApiClient``; by default from KUBECONFIG or the pod's own account.

    Raises:
        ClusterError: No configuration.
    """

    def __init__(self, namespace: str, patience_s: float = 120.0, client: Any = None) -> None:
        self.namespace = namespace
        self._patience_s = patience_s
        self._client = client or _connected()

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """An object, or None if it does not exist."""
        manifest: Manifest | None = self._maybe("GET", path(api_version, kind, namespace or self.namespace, name))
        return manifest

    def find(
        self, api_version: str, kind: str, selector: str = "", fields: str = "", namespace: str = ""
    ) -> list[Manifest]:
        """The objects that match a label selector and a field selector; none if the kind is unknown."""
        query = [("labelSelector", selector), ("fieldSelector", fields)]
        listed = self._maybe(
            "GET", path(api_version, kind, namespace or self.namespace), [(key, value) for key, value in query if value]
        )
        return list(listed["items"]) if listed else []

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object.

        Raises:
            ClusterError: It exists already, or it is refused.
        """
        created: Manifest = self._call("POST", self._path(manifest, named=False), body=manifest)
        return created

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Apply an object on the server's side: create it, or change the fields that we own.

        Raises:
            ClusterError: It is refused; the object is named.
        """
        query = [("fieldManager", MANAGER), ("force", "true"), *([("dryRun", "All")] if dry_run else [])]
        applied: Manifest = self._call("PATCH", self._path(manifest), query, manifest, "application/apply-patch+yaml")
        return applied

    def merge(self, manifest: Manifest, change: Manifest) -> Manifest:
        """Merge a change into an object (RFC 7386)."""
        merged: Manifest = self._call(
            "PATCH", self._path(manifest), body=change, content="application/merge-patch+json"
        )
        return merged

    def delete(self, manifest: Manifest) -> bool:
        """Delete an object and what it owns; returns whether it existed."""
        body = {"propagationPolicy": "Background"}
        return self._maybe("DELETE", self._path(manifest), body=body) is not None

    def logs(self, pod: str, container: str, since: str = "", tail: int = 0, *, previous: bool = False) -> list[str]:
        """Lines of a container's log, each with its time; none if it has not started.

        Args:
            pod: The pod's name.
            container: The container's name.
            since: Only lines from this time on (RFC 3339).
            tail: Only this many lines from the end; 0: all.
            previous: The log of the container before its last restart.
        """
        where = f"{path('v1', 'Pod', self.namespace, pod)}/log"
        query = [("container", container), ("timestamps", "true")]
        query += [("sinceTime", since)] if since else []
        query += [("tailLines", str(tail))] if tail else []
        query += [("previous", "true")] if previous else []
        try:
            text = self._call("GET", where, query, text=True)
        except ClusterError as error:
            if error.status in {400, 404}:  # no container yet, or no pod any more
                return []
            raise
        return str(text).splitlines()

    def _path(self, manifest: Mapping[str, Any], *, named: bool = True) -> str:
        """The URL path of an object."""
        about = manifest["metadata"]
        return path(
            manifest["apiVersion"],
            manifest["kind"],
            about.get("namespace", self.namespace),
            about["name"] if named else "",
        )

    def _maybe(self, method: str, where: str, query: Iterable[tuple[str, str]] = (), body: Any = None) -> Any:
        """The answer, or None on 404."""
        try:
            return self._call(method, where, query, body)
        except ClusterError as error:
            if error.status == 404:  # noqa: PLR2004 - not found
                return None
            raise

    def _call(
        self,
        method: str,
        where: str,
        query: Iterable[tuple[str, str]] = (),
        body: Any = None,
        content: str = "application/json",
        *,
        text: bool = False,
    ) -> Any:
        """One request, repeated while the server does not answer.

        Raises:
            ClusterError: It is refused, or the server did not answer for ``patience_s``.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        def once() -> Any:
            accept = "*/*" if text else "application/json"
            try:
                answer = self._client.call_api(
                    where,
                    method,
                    {},
                    list(query),
                    {"Content-Type": content, "Accept": accept},
                    body=body,
                    auth_settings=["BearerToken"],
                    _preload_content=False,
                    _return_http_data_only=True,
                    _request_timeout=(5, 60),
                )
            except ApiException as error:
                raise _refused(method, where, error.status or 0, error.body) from error
            except HTTPError as error:
                server = self._client.configuration.host
                raise ClusterError(
                    f"The API server {server} does not answer ({type(error).__name__}).", status=0
                ) from error
            data = answer.data.decode()
            return data if text else json.loads(data)

        return patiently(once, self._patience_s)


def path(api_version: str, kind: str, namespace: str, name: str = "") -> str:
    """The path of an object, or of all of its kind.

    >>> path("apps/v1", "Deployment", "here", "web")
    '/apis/apps/v1/namespaces/here/deployments/web'
    """
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    scope = "" if kind in _CLUSTERED else f"/namespaces/{namespace}"
    plural = _IRREGULAR.get(kind, f"{kind.lower()}s")
    return f"{root}{scope}/{plural}" + (f"/{name}" if name else "")


def patiently(ask: Callable[[], _T], patience_s: float) -> _T:
    """Repeat a request while the server does not answer, after pauses that grow to 5 s.

    Raises:
        ClusterError: The server refused, or did not answer for ``patience_s``.
    """
    until, pause = time.monotonic() + patience_s, 0.2
    while True:
        try:
            return ask()
        except ClusterError as error:
            if error.status not in _AWAY or time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(5.0, pause * 2)


def _refused(method: str, where: str, status: int, body: Any) -> ClusterError:
    """An error with the server's message."""
    try:
        message = str(json.loads(body)["message"])
    except (TypeError, ValueError, KeyError):
        message = str(body or "no answer")[:300]
    hint = "Ask for the right in the chart's roles." if status == 403 else ""  # noqa: PLR2004 - forbidden
    hint = (
        "Does the controller behind this webhook run? kubectl get pods -A."
        if "failed calling webhook" in message
        else hint
    )
    return ClusterError(f"{method} {where.rpartition('/namespaces/')[2]}: {message}", hint=hint, status=status)


def _connected() -> Any:
    """A client, configured by KUBECONFIG or the pod's own account."""
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        try:
            config.load_incluster_config(settings)
        except config.ConfigException:
            # The variable's value now: the library reads it only once, on import.
            config.load_kube_config(os.environ.get("KUBECONFIG"), client_configuration=settings)
    except (config.ConfigException, OSError) as error:
        raise ClusterError(f"No cluster is configured: {error}", hint="Set KUBECONFIG, or run make cluster.") from error
    settings.retries = 0
    return client.ApiClient(settings)
