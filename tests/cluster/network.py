"""The network of pods: a bridge, the plugins that connect pods to it, and the DNS of services.

Left out: access to the internet (pods reach the host and one another, nothing else), and NetworkPolicy, which the
bridge does not enforce.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cluster import machine, programs
from tests.cluster.control_plane import kubeconfig
from tests.cluster.places import BRIDGE, HOST, PODS, SERVICES, STATE
from tests.cluster.probe import resolves
from tests.cluster.process import Process

PLUGINS = STATE / "cni"
DOMAIN = "cluster.local"


def up() -> None:
    """Create the bridge with the host's address, and let the kernel forward between pods."""
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{HOST}/{PODS.partition('/')[2]}", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    PLUGINS.mkdir(parents=True, exist_ok=True)
    (PLUGINS / "10-proseform.conflist").write_text(json.dumps(plugins(), indent=2))


def plugins() -> dict[str, object]:
    """The configuration of the network plugins, by CNI 1.0."""
    addresses = {
        "type": "host-local",
        "dataDir": str(STATE / "addresses"),
        "ranges": [[{"subnet": PODS, "gateway": HOST}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return {"cniVersion": "1.0.0", "name": "proseform", "plugins": [bridge]}


def coredns() -> Process:
    """The DNS of services; other names are refused."""
    corefile = STATE / "Corefile"
    corefile.parent.mkdir(parents=True, exist_ok=True)
    corefile.write_text(f""".:53 {{
    bind {HOST}
    errors
    cache 5
    kubernetes {DOMAIN} {PODS} {SERVICES} {{
        kubeconfig {kubeconfig("dns")} proseform
    }}
}}
""")
    return Process(
        "coredns",
        [str(programs.COREDNS.path), "-conf", str(corefile)],
        lambda: resolves(f"kubernetes.default.svc.{DOMAIN}", HOST),
    )


def down() -> None:
    """Remove the bridge, kube-proxy's rules, and the kernel's connection tracking."""
    commands = [["ip", "link", "delete", BRIDGE]]
    commands += [["nft", "delete", "table", family, "kube-proxy"] for family in ("ip", "ip6")]
    commands += [
        ["conntrack", "-D", side, network] for side in ("--orig-src", "--orig-dst") for network in (PODS, SERVICES)
    ]
    for command in commands:
        subprocess.run(command, check=False, capture_output=True)  # fails if there is nothing to remove


def _ip(*words: str) -> None:
    """Run ip(8).

    Raises:
        machine.CannotError: The kernel refuses.
    """
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    if done.returncode:
        raise machine.CannotError(f"ip {' '.join(words)}: {done.stderr.strip()}")
