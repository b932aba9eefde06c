"""Types that the sections of a place share: names and quantities of Kubernetes, and where pods may run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proseform.config.section import Section

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""A Kubernetes name: DNS label."""

OptionalName = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$")]
"""A Kubernetes name, or nothing."""

Key = Annotated[
    str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
]
"""The key of a label, an annotation or a taint, or the name of a resource: ``nvidia.com/gpu``."""

Label = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")]
"""The value of a label; may be empty."""

Host = Annotated[
    str, Field(pattern=r"^((\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$", max_length=253)
]
"""A host name, ``*.example.org`` for all below it; may be empty."""

Image = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
"""A container image, with a tag or a digest."""

Folder = Annotated[str, Field(pattern=r"^/.")]
"""An absolute path in a pod."""

Url = Annotated[str, Field(pattern=r"^(https?://[^/?#@ ]+(/[^?# ]*)?)?$")]
"""The URL of an HTTP server, without user, query and fragment; may be empty."""

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
"""A Kubernetes resource quantity, such as ``500m`` or ``4Gi``."""


class Environment(Section):
    """A Python environment on a claim, mounted read-only, for clusters where images do not carry it."""

    claim: Name
    """The PersistentVolumeClaim."""
    path: Folder
    """Where pods mount it."""
    packages: Folder
    """Its folder of packages, put on PYTHONPATH. Name it site-packages, or dill pickles libraries whole and fails."""


class Toleration(Section):
    """A taint that pods tolerate."""

    key: Key
    """The taint's key."""
    value: Label = ""
    """The taint's value; empty tolerates every value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    """The taint's effect."""


class Placed(Section):
    """Which nodes pods may run on, and the annotations of the pods."""

    node_selector: dict[Key, Label] = Field(default_factory=dict)
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(strict=False)] = ()
    """Taints that the pods tolerate."""
    annotations: dict[Key, str] = Field(default_factory=dict)
    """Annotations of the pods, such as sidecar.istio.io/inject = "false"."""
