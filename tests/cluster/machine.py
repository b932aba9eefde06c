"""The machine: what the cluster requires of it, and how its changes outside of the cluster's folder are undone.

Left out: systems other than Linux, and package managers other than apt-get (programs that are installed are used).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster import programs
from tests.cluster.places import CACHE, STATE

PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "bridge": "containernetworking-plugins",
    "debootstrap": "debootstrap",
    "buildah": "buildah",
    "busybox": "busybox-static",
}
"""Program to its Debian package. The last three build images for tests."""
CNI = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
"""Folders of network plugins: Debian's, and everybody else's."""
_TRACES = STATE / "before.json"
_SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""Kernel settings that kubelet, kube-proxy and this module change."""
_OUTSIDE = (
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/log/containers",
    "/var/log/pods",
    "/run/containerd",
    "/run/netns",
    "/run/mount",
    "/opt/containerd",
)
"""Folders of kubelet, containerd, mount and the network plugins whose paths cannot be configured."""


class CannotError(Exception):
    """This machine cannot run a cluster; the message says what it lacks."""


def check() -> None:
    """Check that this machine can run a cluster.

    Raises:
        CannotError: It cannot.
    """
    if not sys.platform.startswith("linux"):
        raise CannotError("it runs on Linux alone")
    if os.geteuid() != 0:
        raise CannotError("it wants root: namespaces, mounts and a bridge are made")
    unbuilt = [program.name for program in programs.ALL if not program.built]
    if unbuilt and not shutil.which("go"):
        raise CannotError(f"it wants Go to build {', '.join(unbuilt)}")
    if missing() and not shutil.which("apt-get"):
        raise CannotError(f"it wants {', '.join(missing())}, and there is no apt-get to install them")
    if not STATE.exists() and any(cgroups()):
        raise CannotError("another kubelet has its pods here; set KUBECONFIG to use its cluster")


def missing() -> list[str]:
    """The packages that are not installed."""
    paths = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    places = {"bridge": os.pathsep.join(map(str, CNI))}
    return [package for name, package in PACKAGES.items() if not shutil.which(name, path=places.get(name, paths))]


def install() -> None:
    """Install missing packages, from the machine's own sources.

    Raises:
        CannotError: With apt-get's last line.
    """
    if not (packages := missing()):
        return
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for words in (["apt-get", "update", "-qq"], command):
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise CannotError(f"{' '.join(command)}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")


def remember() -> None:
    """Save the machine's settings and folders before its first cluster."""
    if _TRACES.exists():
        return
    STATE.mkdir(parents=True, exist_ok=True)
    settings = {
        name: (Path("/proc/sys") / name).read_text().strip()
        for name in _SETTINGS
        if (Path("/proc/sys") / name).exists()
    }
    _TRACES.write_text(
        json.dumps({"settings": settings, "folders": [folder for folder in _OUTSIDE if Path(folder).exists()]})
    )


def restore() -> None:
    """Restore the machine's settings and folders."""
    if not _TRACES.exists():
        return
    before = json.loads(_TRACES.read_text())
    for name, value in before["settings"].items():
        (Path("/proc/sys") / name).write_text(value)
    for folder in set(_OUTSIDE) - set(before["folders"]):
        shutil.rmtree(folder, ignore_errors=True)


def cgroups() -> Iterator[Path]:
    """The kubelet's control groups, the innermost first; under version 1 there is a tree for each controller."""
    top = Path("/sys/fs/cgroup")
    for root in [*top.glob("kubepods"), *top.glob("*/kubepods")]:
        yield from (Path(folder) for folder, _, _ in os.walk(root, topdown=False))


def processes() -> Iterator[tuple[int, str]]:
    """All processes, each with its command line."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


@contextmanager
def alone() -> Iterator[None]:
    """Lock the cluster: a second command waits for the first."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
