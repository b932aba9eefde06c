"""The gateway: Traefik on the host implements the Gateway API, at the bridge's address, for pods and for the host."""

from __future__ import annotations

from tests.cluster import kubectl, programs
from tests.cluster.control_plane import AUTHORITY, token
from tests.cluster.kubectl import Manifest
from tests.cluster.places import API, GATEWAY_CLASS, GATEWAY_PORT, HOST
from tests.cluster.probe import answers
from tests.cluster.process import Process

_PING = f"{HOST}:9000"


def traefik() -> Process:
    """Traefik; it applies changes within 0.2 s (its default is 2 s)."""
    provider = "--providers.kubernetesgateway"
    return Process(
        "traefik",
        [
            str(programs.TRAEFIK.path),
            f"--entrypoints.web.address={HOST}:{GATEWAY_PORT}",
            f"--entrypoints.ping.address={_PING}",
            "--ping=true",
            "--ping.entrypoint=ping",
            provider,
            f"{provider}.endpoint={API}",
            f"{provider}.token={token('gateway')}",
            f"{provider}.certauthfilepath={AUTHORITY}",
            f"{provider}.statusaddress.ip={HOST}",
            "--providers.providersthrottleduration=200ms",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=WARN",
        ],
        lambda: answers(f"http://{_PING}/ping"),
    )


def manifests() -> list[Manifest]:
    """The Gateway API's definitions, in the version that Traefik's module requires, and Traefik's GatewayClass."""
    definitions = kubectl.files(programs.source("traefik", "sigs.k8s.io/gateway-api") / "config/crd/standard")
    return [
        *definitions,
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": GATEWAY_CLASS},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
    ]


def up() -> None:
    """Apply the definitions, start Traefik, and wait until it accepts its class."""
    kubectl.apply(manifests())
    traefik().up()
    kubectl.kubectl("wait", "--for=condition=Accepted", f"gatewayclass/{GATEWAY_CLASS}", "--timeout=60s")
