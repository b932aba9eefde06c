"""The errors of rendered objects, by an API server with PodSecurity "restricted" and by stricter rules of ours.

Core kinds are checked by Kubernetes' own strict schemas, custom ones by their CRDs'. The rules for pods are those of
the Pod Security Standards (v1.34) and our own: a read-only root, no token, no secret in the environment, no image
without a version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate

from tests.kube import schemas

Manifest = dict[str, Any]

VERSION = "1.34"
"""The version of Kubernetes."""
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN(?!IZERS_|_PATH$)|_KEY$", re.IGNORECASE)
_IMAGE = re.compile(r"(:(?!latest\b)\w[\w.-]*(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$")
_CUSTOM = re.compile(
    r"^(gateway\.networking\.k8s\.io|monitoring\.coreos\.com|kubeflow\.org|serving\.kserve\.io|trainer\.kubeflow\.org)/"
)


def faults(manifest: Manifest) -> list[str]:
    """The errors of an object by its kind's schema, without unknown fields."""
    if _CUSTOM.match(manifest["apiVersion"]):
        return schemas.faults(manifest)
    try:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [str(error)]
    return []


def pod_of(manifest: Manifest) -> Manifest | None:
    """The spec of a pod, or of an object's pod template."""
    if manifest["kind"] == "Pod":
        return manifest["spec"]
    return manifest.get("spec", {}).get("template", {}).get("spec") if isinstance(manifest.get("spec"), dict) else None


def against_pod(pod: Manifest) -> Iterator[str]:
    """The rules that a pod breaks."""
    own = pod.get("securityContext", {})
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield key
    if pod.get("automountServiceAccountToken") is not False:
        yield "token"
    for volume in pod.get("volumes", []):
        if not set(volume) - {"name"} <= _VOLUMES:
            yield f"volume {volume['name']}"
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        yield from _against_container(container, own)


def _against_container(container: Manifest, pod: Manifest) -> Iterator[str]:
    own = {**pod, **container.get("securityContext", {})}
    if own.get("runAsNonRoot") is not True or own.get("runAsUser") == 0:
        yield "root"
    if own.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "seccomp"
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield "privileges"
    capabilities = own.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "writable root"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "host port"
    if set(container.get("resources", {})) != {"requests", "limits"}:
        yield "resources"
    if _secret(container):
        yield "secret in the environment"
    if not _IMAGE.search(container["image"]):
        yield f"image {container['image']}"


def _secret(container: Manifest) -> bool:
    """Whether a container's environment holds a secret."""
    for variable in container.get("env", []):
        if "secretKeyRef" in variable.get("valueFrom", {}) or (
            _SECRET.search(variable["name"]) and variable.get("value")
        ):
            return True
    return any("secretRef" in source for source in container.get("envFrom", []))


def against_rights(manifest: Manifest) -> Iterator[str]:
    """The rules that an RBAC object breaks: no wide rights, none on Secrets, none that give more rights."""
    if manifest["kind"].startswith("Cluster"):
        yield "cluster-wide"
    if (
        manifest["kind"] == "ServiceAccount"
        and manifest.get("automountServiceAccountToken") is not False
        and not manifest["metadata"]["name"].endswith("-pipeline")
    ):
        yield "token"
    for rule in manifest.get("rules", []):
        if "*" in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]} or rule.get("nonResourceURLs"):
            yield "wildcard"
        if "secrets" in rule["resources"] or any(resource.startswith("pods/exec") for resource in rule["resources"]):
            yield "secrets"
        if {"escalate", "bind", "impersonate"} & set(rule["verbs"]):
            yield "more rights"
        if "pods" in rule["resources"] and "create" in rule["verbs"]:
            yield "pods"
