"""What every folder of tests shares: the cluster, a warm process, profiles of properties, and the order of files.

``HYPOTHESIS_PROFILE=fast`` tries fewer examples of each, as ``make test-fast`` does.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from proseform import warm
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


@pytest.fixture(scope="session")
def warm_socket() -> Iterator[str]:
    """The socket of a process that imports the training libraries once for all tests of this one."""
    with tempfile.TemporaryDirectory(prefix="proseform-") as folder:  # a socket's path may have 107 bytes
        socket = Path(folder) / "warm"
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # a fork takes no thread along
        process = subprocess.Popen([sys.executable, "-m", "proseform.warm", socket, *warm.MODULES], env=one_thread)
        while not socket.exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield str(socket)
        process.kill()
        process.wait()


@pytest.fixture
def warmed(warm_socket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher on this machine forks ranks from the warm process, as in a run, instead of starting torchrun."""
    monkeypatch.setenv(warm.SOCKET, warm_socket)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
