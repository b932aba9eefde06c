"""What every folder of tests shares: the cluster, and properties that a busy machine cannot fail."""

from hypothesis import settings

from tests.cluster.fixture import cluster

__all__ = ["cluster"]

settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
