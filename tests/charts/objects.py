"""The chart's objects in tests: values to render it with, and functions that find an object."""

from __future__ import annotations

from typing import Any

DIGEST = f"sha256:{'0' * 64}"
POSTGRES = {
    "mlflow": {
        "replicas": 2,
        "image": {"digest": DIGEST},
        "database": {"secret": "pg"},
        "hosts": ["mlflow.example.org"],
    },
    "objectStore": {
        "bucket": "proseform/mlflow",
        "secret": "s3",
        "endpoint": "https://objects.example.org:9000",
        "port": 9000,
    },
}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "postgres": POSTGRES,
    "postgres with artifacts on the claim": {"mlflow": {"database": {"secret": "pg"}}},
    "sqlite with artifacts in a bucket": {"objectStore": {"bucket": "proseform"}},
    "monitored": {"monitoring": {"create": True, "labels": {"release": "prometheus"}}},
    "tls": {"gateway": {"tlsSecret": "tls", "hostname": "*.example.org", "port": 443}},
    "private images": {"pullSecrets": ["pull"], "pullPolicy": "Always"},
    "ipv6": {
        "ipv6": True,
        "network": {"apiServerCidr": "fd00::/108", "hub": {"create": True, "cidr": "::/0"}},
        "objectStore": {"bucket": "proseform", "endpoint": "http://[fd00::9]:9000", "cidr": "fd00::9/128"},
    },
    "a hub and an engine by URL": {
        "network": {"hub": {"create": True}, "engine": {"create": True, "namespace": "models", "port": 8000}}
    },
    "an engine by URL and a collector of traces": {
        "network": {"engine": {"create": True}, "collector": {"create": True, "namespace": "observability"}}
    },
    "an engine by URL and shared evaluations": {
        "network": {"engine": {"create": True}, "cache": {"create": True, "namespace": "valkey"}}
    },
    "a measurement by URL, elsewhere": {"network": {"evaluateEngine": {"create": True}}},
    "admission": {"admission": {"create": True, "secrets": ["hub"]}, "network": {"hub": {"create": True}}},
    "one node": {"store": {"accessMode": "ReadWriteOnce", "storageClass": "local", "keep": False}},
    "nothing that is optional": {key: {"create": False} for key in ("store", "gateway", "mlflow", "network")},
    "everything": {
        **POSTGRES,
        "monitoring": {"create": True},
        "pullSecrets": ["pull"],
        "gateway": {"tlsSecret": "tls"},
    },
}


def of_kind(manifests: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def named(manifests: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name)
