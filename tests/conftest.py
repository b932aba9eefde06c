"""The cluster, for every folder whose tests want one."""

from tests.cluster.fixture import cluster

__all__ = ["cluster"]
