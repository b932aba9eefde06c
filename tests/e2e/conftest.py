"""The world of the tests, created once per session."""

from __future__ import annotations

import pytest

from tests.cluster.places import KUBECONFIG


@pytest.fixture(scope="session")
def world(cluster):
    """Images, volumes and the chart, on our own cluster; the first run has begun and goes on beside other tests."""
    if cluster != KUBECONFIG:
        pytest.skip(f"the cluster of {cluster} is not ours: its node would need images and folders of this machine")
    from tests.e2e import pipeline
    from tests.e2e import world as the

    world = the.make()
    the.wait(f"deployment/{the.NAMESPACE}-mlflow", "condition=Available", 240)  # a run asks for it before it trains
    pipeline.start(world, pipeline.FIRST, pipeline.text(pipeline.A_FEW_STEPS))
    return world
