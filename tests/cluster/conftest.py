"""The cluster, for the tests of this folder."""

from tests.cluster.fixture import cluster

__all__ = ["cluster"]
