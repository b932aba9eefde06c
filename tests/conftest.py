"""What every folder of tests shares: the cluster, and properties that a busy machine cannot fail.

``HYPOTHESIS_PROFILE=fast`` tries fewer examples of each, as ``make test-fast`` does.
"""

import os

from hypothesis import settings

from tests.cluster.fixture import cluster

__all__ = ["cluster"]

settings.register_profile("busy", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "busy"))
