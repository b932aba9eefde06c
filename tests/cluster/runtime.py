"""containerd, with its own root, state and socket, so that it does not touch another one on the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.cluster import machine, network
from tests.cluster.places import STATE
from tests.cluster.process import Process

ROOT = STATE / "containerd"
SOCKET = ROOT / "containerd.sock"


class RuntimeRefusedError(Exception):
    """containerd refused a command; carries its message."""


def containerd(pause: str) -> Process:
    """The container runtime.

    Args:
        pause: The image that holds a pod's namespaces open.
    """
    ROOT.mkdir(parents=True, exist_ok=True)
    settings = ROOT / "config.toml"
    settings.write_text(configuration(pause))
    return Process("containerd", ["containerd", "--config", str(settings)], answers)


def configuration(pause: str) -> str:
    """containerd's configuration, version 2 (containerd 1.6 and 1.7 read it)."""
    plugins = next((folder for folder in machine.CNI if (folder / "bridge").exists()), machine.CNI[0])
    return f"""version = 2
root = "{ROOT / "root"}"
state = "{ROOT / "state"}"
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
path = "{ROOT / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
disable_apparmor = true
restrict_oom_score_adj = true # without CAP_SYS_RESOURCE no sandbox starts otherwise
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{network.PLUGINS}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{ROOT / "runc"}"
SystemdCgroup = false
"""


def ctr(*words: str, namespace: str = "k8s.io", source: int | None = None) -> str:
    """Run ``ctr``, containerd's client; returns its output.

    Args:
        words: Its arguments.
        namespace: Of containerd; the kubelet's by default.
        source: A file descriptor that it reads from.

    Raises:
        RuntimeRefusedError: With its words.
    """
    command = ["ctr", "--address", str(SOCKET), "--namespace", namespace, *words]
    done = subprocess.run(command, stdin=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeRefusedError(f"ctr {' '.join(words[:4])}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def answers() -> bool:
    """Whether it answers."""
    try:
        ctr("version")
    except RuntimeRefusedError:
        return False
    return True


def await_empty(timeout_s: float) -> bool:
    """Wait until no container runs; returns whether that is so."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if not ctr("tasks", "list", "--quiet").strip():
            return True
        time.sleep(0.3)
    return False


def down() -> None:
    """End the processes in containers, their shims (which outlive containerd), and containerd; unmount its mounts."""
    shims = [pid for pid, words in machine.processes() if "containerd-shim" in words and str(SOCKET) in words]
    contained = [int(pid) for folder in machine.cgroups() for pid in (folder / "cgroup.procs").read_text().split()]
    for pid in {*shims, *contained}:
        _kill(pid)
    Process("containerd").down()
    for mount in mounts():
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
    until = time.monotonic() + 10
    while (left := list(machine.cgroups())) and time.monotonic() < until:
        for folder in left:
            _remove(folder)


def mounts() -> list[str]:
    """Mount points below our folder, and those of pods' network namespaces; the innermost first."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [
        point for point in reversed(points) if point.startswith((f"{STATE}/", "/run/netns/cni-", "/var/run/netns/cni-"))
    ]


def _kill(pid: int) -> None:
    """Kill a process, which may have ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove(cgroup: Path) -> None:
    """Remove a control group, or wait a moment if its last process is still ending."""
    try:
        cgroup.rmdir()
    except OSError:
        time.sleep(0.05)
