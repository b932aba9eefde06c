"""Pods that PodSecurity "restricted" admits: the security context of all our containers, in one place.

Source: Kubernetes, Pod Security Standards, profile "restricted" (v1.34). Beyond it: a read-only root file system and no
service-account token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proseform.config import Environment, Place, Placed, Toleration

Manifest = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON."""

PART_OF = {"app.kubernetes.io/part-of": "proseform"}
"""The label of all our objects."""
SHARED_MEMORY = ("/dev/shm", False)  # noqa: S108 - the kernel's own name
"""The mount of a pod's shared memory, under the name ``shared-memory``."""
SCRATCH = "/tmp"  # noqa: S108 - the one folder of a container that may be written, an emptyDir of its own


@dataclass(frozen=True, slots=True)
class Container:
    """The fields in which our containers differ.

    Attributes:
        name: Unique in its pod.
        image: With a tag or a digest.
        command: argv, never a line for a shell.
        pull_policy: When nodes fetch the image.
        env: Name to text; nothing secret, secrets are files.
        resources: Name to quantity, both request and limit, so that the pod's class is Guaranteed.
        limited: Whether the processor has a limit too; without one the container may use idle processors.
        mounts: Volume name to (path, read-only).
        more: Further fields of the container, such as ports and probes.
    """

    name: str
    image: str
    command: Sequence[str]
    pull_policy: str = "IfNotPresent"
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    limited: bool = True
    mounts: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def container(spec: Container) -> Manifest:
    """A container that may write to its scratch folder and its writable mounts alone.

    ``USER`` is set since torch's caches ask for a user name, and the user has no entry in /etc/passwd.
    """
    env = {"HOME": SCRATCH, "TMPDIR": SCRATCH, "USER": "proseform", **spec.env}
    mounts = {"scratch": (SCRATCH, False), **spec.mounts}
    limits = {name: value for name, value in spec.resources.items() if spec.limited or name != "cpu"}
    return {
        "name": spec.name,
        "image": spec.image,
        "imagePullPolicy": spec.pull_policy,
        "command": list(spec.command),
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "resources": {"requests": dict(spec.resources), "limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": name, "mountPath": path, **({"readOnly": True} if fixed else {})}
            for name, (path, fixed) in mounts.items()
        ],
        **spec.more,
    }


def pod(
    containers: Sequence[Manifest],
    place: Place,
    volumes: Mapping[str, Manifest],
    placed: Placed | None = None,
    account: str = "",
) -> Manifest:
    """The spec of a pod.

    Args:
        containers: From :func:`container`.
        place: Names the user, and the secrets for pulling images.
        volumes: Name to source; the scratch folder is added.
        placed: Which nodes it may run on; None: any.
        account: Its service account; empty: the namespace's default.
    """
    user = place.user
    scratch: Manifest = {"emptyDir": {}}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": list(containers),
        "volumes": [{"name": name, **source} for name, source in {"scratch": scratch, **volumes}.items()],
        **({"serviceAccountName": account} if account else {}),
        **({"imagePullSecrets": [{"name": name} for name in place.pull_secrets]} if place.pull_secrets else {}),
        **(_placed(placed) if placed else {}),
    }


def _placed(placed: Placed) -> Manifest:
    """Which nodes a pod may run on."""
    tolerations = [toleration(taint) for taint in placed.tolerations]
    return {
        **({"nodeSelector": dict(placed.node_selector)} if placed.node_selector else {}),
        **({"tolerations": tolerations} if tolerations else {}),
    }


def every_interface(place: Place) -> str:
    """The address on which a server in a pod listens."""
    return "::" if place.ipv6 else "0.0.0.0"  # noqa: S104 - a pod


def secret(name: str) -> Manifest:
    """A volume's source: a Secret as files, which the pod's group may read."""
    return {"secret": {"secretName": name, "defaultMode": 0o440}}


def shared_memory(size: str) -> Manifest:
    """A volume's source: memory that the processes of a pod share, of a size such as ``2Gi``."""
    return {"emptyDir": {"medium": "Memory", "sizeLimit": size}}


def resources(cpu: str, memory: str, gpus: int, gpu_resource: str) -> dict[str, str]:
    """Name to quantity; GPUs, if any, under the cluster's name for them."""
    return {"cpu": cpu, "memory": memory, **({gpu_resource: str(gpus)} if gpus else {})}


def claim(name: str, *, read_only: bool = False) -> Manifest:
    """A volume's source: a claim."""
    return {"persistentVolumeClaim": {"claimName": name, **({"readOnly": True} if read_only else {})}}


def environment(source: Environment | None) -> tuple[dict[str, str], dict[str, Manifest], dict[str, tuple[str, bool]]]:
    """The variables, volumes and mounts of a Python environment on a claim; empty without one."""
    if source is None:
        return {}, {}, {}
    volume = claim(source.claim, read_only=True)
    return {"PYTHONPATH": source.packages}, {"environment": volume}, {"environment": (source.path, True)}


def toleration(taint: Toleration) -> dict[str, str]:
    """A toleration as Kubernetes writes it."""
    match = {"operator": "Equal", "value": taint.value} if taint.value else {"operator": "Exists"}
    return {"key": taint.key, **match, "effect": taint.effect}
