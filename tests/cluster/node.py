"""The one node: a bridge for pods, containerd, kubelet, kube-proxy, and the DNS that pods ask."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import yaml

from tests.cluster.control_plane import PKI, kubeconfig
from tests.cluster.places import BRIDGE, HOST, NODE, PAUSE, PODS, STATE
from tests.cluster.process import Process
from tests.cluster.programs import built

RUNTIME = STATE / "containerd"
SOCKET = RUNTIME / "containerd.sock"
_CNI = "/usr/lib/cni"
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def network_up() -> None:
    """The bridge with the host's address on it; the kernel forwards, as it did before when the cluster is gone."""
    STATE.mkdir(parents=True, exist_ok=True)
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "addr", "add", f"{HOST}/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
    kept = STATE / "ip_forward"
    if not kept.exists():
        kept.write_text(_FORWARD.read_text())
    _FORWARD.write_text("1")


def containerd() -> Process:
    """The container runtime, with a root, a state and a socket of its own."""
    RUNTIME.mkdir(parents=True, exist_ok=True)
    network = STATE / "cni"
    network.mkdir(exist_ok=True)
    addresses = {"type": "host-local", "ranges": [[{"subnet": f"{HOST.rpartition('.')[0]}.0/24", "gateway": HOST}]]}
    addresses |= {"routes": [{"dst": "0.0.0.0/0"}], "dataDir": str(STATE / "addresses")}
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": addresses}
    (network / "10-proseform.conflist").write_text(json.dumps({"cniVersion": "1.0.0", "name": "proseform", "plugins": [bridge]}))
    settings = RUNTIME / "config.toml"
    settings.write_text(f"""version = 2
root = "{RUNTIME / "root"}"
state = "{RUNTIME / "state"}"
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true # without CAP_SYS_RESOURCE no sandbox starts otherwise
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{_CNI}"
conf_dir = "{network}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = "{RUNTIME / "runc"}"
""")
    return Process("containerd", ["containerd", "--config", str(settings)])


def kubelet() -> Process:
    """The kubelet; it writes below the state folder alone."""
    (STATE / "resolv.conf").write_text(f"nameserver {HOST}\n")
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": HOST, "healthzBindAddress": "127.0.0.1", "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": False},
                           "x509": {"clientCAFile": str(PKI / "kubelet-client.crt")}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs", "failCgroupV1": False, "failSwapOn": False, "evictionHard": {}, "enforceNodeAllocatable": [],
        "clusterDNS": [HOST], "clusterDomain": "cluster.local", "resolvConf": str(STATE / "resolv.conf"),
        "podLogsDir": str(STATE / "pod-logs"), "volumePluginDir": str(STATE / "volume-plugins"),
        "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99, "syncFrequency": "10s",
    }  # fmt: skip
    (STATE / "kubelet.yaml").write_text(yaml.safe_dump(settings))
    return Process("kubelet", [
        str(built("kubelet")), f"--config={STATE / 'kubelet.yaml'}", f"--kubeconfig={kubeconfig('kubelet')}",
        f"--root-dir={STATE / 'kubelet'}", f"--cert-dir={PKI / 'kubelet'}", f"--hostname-override={NODE}", f"--node-ip={HOST}",
    ])  # fmt: skip


def kube_proxy() -> Process:
    """Services, by nftables; every flow is masqueraded, since a bridge would let answers take a shorter way home."""
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables",
        "clientConnection": {"kubeconfig": str(kubeconfig("proxy"))}, "clusterCIDR": PODS, "hostnameOverride": NODE,
        "bindAddress": HOST, "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
        "nftables": {"masqueradeAll": True}, "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s",
                                                          "tcpCloseWaitTimeout": "0s"},
    }  # fmt: skip
    (STATE / "kube-proxy.yaml").write_text(yaml.safe_dump(settings))
    return Process("kube-proxy", [str(built("kube-proxy")), f"--config={STATE / 'kube-proxy.yaml'}"])


