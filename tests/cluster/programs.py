"""The cluster's programs: each is built once from its own pinned Go module, and cached by a digest of its sources.

Each has its own module, since their dependencies clash. ``go.mod`` pins its version, ``go.sum`` its dependencies.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tests.cluster.places import CACHE, PROGRAMS

VERSIONS = {
    "etcd": ("go.etcd.io/etcd/server/v3", "v3.6.15"),
    "kubernetes": ("k8s.io/kubernetes", "v1.34.4"),
    "training-operator": ("github.com/kubeflow/training-operator", "v1.9.4"),
    "kserve": ("github.com/kserve/kserve", "v0.20.0"),
    "coredns": ("github.com/coredns/coredns", "v1.12.4"),
    "traefik": ("github.com/traefik/traefik/v3", "v3.5.3"),
}
"""Folder below ``programs/`` to its main module and version; a test compares every go.mod with it."""

_STAMP = "k8s.io/component-base/version"
_LDFLAGS = {
    "kubernetes": f"-X {_STAMP}.gitVersion={VERSIONS['kubernetes'][1]} -X {_STAMP}.gitMajor=1 -X {_STAMP}.gitMinor=34"
}
"""Kubernetes gets its version from linker flags, and does not run without one."""


class BuildError(Exception):
    """A program could not be built; carries the last lines of the compiler."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program.

    Attributes:
        name: The executable's name.
        module: The folder below ``programs/`` whose go.mod pins it.
        package: The Go package that is built.
    """

    name: str
    module: str
    package: str = "."

    @property
    def folder(self) -> Path:
        """The folder of its module."""
        return PROGRAMS / self.module

    @property
    def ldflags(self) -> str:
        """The linker's flags: no symbols, and the version if the program needs it."""
        return f"-s -w {_LDFLAGS.get(self.module, '')}".strip()

    @property
    def key(self) -> str:
        """The digest of its sources: the module's files, the package and the flags; 16 hexadecimal digits."""
        whole = hashlib.sha256(f"{self.package}\0{self.ldflags}\0".encode())
        for path in sorted(self.folder.iterdir()):
            if path.suffix in {".mod", ".sum", ".go"}:
                whole.update(path.name.encode() + b"\0" + path.read_bytes())
        return whole.hexdigest()[:16]

    @property
    def provided(self) -> Path | None:
        """Its path in ``KUBEBUILDER_ASSETS``, or None."""
        assets = os.environ.get("KUBEBUILDER_ASSETS")
        return Path(assets) / self.name if assets and (Path(assets) / self.name).is_file() else None

    @property
    def path(self) -> Path:
        """Its path, whether it is built already or not."""
        return self.provided or CACHE / f"{self.name}-{self.key}"

    @property
    def built(self) -> bool:
        """Whether its file exists."""
        return self.path.is_file()


PAUSE = Program("pause", "pause")
WAIT = Program("wait-for-name", "wait-for-name")
ETCD = Program("etcd", "etcd", VERSIONS["etcd"][0])
API_SERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, KUBE_PROXY, KUBECTL = (
    Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}")
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
)
OPERATOR = Program(
    "training-operator", "training-operator", "github.com/kubeflow/training-operator/cmd/training-operator.v1"
)
KSERVE = Program("kserve-controller", "kserve", "github.com/kserve/kserve/cmd/manager")
COREDNS = Program("coredns", "coredns")
TRAEFIK = Program("traefik", "traefik", "github.com/traefik/traefik/v3/cmd/traefik")
ALL = (
    PAUSE,
    WAIT,
    ETCD,
    API_SERVER,
    CONTROLLER_MANAGER,
    SCHEDULER,
    KUBELET,
    KUBE_PROXY,
    KUBECTL,
    COREDNS,
    OPERATOR,
    KSERVE,
    TRAEFIK,
)
"""In the order in which they are built, the smallest first."""


def build(program: Program) -> None:
    """Build a program unless it exists.

    Raises:
        BuildError: With the compiler's last lines.
    """
    target = program.path
    if target.is_file():
        return
    if not shutil.which("go"):
        raise BuildError(f"{program.name} is not built yet and Go is not on the path.")
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    command = [
        "go",
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-ldflags",
        program.ldflags,
        "-o",
        str(unfinished),
        program.package,
    ]
    done = subprocess.run(command, cwd=program.folder, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(
            f"{program.name} cannot be built in {program.folder}:\n" + "\n".join(done.stderr.splitlines()[-15:])
        )
    unfinished.rename(target)


@lru_cache
def source(folder: str, module: str) -> Path:
    """The source folder of a module that a program depends on, which holds its CRDs and manifests.

    Args:
        folder: Below ``programs/``.
        module: Its path, such as ``k8s.io/api``.

    Raises:
        BuildError: With Go's words.
    """
    for command in (["go", "list", "-m", "-f", "{{.Dir}}", module], ["go", "mod", "download", module]) * 2:
        done = subprocess.run(
            command, cwd=PROGRAMS / folder, env=_environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BuildError(f"{' '.join(command)} in {PROGRAMS / folder}: {done.stderr.strip()[-1000:]}")
        if done.stdout.strip():
            return Path(done.stdout.strip())
    raise BuildError(f"{module} is not among the modules of {PROGRAMS / folder}.")


def _environment() -> dict[str, str]:
    """The environment of Go: static programs, and a go.mod that stays as it is."""
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
