"""kubectl of the cluster's own version, pointed at the cluster."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.places import KUBECONFIG
from tests.cluster.programs import KUBECTL

Manifest = dict[str, Any]
_FIRST = ("Namespace", "CustomResourceDefinition")


class KubectlError(Exception):
    """kubectl failed; carries its message."""


def kubectl(*words: str, text: str = "", timeout_s: float = 300) -> str:
    """Run kubectl; returns its output.

    Args:
        words: Its arguments.
        text: Its standard input.
        timeout_s: The longest that it may run, in seconds.

    Raises:
        KubectlError: It failed.
    """
    env = {**os.environ, "KUBECONFIG": str(KUBECONFIG)}
    command = [str(KUBECTL.path), *words]
    if not KUBECTL.built:
        raise KubectlError(f"kubectl {' '.join(words[:6])}: kubectl is not built yet.")
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=env, timeout=timeout_s)
    if done.returncode:
        raise KubectlError(f"kubectl {' '.join(words[:6])}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def apply(manifests: Iterable[Manifest]) -> None:
    """Apply manifests on the server's side: namespaces and definitions first, the rest when those are established."""
    all_of_them = list(manifests)
    first = [one for one in all_of_them if one["kind"] in _FIRST]
    rest = [one for one in all_of_them if one["kind"] not in _FIRST]
    for some in filter(None, (first, rest)):
        kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.dump_all(some, Dumper=yaml.CSafeDumper)
        )
        definitions = [f"crd/{one['metadata']['name']}" for one in some if one["kind"] == "CustomResourceDefinition"]
        if definitions:
            kubectl("wait", "--for=condition=Established", "--timeout=120s", *definitions)


def await_admission(manifest: Manifest, timeout_s: float = 120) -> None:
    """Wait until the server admits a manifest, so that its definition is served and its webhooks can be called.

    Raises:
        KubectlError: The last refusal.
    """
    until = time.monotonic() + timeout_s
    while True:
        try:
            kubectl("create", "--dry-run=server", "-f", "-", text=yaml.safe_dump(manifest))
        except KubectlError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return


def kustomized(folder: Path) -> list[Manifest]:
    """The manifests that kustomize builds from a folder."""
    return _load(kubectl("kustomize", str(folder)))


def files(folder: Path) -> list[Manifest]:
    """The manifests in a folder."""
    objects = [manifest for file in sorted(folder.glob("*.yaml")) for manifest in _load(file.read_text())]
    return [manifest for manifest in objects if manifest["kind"] != "Kustomization"]


def _load(text: str) -> list[Manifest]:
    """Manifests from YAML."""
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]
