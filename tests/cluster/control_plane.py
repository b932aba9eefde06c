"""etcd, API server, controller manager and scheduler, and a token for everyone who speaks to the API server."""

from __future__ import annotations

import secrets
from pathlib import Path

import yaml

from tests.cluster import pki, programs
from tests.cluster.places import API, ETCD, HOST, KUBECONFIG, NODE, PKI, PODS, SERVICES, STATE
from tests.cluster.probe import answers
from tests.cluster.process import Process

AUTHORITY = PKI / "apiserver.crt"
"""The API server's self-signed certificate, by which clients verify it."""
_USERS = {
    "admin": ("kubernetes-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
    "gateway": ("traefik", "system:masters"),
    "dns": ("coredns", "system:masters"),
}
"""Part to user and group. Gateway and DNS have all rights here; tests of rights are about other users."""


def prepare() -> None:
    """Create keys, certificates, tokens and each part's kubeconfig, once."""
    if KUBECONFIG.exists():
        return
    pki.key_pair(PKI, "service-account")
    pki.certificate(PKI, "kubelet-client", group="system:masters")
    tokens = {part: secrets.token_hex(16) for part in _USERS}
    rows = [f"{tokens[part]},{user},{part}{f',{group}' if group else ''}\n" for part, (user, group) in _USERS.items()]
    pki.write_private(PKI / "tokens.csv", "".join(rows).encode())
    for part, token in tokens.items():
        pki.write_private(PKI / f"{part}.token", token.encode())
        pki.write_private(kubeconfig(part), _kubeconfig(part, token))


def token(part: str) -> str:
    """A part's token."""
    return (PKI / f"{part}.token").read_text()


def kubeconfig(part: str) -> Path:
    """The path of a part's kubeconfig; the administrator's is the one for people."""
    return KUBECONFIG if part == "admin" else PKI / f"{part}.kubeconfig"


def etcd() -> Process:
    """The cluster's database; without fsync, since it is not kept."""
    return Process(
        "etcd",
        [
            str(programs.ETCD.path),
            f"--data-dir={STATE / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            "--listen-peer-urls=http://127.0.0.1:23800",
            "--log-level=warn",
        ],
        lambda: answers(f"{ETCD}/health"),
    )


def api_server() -> Process:
    """The API server. PodSecurity is among the admission plugins that are on by themselves."""
    return Process(
        "kube-apiserver",
        [
            str(programs.API_SERVER.path),
            f"--etcd-servers={ETCD}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            "--secure-port=6443",
            f"--service-cluster-ip-range={SERVICES}",
            f"--cert-dir={PKI}",
            f"--token-auth-file={PKI / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={PKI / 'service-account.pub'}",
            f"--service-account-signing-key-file={PKI / 'service-account.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-client-certificate={PKI / 'kubelet-client.crt'}",
            f"--kubelet-client-key={PKI / 'kubelet-client.key'}",
            "--profiling=false",
        ],
        lambda: AUTHORITY.exists() and answers(f"{API}/readyz", authority=AUTHORITY, token=token("admin")),
    )


def controller_manager() -> Process:
    """The controllers, each with the rights of its own service account."""
    return Process(
        "kube-controller-manager",
        [
            str(programs.CONTROLLER_MANAGER.path),
            f"--kubeconfig={kubeconfig('controller-manager')}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={PKI / 'service-account.key'}",
            f"--root-ca-file={AUTHORITY}",
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={PODS}",
            "--node-cidr-mask-size=24",
            f"--service-cluster-ip-range={SERVICES}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={PKI / 'controller-manager'}",
            f"--flex-volume-plugin-dir={STATE / 'volume-plugins'}",
            "--profiling=false",
        ],
        lambda: answers("https://127.0.0.1:10257/healthz"),
    )


def scheduler() -> Process:
    """The scheduler."""
    return Process(
        "kube-scheduler",
        [
            str(programs.SCHEDULER.path),
            f"--kubeconfig={kubeconfig('scheduler')}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--cert-dir={PKI / 'scheduler'}",
            "--profiling=false",
        ],
        lambda: answers("https://127.0.0.1:10259/healthz"),
    )


def up() -> None:
    """Bring them up, each when what it needs is ready."""
    prepare()
    for part in (etcd, api_server, controller_manager, scheduler):
        part().up()


def _kubeconfig(part: str, secret: str) -> bytes:
    """A kubeconfig."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proseform",
            "clusters": [{"name": "proseform", "cluster": {"server": API, "certificate-authority": str(AUTHORITY)}}],
            "users": [{"name": part, "user": {"token": secret}}],
            "contexts": [{"name": "proseform", "context": {"cluster": "proseform", "user": part}}],
        }
    ).encode()
