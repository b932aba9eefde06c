"""Which device training takes, and when it refuses to begin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proseform import config, warm
from proseform.errors import ConfigError
from proseform.train import weights

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("gpus", "processes", "expected"),
    [(0, 1, True), (0, 2, True), (1, 1, False), (2, 2, False), (8, 2, False)],
)
def test_a_gpu_for_each_process_or_none_at_all(
    gpus: int, processes: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert weights.on_cpu(config.Launch()) is expected


def test_more_processes_than_gpus_are_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="2 processes on this machine, which has 1 GPU; each") as refused:
        weights.on_cpu(config.Launch())
    assert refused.value.hint == 'Set launch.processes = 1, or launch.device = "cpu".'


def test_a_run_that_wants_the_cpu_hides_the_gpus_from_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert weights.on_cpu(config.load("small").launch) is True
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_what_is_trained_never_goes_through_cudnns_attention(tiny_base: Path) -> None:
    """Its backward pass can give NaN on Hopper for rows that are padded on the left, as GRPO's are."""
    torch.backends.cuda.enable_cudnn_sdp(True)
    weights.load(tiny_base, config.Model(), whole=True)
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_a_tokenizer_is_written_with_the_same_bytes_whether_it_was_loaded_offline_or_not(
    tiny_base: Path, tmp_path: Path
) -> None:
    """A bundle's digest is of these bytes, and says nothing of the environment in which it was made."""
    written = set()
    for offline in (False, True):
        loaded = weights.tokenizer(tiny_base)
        assert "local_files_only" in loaded.init_kwargs, "transformers no longer writes it down"
        loaded.init_kwargs["local_files_only"] = offline
        weights.keep(loaded, tmp_path / str(offline))
        written.add((tmp_path / str(offline) / "tokenizer_config.json").read_bytes())
    assert len(written) == 1


def test_what_the_warm_process_imports_leaves_cuda_to_its_forks() -> None:
    """A library that counts GPUs while it is imported spoils CUDA for every fork: torch refuses to use it there."""
    code = (
        f"import importlib, os, sys\n"
        f"for module in {warm.MODULES!r}: importlib.import_module(module)\n"
        "import torch\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(int(torch._C._cuda_isInBadFork()))\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0
