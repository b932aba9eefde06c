"""NetworkPolicies as a network plug-in reads them: who may open a connection to whom, within a namespace or from another.

Source: Kubernetes, Network Policies. Addresses (ipBlock) are not matched: pods have none here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod, by its labels, and its namespace."""

    labels: dict[str, str] = field(default_factory=dict)
    namespace: str = "proseform"


def reaches(policies: list[Manifest], source: Pod, target: Pod, port: int, home: str = "proseform") -> bool:
    """Whether a TCP connection is let out at its source and let in at its target; other namespaces have no policies."""
    return _allows(policies, "Egress", source, target, port, home) and _allows(
        policies, "Ingress", target, source, port, home
    )


def _allows(policies: list[Manifest], direction: str, pod: Pod, peer: Pod, port: int, home: str) -> bool:
    own = [
        each["spec"] for each in policies if pod.namespace == home and _selects(each["spec"]["podSelector"], pod.labels)
    ]
    ours = [spec for spec in own if direction in spec["policyTypes"]]
    key = "from" if direction == "Ingress" else "to"
    return not ours or any(
        _rule(rule, key, peer, port, home) for spec in ours for rule in spec.get(direction.lower(), [])
    )


def _rule(rule: Manifest, key: str, peer: Pod, port: int, home: str) -> bool:
    ports = [each["port"] for each in rule.get("ports", []) if each.get("protocol", "TCP") == "TCP"]
    if rule.get("ports") and port not in ports:
        return False
    return key not in rule or any(_peer(each, peer, home) for each in rule[key])


def _peer(wanted: Manifest, peer: Pod, home: str) -> bool:
    if "ipBlock" in wanted:
        return False
    if "namespaceSelector" in wanted:
        names = {"kubernetes.io/metadata.name": peer.namespace}
        return _selects(wanted["namespaceSelector"], names) and _selects(wanted.get("podSelector", {}), peer.labels)
    return peer.namespace == home and _selects(wanted["podSelector"], peer.labels)


def _selects(selector: Manifest, labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", []):
        if each["operator"] == "Exists" and each["key"] not in labels:
            return False
        if each["operator"] == "In" and labels.get(each["key"]) not in each["values"]:
            return False
    return True
