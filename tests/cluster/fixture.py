"""The fixture ``cluster``: import it in a conftest, and mark tests that use it as ``cluster``."""

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

    A running cluster is used and left running. Without one, ``pytest -m cluster`` brings one up (and builds its
    programs if needed) and takes it down at the end; any other run skips, with the reason.
    """
    running = the.well()
    asked_for = "cluster" in request.config.option.markexpr
    if not running and not asked_for:
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
