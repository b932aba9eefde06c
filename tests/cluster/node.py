"""The one node: kubelet and kube-proxy, above the container runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.cluster import images, network, programs, runtime
from tests.cluster.control_plane import kubeconfig
from tests.cluster.kubectl import KubectlError, kubectl
from tests.cluster.places import HOST, NODE, PKI, PODS, STATE
from tests.cluster.probe import answers
from tests.cluster.process import Process

_LINKS = Path("/var/log/containers")


def containerd() -> Process:
    """The container runtime."""
    return runtime.containerd(images.name_of(programs.PAUSE))


def kubelet() -> Process:
    """The kubelet; :mod:`machine` removes what it writes outside of our folder."""
    return Process(
        "kubelet",
        [
            str(programs.KUBELET.path),
            f"--config={_written('kubelet.yaml', kubelet_settings())}",
            f"--kubeconfig={kubeconfig('kubelet')}",
            f"--root-dir={STATE / 'kubelet'}",
            f"--cert-dir={PKI / 'kubelet'}",
            f"--hostname-override={NODE}",
            f"--node-ip={HOST}",
        ],
        lambda: answers("http://127.0.0.1:10248/healthz"),
    )


def kubelet_settings() -> dict[str, Any]:
    """The kubelet's configuration: control groups of version 1 or 2, swap or none, no evictions.

    It makes no iptables rules, since nothing would remove them.
    """
    (STATE / "resolv.conf").write_text(f"nameserver {HOST}\n")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": HOST,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{runtime.SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(PKI / "kubelet-client.crt")},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "makeIPTablesUtilChains": False,
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "evictionHard": {},
        "enforceNodeAllocatable": [],
        "clusterDNS": [HOST],
        "clusterDomain": network.DOMAIN,
        "resolvConf": str(STATE / "resolv.conf"),
        "podLogsDir": str(STATE / "pod-logs"),
        "volumePluginDir": str(STATE / "volume-plugins"),
        "staticPodPath": "",
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def kube_proxy() -> Process:
    """The addresses of services, as nftables rules."""
    return Process(
        "kube-proxy",
        [
            str(programs.KUBE_PROXY.path),
            f"--config={_written('kube-proxy.yaml', kube_proxy_settings())}",
        ],
        lambda: answers("http://127.0.0.1:10256/healthz"),
    )


def kube_proxy_settings() -> dict[str, Any]:
    """Every flow is masqueraded; otherwise replies between pods on the bridge would bypass the translation."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(kubeconfig("proxy"))},
        "clusterCIDR": PODS,
        "hostnameOverride": NODE,
        "bindAddress": HOST,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nftables": {"masqueradeAll": True},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def up() -> None:
    """Bring the node's parts up; the runtime and its images first."""
    containerd().up()
    images.ensure_own()
    kubelet().up()
    kube_proxy().up()
    network.coredns().up()
    kubectl("wait", "--for=create", f"node/{NODE}", "--timeout=60s")
    kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=90s")


def empty(timeout_s: float = 25) -> None:
    """Delete all pods while their node is still up, so that volumes are unmounted and namespaces released.

    Pods that do not end in time are killed by :func:`down`.
    """
    if not all(Process(name).pid for name in ("kube-apiserver", "kubelet", "containerd")):
        return
    try:
        kubectl("delete", "pods", "--all", "--all-namespaces", "--grace-period=1", "--wait=false", timeout_s=timeout_s)
    except KubectlError:
        return
    runtime.await_empty(timeout_s)


def down() -> None:
    """End the node's parts, the kubelet before the runtime, and remove its links to our logs."""
    for name in ("coredns", "kube-proxy", "kubelet"):
        Process(name).down()
    runtime.down()
    for link in _LINKS.glob("*") if _LINKS.is_dir() else ():
        if link.is_symlink() and link.readlink().is_relative_to(STATE):
            link.unlink()


def _written(name: str, settings: dict[str, Any]) -> Path:
    """The file of settings, written only if they differ: kube-proxy exits when its file is written, even unchanged."""
    path, text = STATE / name, yaml.safe_dump(settings, sort_keys=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path
