"""A real Kubernetes of one node on a bare machine.

    python -m tests.cluster up | down | status | build

Exit codes: 0 done; 1 a part failed, with the end of its log; 2 no such command; 3 this machine cannot run a cluster.
"""

from __future__ import annotations

import sys
import time

from tests.cluster import cluster
from tests.cluster.kubectl import KubectlError
from tests.cluster.machine import CannotError
from tests.cluster.places import KUBECONFIG
from tests.cluster.process import CrashError
from tests.cluster.programs import BuildError
from tests.cluster.runtime import RuntimeRefusedError


def main(words: list[str]) -> int:
    """Run a command; returns the exit code."""
    verbs = {"up": _up, "down": _down, "status": _status, "build": _build}
    if len(words) != 1 or words[0] not in verbs:
        print(__doc__)
        return 2
    try:
        return verbs[words[0]]()
    except CannotError as error:
        print(f"No cluster on this machine: {error}.")
        return 3
    except (BuildError, CrashError, KubectlError, RuntimeRefusedError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _up() -> int:
    """Bring the cluster up and print what runs where."""
    began = time.monotonic()
    if cluster.up() is None:
        return 0
    print(f"  {'in all':<44}{time.monotonic() - began:7.1f} s\n")
    return _status()


def _down() -> int:
    """Take the cluster down."""
    cluster.down()
    return 0


def _build() -> int:
    """Build what a cluster is made of, and start nothing."""
    cluster.build()
    return 0


def _status() -> int:
    """Print what runs where."""
    print("\n".join(cluster.table()))
    if not cluster.well():
        return 1
    print(f"export KUBECONFIG={KUBECONFIG}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
