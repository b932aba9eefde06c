"""etcd, API server, controller manager and scheduler, with a token for everyone who speaks to the API server."""

from __future__ import annotations

import secrets
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from tests.cluster import pki
from tests.cluster.places import API, HOST, KUBECONFIG, NODE, PODS, SERVICES, STATE
from tests.cluster.process import Process
from tests.cluster.programs import built

PKI = STATE / "pki"
_ETCD = "http://127.0.0.1:23790"
_USERS = {
    "admin": ("kubernetes-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
    "gateway": ("traefik", "system:masters"),
    "dns": ("coredns", "system:masters"),
}
"""Part to user and group. Gateway and DNS of this test cluster are let in everywhere; what is proven of rights is our own."""


def prepare() -> None:
    """Keys, certificates and tokens, once."""
    if (PKI / "tokens.csv").exists():
        return
    pki.key_pair(PKI, "service-account")
    pki.certificate(PKI, "kubelet-client", group="system:masters")
    tokens = {part: secrets.token_hex(16) for part in _USERS}
    for part, token in tokens.items():
        (PKI / f"{part}.token").write_text(token)
    lines = [f"{tokens[part]},{user},{part}{f',{group}' if group else ''}\n" for part, (user, group) in _USERS.items()]
    (PKI / "tokens.csv").write_text("".join(lines))


def kubeconfig(part: str) -> Path:
    """The kubeconfig of a part."""
    path = KUBECONFIG if part == "admin" else PKI / f"{part}.kubeconfig"
    cluster = {"server": API, "certificate-authority": str(PKI / "apiserver.crt")}
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "proseform",
                "clusters": [{"name": "proseform", "cluster": cluster}],
                "users": [{"name": part, "user": {"token": (PKI / f"{part}.token").read_text()}}],
                "contexts": [{"name": "proseform", "context": {"cluster": "proseform", "user": part}}],
            }
        )
    )  # fmt: skip
    path.chmod(0o600)
    return path


def etcd() -> Process:
    """The cluster's memory; without fsync, since it is thrown away."""
    return Process("etcd", [
        str(built("etcd")), f"--data-dir={STATE / 'etcd'}", "--unsafe-no-fsync", f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}", "--listen-peer-urls=http://127.0.0.1:23800", "--log-level=warn",
    ])  # fmt: skip


def api_server() -> Process:
    """The API server."""
    return Process("kube-apiserver", [
        str(built("kube-apiserver")), f"--etcd-servers={_ETCD}", f"--bind-address={HOST}", f"--advertise-address={HOST}",
        "--secure-port=6443", f"--service-cluster-ip-range={SERVICES}", f"--cert-dir={PKI}", f"--token-auth-file={PKI / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={PKI / 'service-account.pub'}",
        f"--service-account-signing-key-file={PKI / 'service-account.key'}", "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={PKI / 'kubelet-client.crt'}", f"--kubelet-client-key={PKI / 'kubelet-client.key'}",
        "--profiling=false", "--v=1",
    ])  # fmt: skip


def controller_manager() -> Process:
    """The controllers."""
    return Process("kube-controller-manager", [
        str(built("kube-controller-manager")), f"--kubeconfig={kubeconfig('controller-manager')}", "--leader-elect=false",
        f"--service-account-private-key-file={PKI / 'service-account.key'}", f"--root-ca-file={PKI / 'apiserver.crt'}",
        "--allocate-node-cidrs=true", f"--cluster-cidr={PODS}", "--node-cidr-mask-size=24", f"--service-cluster-ip-range={SERVICES}",
        "--bind-address=127.0.0.1", f"--cert-dir={PKI / 'controller-manager'}", "--profiling=false",
    ])  # fmt: skip


def scheduler() -> Process:
    """The scheduler."""
    return Process("kube-scheduler", [
        str(built("kube-scheduler")), f"--kubeconfig={kubeconfig('scheduler')}", "--leader-elect=false", "--bind-address=127.0.0.1",
        f"--cert-dir={PKI / 'scheduler'}", "--profiling=false",
    ])  # fmt: skip


def answers(url: str, part: str = "admin") -> bool:
    """Whether an address answers 200, by the API server's certificate and a part's token where it is the API server's."""
    context, headers = None, {}
    if url.startswith(API):
        context = ssl.create_default_context(cafile=str(PKI / "apiserver.crt"))
        headers = {"Authorization": f"Bearer {(PKI / f'{part}.token').read_text()}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=3, context=context) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def up() -> None:
    """Bring them up, each when what it needs is ready."""
    prepare()
    memory, server = etcd(), api_server()
    memory.start()
    memory.await_ready(lambda: answers(f"{_ETCD}/health"))
    server.start()
    server.await_ready(lambda: (PKI / "apiserver.crt").exists() and answers(f"{API}/readyz"))
    kubeconfig("admin")
    for part, url in ((controller_manager(), "https://127.0.0.1:10257/healthz"), (scheduler(), "https://127.0.0.1:10259/healthz")):
        part.start()
        part.await_ready(lambda url=url: _healthy(url))


def _healthy(url: str) -> bool:
    """Whether a part with a certificate of its own says that it is well."""
    try:
        with urllib.request.urlopen(url, timeout=3, context=ssl._create_unverified_context()) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
