"""`python -m tests.cluster up | down | status`: a real Kubernetes of one node on a bare machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from tests.cluster import programs
from tests.cluster.places import API, BRIDGE, GATEWAY_PORT, HOST, KUBECONFIG, STATE
from tests.cluster.process import CrashError, Process

CANNOT = 3
"""Exit code where this machine cannot hold a cluster."""
PACKAGES = ("containerd", "runc", "containernetworking-plugins", "nftables", "conntrack", "iproute2", "debootstrap")
PARTS = {
    "etcd": "the cluster's memory", "kube-apiserver": API, "kube-controller-manager": "the controllers", "kube-scheduler": "the scheduler",
    "containerd": "the container runtime", "kubelet": "the node", "kube-proxy": "services, by nftables",
    "coredns": f"names, at {HOST}", "traefik": f"the gateway, at http://{HOST}:{GATEWAY_PORT}",
}  # fmt: skip


def main() -> int:
    """Do what is asked; the exit code."""
    verbs: dict[str, Callable[[], int]] = {"up": up, "down": down, "status": status}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        print(__doc__)
        return 2
    try:
        return verbs[sys.argv[1]]()
    except (CrashError, programs.BuildError, RuntimeError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"\n{' '.join(map(str, error.cmd))}: {(error.stderr or b'')[-2000:]!r}", file=sys.stderr)
        return 1


def up() -> int:
    """Bring the cluster up; what runs is left alone."""
    lack = missing()
    if lack:
        print(f"This machine cannot hold the cluster: {lack}.")
        return CANNOT
    for name in ("KUBECONFIG", "KUBEBUILDER_ASSETS"):
        if os.environ.get(name) and os.environ[name] != str(KUBECONFIG):
            print(f"{name} is set: {os.environ[name]} is used as it is.")
            return 0
    os.environ["KUBECONFIG"] = str(KUBECONFIG)
    _step("packages", packages)
    for program in programs.ALL:
        _step(f"build {program.name}", lambda program=program: programs.build(program))
    from tests.cluster import addons, control_plane, node

    _step("network", node.network_up)
    _step("control plane", control_plane.up)
    _step("node", node.up)
    _step("training operator, KServe, gateway", addons.up)
    return status()


def down() -> int:
    """Take it all away again."""
    from tests.cluster import node

    _step("gateway", Process("traefik").stop)
    if KUBECONFIG.exists() and Process("kube-apiserver").pid():
        _step("pods", _delete_pods)
    _step("node", node.down)
    for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
        _step(name, Process(name).stop)
    shutil.rmtree(STATE, ignore_errors=True)
    return 0


def status() -> int:
    """What runs where."""
    running = {name: Process(name).pid() for name in PARTS}
    for name, what in PARTS.items():
        print(f"  {name:<24} {running[name] or 'down':<8} {what}")
    print(f"  network {BRIDGE}; NetworkPolicy is accepted and not enforced (bridge CNI); logs in {STATE / 'logs'}")
    if all(running.values()):
        print(f"export KUBECONFIG={KUBECONFIG}")
        return 0
    return 1


def missing() -> str:
    """What the machine lacks; empty where nothing."""
    if os.geteuid() != 0:
        return "it wants root"
    if not shutil.which("go"):
        return "it wants Go 1.25 or later"
    if not shutil.which("kubectl"):
        return "it wants kubectl"
    if not shutil.which("containerd") and not shutil.which("apt-get"):
        return "it wants containerd, or apt-get to install it"
    return ""


def packages() -> None:
    """Debian's packages, where they are not there."""
    found = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Status}\n", *PACKAGES], capture_output=True, text=True, check=False
    ).stdout
    lacking = [name for name in PACKAGES if f"{name} install ok installed" not in found]
    if lacking:
        subprocess.run(["apt-get", "update", "-qq"], check=True, capture_output=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *lacking]
        subprocess.run(command, check=True, capture_output=True, env=environment)


def _delete_pods() -> None:
    """Let pods end before their node does; what does not is ended by force."""
    from tests.cluster.addons import kubectl

    with suppress(RuntimeError):  # the API server keeps some
        kubectl("delete", "namespace", "--all", "--wait=false", "--field-selector=metadata.name!=default")
    kubectl("delete", "pods", "--all", "--all-namespaces", "--grace-period=1", "--timeout=20s", "--ignore-not-found")


def _step(name: str, do: Callable[[], object]) -> None:
    """Do one thing, and say how long it took."""
    began = time.monotonic()
    print(f"  {name} …", end="", flush=True)
    do()
    print(f"\r  {name:<40} {time.monotonic() - began:6.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
