"""pytest's way to the cluster: ``from tests.cluster.fixture import cluster`` in a conftest, and mark the tests ``cluster``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import cluster as the
from tests.cluster.machine import CannotError


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The kubeconfig of a running cluster.

    One that runs is used and left. Where none does, ``pytest -m cluster`` brings one up (building what is not built)
    and takes it away; any other run skips, with the reason.
    """
    running = the.well()
    wanted = "cluster" in request.config.option.markexpr
    if not running and not wanted:
        pytest.skip("no cluster is up: make cluster, or pytest -m cluster")
    try:
        kubeconfig = the.up()
    except CannotError as lack:
        pytest.skip(f"no cluster on this machine: {lack}")
    if kubeconfig is None:
        yield Path(os.environ["KUBECONFIG"])
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(kubeconfig))
        yield kubeconfig
    if not running:
        the.down()
