"""The cluster's folders and addresses, in one place, so that ``down`` finds all that ``up`` has created."""

from __future__ import annotations

import os
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
CACHE = Path(os.environ.get("PROSEFORM_CLUSTER_CACHE") or Path.home() / ".cache/proseform/cluster")
"""Built programs and base images, under digests of their sources; ``down`` leaves it."""
STATE = Path(os.environ.get("PROSEFORM_CLUSTER_STATE") or "/var/lib/proseform-cluster")
"""Everything else; ``down`` removes it."""
PKI = STATE / "pki"
KUBECONFIG = STATE / "kubeconfig"

NODE = "proseform-node"
BRIDGE = "proseform0"
"""The bridge of all pods. It is created first, so that servers on the host can listen on its address."""
HOST = "10.98.0.1"
"""The host's address on the bridge, where API server, DNS and gateway listen, for pods and for the host."""
PODS = "10.98.0.0/24"
SERVICES = "10.97.0.0/16"
API = f"https://{HOST}:6443"
ETCD = "http://127.0.0.1:23790"
GATEWAY_PORT = 8000
"""The gateway's port at :data:`HOST`, for a Gateway's listener."""
GATEWAY_CLASS = "traefik"
