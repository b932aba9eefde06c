"""The cluster's programs: each built once from its own pinned Go module, and kept by the content it was built from."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.places import CACHE, PROGRAMS

KUBERNETES = "v1.34.4"
_VERSION = "k8s.io/component-base/version"
_LDFLAGS = {
    "kubernetes": f"-X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=34",
}


class BuildError(Exception):
    """A program could not be built; carries the last lines of the compiler."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program.

    Attributes:
        name: Of the executable.
        module: The folder below ``programs/`` whose go.mod pins it.
        package: What is built.
    """

    name: str
    module: str
    package: str = "."

    @property
    def folder(self) -> Path:
        """Its module."""
        return PROGRAMS / self.module

    @property
    def ldflags(self) -> str:
        """The linker's flags: no symbols, and the version where the program wants to know it."""
        return f"-s -w {_LDFLAGS.get(self.module, '')}".strip()

    @property
    def key(self) -> str:
        """The digest of what it is built from."""
        files = [path for path in sorted(self.folder.iterdir()) if path.suffix in {".mod", ".sum", ".go"}]
        whole = hashlib.sha256(f"{self.package} {self.ldflags} {go_version()}".encode())
        for path in files:
            whole.update(path.name.encode() + b"\0" + path.read_bytes())
        return whole.hexdigest()[:16]

    @property
    def path(self) -> Path:
        """Where it is kept once it is built."""
        return CACHE / f"{self.name}-{self.key}"


ALL = (
    Program("pause", "pause"),
    Program("wait-for-name", "wait-for-name"),
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    *(
        Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}")
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
    ),
    Program("training-operator", "training-operator", "github.com/kubeflow/training-operator/cmd/training-operator.v1"),
    Program("coredns", "coredns"),
    Program("kserve-controller", "kserve", "github.com/kserve/kserve/cmd/manager"),
    Program("traefik", "traefik", "github.com/traefik/traefik/v3/cmd/traefik"),
)


def go_version() -> str:
    """The Go release, as ``go env`` has it."""
    return subprocess.run(["go", "env", "GOVERSION"], check=True, capture_output=True, text=True).stdout.strip()


def built(name: str) -> Path:
    """A program that is there already."""
    return next(program.path for program in ALL if program.name == name)


def build(program: Program) -> float:
    """Build a program unless it is there; the seconds it took, 0 where it was.

    Raises:
        BuildError: With the compiler's last lines.
    """
    if program.path.exists():
        return 0.0
    CACHE.mkdir(parents=True, exist_ok=True)
    began, unfinished = time.monotonic(), program.path.with_suffix(".unfinished")
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags", program.ldflags, "-o", str(unfinished), program.package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    done = subprocess.run(command, cwd=program.folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{program.name} cannot be built:\n" + "\n".join(done.stderr.splitlines()[-15:]))
    unfinished.rename(program.path)
    return time.monotonic() - began


def module(name: str, path: str) -> Path:
    """The folder of a module that a program depends on: its CRDs and manifests lie there."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", path]
    found = subprocess.run(command, cwd=PROGRAMS / name, check=True, capture_output=True, text=True, env={**os.environ, "GOFLAGS": ""})
    if not found.stdout.strip():
        subprocess.run(["go", "mod", "download", path], cwd=PROGRAMS / name, check=True, capture_output=True)
        return module(name, path)
    return Path(found.stdout.strip())
