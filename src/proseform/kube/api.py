"""The API server, as far as we need it: get, list, create, apply, patch, delete, and the logs of pods.

A thin layer over the official client, whose configuration (KUBECONFIG, or the pod's own account) and transport it
takes. An API server that is away for a moment, or that says 429 or 5xx, is asked again: what follows a job or waits
for a service must not fall with it. Left out: watches; what we follow changes by seconds, and a poll cannot be lost.
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
"""Field manager of what is applied."""

_PLURALS = {
    "ConfigMap": "configmaps", "Event": "events", "Namespace": "namespaces", "PersistentVolume": "persistentvolumes",
    "PersistentVolumeClaim": "persistentvolumeclaims", "Pod": "pods", "Secret": "secrets", "Service": "services",
    "ServiceAccount": "serviceaccounts", "Deployment": "deployments", "PodDisruptionBudget": "poddisruptionbudgets",
    "EndpointSlice": "endpointslices",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers", "NetworkPolicy": "networkpolicies", "Role": "roles",
    "RoleBinding": "rolebindings", "Job": "jobs", "PyTorchJob": "pytorchjobs", "TrainJob": "trainjobs",
    "TrainingRuntime": "trainingruntimes",
    "InferenceService": "inferenceservices", "ServingRuntime": "servingruntimes", "HTTPRoute": "httproutes", "Gateway": "gateways",
    "ScaledObject": "scaledobjects", "PodMonitor": "podmonitors", "ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules",
}  # fmt: skip
_CLUSTERED = {"Namespace", "PersistentVolume"}
_T = TypeVar("_T")
_AWAY = {0, 429, 500, 502, 503, 504}
"""HTTP codes after which asking again can help; 0 is no answer at all."""


class Api:
    """One namespace of one API server.

    Args:
        namespace: Where namespaced objects are looked for when they name none.
        patience_s: Seconds for which an API server that is away is asked again.
        client: A ``kubernetes.client.ApiClient``; by default from KUBECONFIG or the pod's own account.

    Raises:
        ClusterError: No configuration.
    """

    def __init__(self, namespace: str, patience_s: float = 120.0, client: Any = None) -> None:
        self.namespace = namespace
        self._patience_s = patience_s
        self._client = client or _connected()

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """An object, or None where there is none."""
        found: Manifest | None = self._maybe("GET", path(api_version, kind, namespace or self.namespace, name))
        return found

    def find(
        self, api_version: str, kind: str, selector: str = "", fields: str = "", namespace: str = ""
    ) -> list[Manifest]:
        """The objects that match a label selector and a field selector; none where the kind itself is unknown."""
        query = [("labelSelector", selector), ("fieldSelector", fields)]
        found = self._maybe(
            "GET", path(api_version, kind, namespace or self.namespace), [(key, value) for key, value in query if value]
        )
        return list(found["items"]) if found else []

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object.

        Raises:
            ClusterError: It is there already (``exists``), or it is refused.
        """
        made: Manifest = self._call("POST", self._path(manifest, named=False), body=manifest)
        return made

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Apply an object, by the server: created, or changed where it differs; what others own in it stays.

        Raises:
            ClusterError: It is refused; the object is named.
        """
        query = [("fieldManager", MANAGER), ("force", "true"), *([("dryRun", "All")] if dry_run else [])]
        made: Manifest = self._call("PATCH", self._path(manifest), query, manifest, "application/apply-patch+yaml")
        return made

    def merge(self, manifest: Manifest, change: Manifest) -> Manifest:
        """Merge a change into an object (RFC 7386)."""
        made: Manifest = self._call("PATCH", self._path(manifest), body=change, content="application/merge-patch+json")
        return made

    def delete(self, manifest: Manifest) -> bool:
        """Delete an object and what it owns; whether it was there."""
        body = {"propagationPolicy": "Background"}
        return self._maybe("DELETE", self._path(manifest), body=body) is not None

    def logs(self, pod: str, container: str, since: str = "", tail: int = 0, *, previous: bool = False) -> list[str]:
        """Lines of a container's log, each with its time; none where it has not started.

        Args:
            pod: The pod's name.
            container: The container's.
            since: Only lines from this time on (RFC 3339).
            tail: Only so many lines from the end; 0 is all.
            previous: Of the container before its last restart.
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
        """Where an object lies."""
        about = manifest["metadata"]
        return path(
            manifest["apiVersion"],
            manifest["kind"],
            about.get("namespace", self.namespace),
            about["name"] if named else "",
        )

    def _maybe(self, method: str, where: str, query: Iterable[tuple[str, str]] = (), body: Any = None) -> Any:
        """The answer, or None where there is nothing."""
        try:
            return self._call(method, where, query, body)
        except ClusterError as error:
            if error.status == 404:  # noqa: PLR2004 - not found
                return None
            raise

    def _call(
        self, method: str, where: str, query: Iterable[tuple[str, str]] = (), body: Any = None,
        content: str = "application/json", *, text: bool = False,
    ) -> Any:  # fmt: skip
        """One request, asked again while the server is away.

        Raises:
            ClusterError: It is refused, or the server is away for too long.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        def once() -> Any:
            accept = "*/*" if text else "application/json"
            try:
                answer = self._client.call_api(
                    where, method, {}, list(query), {"Content-Type": content, "Accept": accept}, body=body,
                    auth_settings=["BearerToken"], _preload_content=False, _return_http_data_only=True, _request_timeout=(5, 60),
                )  # fmt: skip
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
    return f"{root}{scope}/{_PLURALS[kind]}" + (f"/{name}" if name else "")


def patiently(ask: Callable[[], _T], patience_s: float) -> _T:
    """Ask again while the server is away, at growing distances of up to 5 s.

    Raises:
        ClusterError: The server said no, or was away for longer than ``patience_s``.
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
    """The server's own words."""
    try:
        said = str(json.loads(body)["message"])
    except (TypeError, ValueError, KeyError):
        said = str(body or "no answer")[:300]
    hint = "Ask for the right in the chart's roles." if status == 403 else ""  # noqa: PLR2004 - forbidden
    hint = (
        "Does the controller behind this webhook run? kubectl get pods -A."
        if "failed calling webhook" in said
        else hint
    )
    return ClusterError(f"{method} {where.rpartition('/namespaces/')[2]}: {said}", hint=hint, status=status)


def _connected() -> Any:
    """A client by KUBECONFIG, or by the pod's own account."""
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        try:
            config.load_incluster_config(settings)
        except config.ConfigException:
            # The variable as it is now: the library has read it when it was imported.
            config.load_kube_config(os.environ.get("KUBECONFIG"), client_configuration=settings)
    except (config.ConfigException, OSError) as error:
        raise ClusterError(f"No cluster is configured: {error}", hint="Set KUBECONFIG, or run make cluster.") from error
    settings.retries = 0
    return client.ApiClient(settings)