def dns() -> Process:
    """The names of services."""
    (STATE / "Corefile").write_text(f""".:53 {{
    bind {HOST}
    errors
    cache 5
    kubernetes cluster.local {{
        kubeconfig {kubeconfig("dns")} proseform
    }}
}}
""")
    return Process("coredns", [str(built("coredns")), "-conf", str(STATE / "Corefile")])


def up() -> None:
    """Bring them up, the runtime first."""
    runtime = containerd()
    runtime.start()
    runtime.await_ready(lambda: _works("ctr", "--address", str(SOCKET), "version"))
    from tests.cluster import images

    images.ensure_own()
    for part, ready in (
        (kubelet(), lambda: _works("kubectl", "get", "node", NODE)),
        (kube_proxy(), lambda: _works("nft", "list", "table", "ip", "kube-proxy")),
        (dns(), lambda: True),
    ):
        part.start()
        part.await_ready(ready)
    _run("kubectl", "wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=90s")


def down() -> None:
    """End the node's parts and whatever containers are left, and take back what they did to the machine."""
    for name in ("coredns", "kube-proxy", "kubelet"):
        Process(name).stop()
    for shim in _shims():
        os.kill(shim, signal.SIGKILL)
    for pid in _contained():
        os.kill(pid, signal.SIGKILL)
    Process("containerd").stop()
    for mount in _mounts():
        subprocess.run(["umount", "-l", mount], check=False, capture_output=True)
    _remove_cgroups()
    for table in ("ip", "ip6"):
        subprocess.run(["nft", "delete", "table", table, "kube-proxy"], check=False, capture_output=True)
    subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True)
    if (STATE / "ip_forward").exists():
        _FORWARD.write_text((STATE / "ip_forward").read_text())
    _remove_links()
    shutil.rmtree(STATE, ignore_errors=True)


def _shims() -> list[int]:
    """The shims of our containerd: they outlive it."""
    return [pid for pid, words in _processes() if "containerd-shim" in words and str(SOCKET) in words]


def _contained() -> list[int]:
    """What runs in our containers: whatever is in a cgroup of the kubelet."""
    found: set[int] = set()
    for file in Path("/sys/fs/cgroup").rglob("kubepods/**/cgroup.procs"):
        found.update(int(line) for line in file.read_text().split())
    return sorted(found)


def _processes() -> list[tuple[int, str]]:
    """All processes, with their command lines."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found.append((int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")))
            except OSError:  # it ended while we looked
                continue
    return found


def _mounts() -> list[str]:
    """What is mounted below the state folder, the innermost first, and the namespaces of pods."""
    lines = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((line for line in lines if line.startswith((f"{STATE}/", "/run/netns/cni-", "/var/run/netns/cni-"))), reverse=True)


def _remove_cgroups() -> None:
    """The kubelet's cgroups, the innermost first."""
    for top in [*Path("/sys/fs/cgroup").glob("kubepods"), *Path("/sys/fs/cgroup").glob("*/kubepods")]:
        for folder in sorted(top.rglob("*/"), reverse=True):
            if folder.is_dir():
                folder.rmdir()
        top.rmdir()


def _remove_links() -> None:
    """The links that the kubelet makes to logs of ours."""
    folder = Path("/var/log/containers")
    for link in folder.glob("*") if folder.is_dir() else ():
        if link.is_symlink() and str(link.readlink()).startswith(str(STATE)):
            link.unlink()


def _works(*command: str) -> bool:
    """Whether a command succeeds."""
    return subprocess.run(command, check=False, capture_output=True, env=_environment()).returncode == 0


def _run(*command: str) -> None:
    """Run a command."""
    subprocess.run(command, check=True, capture_output=True, env=_environment())


def _environment() -> dict[str, str]:
    """With our cluster's kubeconfig."""
    from tests.cluster.places import KUBECONFIG

    return {**os.environ, "KUBECONFIG": str(KUBECONFIG)}
