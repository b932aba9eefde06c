"""The cluster as a whole: up, down, and what runs where."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.cluster import addons, control_plane, gateway, machine, network, node, programs
from tests.cluster.kubectl import KubectlError, kubectl
from tests.cluster.places import API, BRIDGE, ETCD, GATEWAY_CLASS, GATEWAY_PORT, HOST, KUBECONFIG, NODE, STATE
from tests.cluster.process import Process

Say = Callable[[str], object]
"""Is called with text: the title of a step when it begins, its seconds and the end of the line when it is done."""
PARTS: dict[str, tuple[str, Callable[[], Process]]] = {
    "etcd": (ETCD, control_plane.etcd),
    "kube-apiserver": (API, control_plane.api_server),
    "kube-controller-manager": ("the controllers", control_plane.controller_manager),
    "kube-scheduler": ("the scheduler", control_plane.scheduler),
    "containerd": ("the container runtime", node.containerd),
    "kubelet": (f"node {NODE}", node.kubelet),
    "kube-proxy": ("services, by nftables", node.kube_proxy),
    "coredns": (f"names, at {HOST}:53", network.coredns),
    "traefik": (f"class {GATEWAY_CLASS}, at http://{HOST}:{GATEWAY_PORT}", gateway.traefik),
}
"""Every process on the host, in the order in which they come up: its description, and its constructor."""


def foreign() -> str:
    """Another cluster that KUBECONFIG names and that answers, in words; empty if there is none."""
    named = os.environ.get("KUBECONFIG", "")
    if not named or Path(named) == KUBECONFIG:
        return ""
    command = [
        shutil.which("kubectl") or str(programs.KUBECTL.path),
        "version",
        "--output=json",
        "--request-timeout=5s",
    ]
    try:
        versions = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError, json.JSONDecodeError):
        return ""
    return (
        f"Kubernetes {versions['serverVersion']['gitVersion']} of KUBECONFIG={named}"
        if "serverVersion" in versions
        else ""
    )


def write(text: str) -> None:
    """Write to the standard output, unbuffered."""
    sys.stdout.write(text)
    sys.stdout.flush()


def up(say: Say = write) -> Path | None:
    """Bring the cluster up; parts that run are left alone.

    Args:
        say: Called with a line for each step.

    Returns:
        Its kubeconfig; None if the environment names another cluster, which is used instead.

    Raises:
        machine.CannotError: This machine cannot run one.
        CrashError: A part ended, with the end of its log.
        BuildError: A program cannot be built.
    """
    if other := foreign():
        say(f"{other} is used as it is; nothing is brought up.\n")
        return None
    if os.environ.get("KUBECONFIG") and Path(os.environ["KUBECONFIG"]) != KUBECONFIG:
        say(f"KUBECONFIG={os.environ['KUBECONFIG']} does not answer; a cluster is brought up here.\n")
    machine.check()
    with machine.alone():
        if well():
            say("The cluster is up already.\n")
            return KUBECONFIG
        for name in PARTS:
            if (part := Process(name)).crashed:
                say(f"{name} had ended by itself and is started again. {part.last_words()}\n")
        for words, step in steps(say):
            _timed(words, step, say)
    return KUBECONFIG


def build(say: Say = write) -> None:
    """Build the programs that are not built yet: on a new machine that takes many minutes, which are no test's.

    Raises:
        machine.CannotError: This machine cannot run a cluster.
        BuildError: A program cannot be built.
    """
    if foreign():
        return
    machine.check()
    with machine.alone():
        for words, step in _made(say):
            _timed(words, step, say)


def steps(say: Say) -> list[tuple[str, Callable[[], object]]]:
    """The steps of :func:`up`, with their titles."""
    return [
        *_made(say),
        (f"network {BRIDGE}", lambda: (machine.remember(), network.up())),
        ("etcd, API server, controllers, scheduler", control_plane.up),
        ("containerd, kubelet, kube-proxy, CoreDNS", node.up),
        ("Gateway API by Traefik", gateway.up),
        ("training operator and KServe", addons.up),
    ]


def _made(say: Say) -> list[tuple[str, Callable[[], object]]]:
    """The steps that install and build."""
    builds = []
    for program in programs.ALL:
        if program.provided:
            say(f"  {program.name} of KUBEBUILDER_ASSETS is used: {program.path}\n")
        elif not program.built:
            builds.append((f"build {program.name}", partial(programs.build, program)))
    return [("Debian packages", machine.install), *builds]


def restart(name: str) -> None:
    """Restart a part, for tests of what survives that.

    Args:
        name: Of :data:`PARTS`.
    """
    Process(name).down()
    PARTS[name][1]().up()


def down(say: Say = write) -> None:
    """Take the cluster down and undo its changes to the machine; built programs are kept."""
    if not STATE.exists():
        say("No cluster is here.\n")
        return
    with machine.alone():
        for words, step in (
            ("gateway", Process("traefik").down),
            ("controllers", lambda: [Process(name).down() for name in ("kube-controller-manager", "kube-scheduler")]),
            ("pods", node.empty),
            ("node", node.down),
            ("API server and etcd", lambda: [Process(name).down() for name in ("kube-apiserver", "etcd")]),
            ("network", network.down),
            ("traces", machine.restore),
        ):
            _timed(words, step, say)
        shutil.rmtree(STATE)


def well() -> bool:
    """Whether every part runs and is ready."""
    return all(Process(name).pid for name in PARTS) and all(ready for _, ready in deployments())


def deployments() -> list[tuple[str, bool]]:
    """The controllers that run in pods, and whether each is ready; the node counts as one."""
    objects = []
    if Process("kube-apiserver").pid:
        with suppress(KubectlError):  # while it is not ready, nothing counts as ready
            objects = json.loads(
                kubectl("get", "nodes,deployments", "--all-namespaces", "--output=json", "--request-timeout=5s")
            )["items"]
    states = {
        (manifest["kind"], manifest["metadata"]["name"]): {
            state["type"]: state["status"] for state in manifest["status"].get("conditions", ())
        }
        for manifest in objects
    }
    parts = [(f"node {NODE}", states.get(("Node", NODE), {}).get("Ready") == "True")]
    for words, controller in addons.CONTROLLERS.items():
        parts.append((words, states.get(("Deployment", controller.name), {}).get("Available") == "True"))
    return parts


def table() -> list[str]:
    """What runs where, one line each."""
    lines = []
    for name, (what, _) in PARTS.items():
        part = Process(name)
        lines.append(
            f"  {name:<26} {f'pid {part.pid}' if part.pid else 'crashed' if part.crashed else 'down':<12} {what}"
        )
    for (words, ready), controller in zip(deployments()[1:], addons.CONTROLLERS.values(), strict=True):
        lines.append(
            f"  {words:<26} {'ready' if ready else 'not ready':<12} deployment {controller.namespace}/{controller.name}"
        )
    return [*lines, f"  logs and state              {STATE}", "  NetworkPolicy: not enforced (bridge CNI)"]


def _timed(words: str, step: Callable[[], object], say: Say) -> None:
    """Run a step, and say how long it took."""
    say(f"  {words:<44}")
    began = time.monotonic()
    step()
    say(f"{time.monotonic() - began:7.1f} s\n")
