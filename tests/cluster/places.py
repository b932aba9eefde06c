"""Where the cluster's parts lie, and the addresses they speak at: one place, so that ``down`` knows what ``up`` has made."""

from __future__ import annotations

import os
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
CACHE = Path(os.environ.get("PROSEFORM_CLUSTER_CACHE") or Path.home() / ".cache/proseform/cluster")
"""Built programs and bases of images, kept by what they were made from; ``down`` leaves it."""
STATE = Path(os.environ.get("PROSEFORM_CLUSTER_STATE") or "/var/lib/proseform-cluster")
"""Everything else; ``down`` removes it."""
PKI = STATE / "pki"
KUBECONFIG = STATE / "kubeconfig"

NODE = "proseform-node"
BRIDGE = "proseform0"
"""The bridge that pods hang on.

It is made first, so that whoever serves pods from the host has its address to serve at.
"""
HOST = "10.98.0.1"
"""The host's address on the bridge: the API server, the DNS and the gateway answer here, to pods and to the host alike."""
PODS = "10.98.0.0/24"
SERVICES = "10.97.0.0/16"
API = f"https://{HOST}:6443"
ETCD = "http://127.0.0.1:23790"
GATEWAY_PORT = 8000
"""Where the gateway answers, at :data:`HOST`; the port of a Gateway's listener."""
GATEWAY_CLASS = "traefik"
