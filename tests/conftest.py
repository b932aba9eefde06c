"""What every folder of tests shares: the cluster, properties that a busy machine cannot fail, and the order of files.

``HYPOTHESIS_PROFILE=fast`` tries fewer examples of each, as ``make test-fast`` does.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.cluster.fixture import cluster

__all__ = ["cluster"]

LONGEST = (
    "pipelines/test_local_run.py",
    "pipelines/test_smollm2.py",
    "pipelines/test_second_domain_run.py",
    "train/test_sft.py",
    "train/test_grpo.py",
    "registry/test_lease.py",
    "test_toy_path.py",
    "test_cli.py",
    "kube/test_rollout.py",
    "infer/test_decode.py",
    "registry/test_aliases.py",
    "test_trial.py",
    "stages/test_evaluate.py",
)
"""Files that take longest, since they train or start processes; the longest first.

Workers take whole files in the order of the collection (``--no-loadscope-reorder``). Where one of these came last, the
other workers would be idle meanwhile.
"""

settings.register_profile("busy", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "busy"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin; all others keep their order behind them."""
    here = Path(__file__).parent
    places = {here / file: place for place, file in enumerate(LONGEST)}
    missing = [str(file) for file in places if not file.is_file()]
    if missing:
        raise pytest.UsageError(f"{__file__}: LONGEST names files that do not exist: {', '.join(missing)}")
    items.sort(key=lambda item: places.get(item.path, len(places)))
