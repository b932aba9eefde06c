"""NetworkPolicies as a network plug-in reads them: which pods may connect to which, in and between namespaces.

Source: Kubernetes, Network Policies. Addresses (ipBlock) are not matched: pods have none here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod: its labels and its namespace."""

    labels: dict[str, str] = field(default_factory=dict)
    namespace: str = "proseform"


def reaches(policies: list[Manifest], source: Pod, target: Pod, port: int, home: str = "proseform") -> bool:
    """Whether policies let a TCP connection out of its source and into its target; other namespaces have none."""
    return _allows(policies, "Egress", source, target, port, home) and _allows(
        policies, "Ingress", target, source, port, home
    )


def _allows(policies: list[Manifest], direction: str, pod: Pod, peer: Pod, port: int, home: str) -> bool:
    own = [
        policy["spec"]
        for policy in policies
        if pod.namespace == home and _selects(policy["spec"]["podSelector"], pod.labels)
    ]
    ours = [spec for spec in own if direction in spec["policyTypes"]]
    key = "from" if direction == "Ingress" else "to"
    return not ours or any(
        _rule(rule, key, peer, port, home) for spec in ours for rule in spec.get(direction.lower(), [])
    )


def _rule(rule: Manifest, key: str, peer: Pod, port: int, home: str) -> bool:
    ports = [port["port"] for port in rule.get("ports", []) if port.get("protocol", "TCP") == "TCP"]
    if rule.get("ports") and port not in ports:
        return False
    return key not in rule or any(_peer(rule_peer, peer, home) for rule_peer in rule[key])


def _peer(selector: Manifest, peer: Pod, home: str) -> bool:
    if "ipBlock" in selector:
        return False
    if "namespaceSelector" in selector:
        names = {"kubernetes.io/metadata.name": peer.namespace}
        return _selects(selector["namespaceSelector"], names) and _selects(selector.get("podSelector", {}), peer.labels)
    return peer.namespace == home and _selects(selector["podSelector"], peer.labels)


def _selects(selector: Manifest, labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for expression in selector.get("matchExpressions", []):
        if expression["operator"] == "Exists" and expression["key"] not in labels:
            return False
        if expression["operator"] == "In" and labels.get(expression["key"]) not in expression["values"]:
            return False
    return True
