"""Where the cluster's parts lie, and the addresses they speak at. One place, so that ``down`` knows what ``up`` has made."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
CACHE = Path(os.environ.get("PROSEFORM_CLUSTER_CACHE", Path.home() / ".cache/proseform/cluster"))
"""Built programs, kept by the digest of what they were built from."""
STATE = Path(os.environ.get("PROSEFORM_CLUSTER_STATE", "/var/lib/proseform-cluster"))
"""Everything else; ``down`` removes it."""
KUBECONFIG = STATE / "kubeconfig"

NODE = "proseform-node"
BRIDGE = "proseform0"
"""The bridge that pods hang on. It is made first, so that the API server and the DNS have its address to speak at."""
HOST = "10.98.0.1"
PODS = "10.98.0.0/16"
SERVICES = "10.97.0.0/16"
API = f"https://{HOST}:6443"
GATEWAY_PORT = 8000
"""Where Traefik answers, at :data:`HOST`."""
PAUSE = "proseform.local/pause:1"
WAIT = "proseform.local/wait-for-name:1"
OPERATOR = "proseform.local/training-operator:1"
KSERVE = "proseform.local/kserve-controller:1"
