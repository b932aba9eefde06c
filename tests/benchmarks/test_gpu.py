"""The GPU benchmarks on a CPU: they go through the real trainers, and say that there is no GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu_check, gpu_memory, gpu_worker
from proseform import config, launch
from proseform.errors import StageError
from proseform.train import weights


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers in this process: what starts them is not the subject."""

    class Here:
        def run(self, worker: str, job: launch.Job) -> None:
            assert worker == gpu_worker.__name__
            launch.prepare(job)
            gpu_worker.main(job)

    monkeypatch.setattr(launch, "Local", Here)


@pytest.mark.usefixtures("here")
def test_sft_and_grpo_take_their_steps_on_rows_of_the_stated_length(tmp_path: Path) -> None:
    """A model trained whole stops after the measured steps; an adapter is written, and GRPO continues from it."""
    adapter, upon = gpu_memory.SMOKE
    whole = replace(adapter, lora=0, more=gpu_memory.MUON)
    lines = [
        {"case": case.name, **gpu_memory.measure(case, tmp_path, 600, None)}
        for case in (whole, adapter, upon, replace(upon, lora=0))
    ]
    assert [line["outcome"] for line in lines] == ["done"] * 4
    assert [[mark["step"] for mark in line["marks"] if mark] for line in lines] == [
        [0, 1, 2, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3], [0, 1, 2, 3]
    ]  # fmt: skip
    assert all(line["step_s"] > 0 for line in lines)
    assert weights.is_adapter(tmp_path / "adapter-tiny" / weights.WEIGHTS)
    rows = (
        tmp_path / adapter.name.replace(" ", "-").replace(",", "") / "dataset" / "evaluator-train.jsonl"
    ).read_text()
    assert len(rows.splitlines()) == 16
    text = gpu_memory.page(lines, None)
    assert text.startswith("no GPU")
    assert "whole muon" in text


def test_what_ends_a_case_is_its_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of memory, an error of the stage's own, and no model at all: the next case runs all the same."""
    case = gpu_memory.SMOKE[0]
    job = launch.Job("sft", str(tmp_path), str(tmp_path), settings={"stop": 3})

    def full(_: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.")

    monkeypatch.setitem(gpu_worker.STAGES, "sft", full)
    gpu_worker.main(job)
    measured = json.loads((tmp_path / gpu_worker.MEASURED).read_text())
    assert (measured["outcome"], measured["message"]) == ("out of memory", "CUDA out of memory")

    class Failing:
        def run(self, *_: Any) -> None:
            raise StageError("no such device")

    monkeypatch.setattr(launch, "Local", Failing)
    line = {"case": case.name, **gpu_memory.measure(case, tmp_path / "none", 600, None)}
    assert line["outcome"] == "StageError: no such device"
    assert "no such device" in gpu_memory.page([line], 80e9)


def test_the_cases_of_a_gpu_are_runs_that_can_be() -> None:
    """Batches divide, completions leave room for prompts, and each GRPO with an adapter has one to continue from."""
    adapters = set()
    for case in gpu_memory.CASES:
        assert case.run.model.max_length == case.length
        if case.lora and case.stage == "grpo":
            assert (case.shape, case.lora) in adapters
        if case.lora:
            adapters.add((case.shape, case.lora))


def test_the_check_for_a_gpu_goes_through_all_its_stages_on_a_cpu(tmp_path: Path) -> None:
    """The script itself, dry: no registry, a wheel and no weights in its folder, both parts, adapters kept."""
    wheel = tmp_path / "wheels" / "somewhere-1-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("somewhere.py", "")
        file.writestr("somewhere-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: somewhere\nVersion: 1\n")
        file.writestr("somewhere-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("somewhere-1.dist-info/RECORD", "")
    done = subprocess.run(
        ["tools/gpu/check.sh", str(tmp_path), "--dry", "--level", "junior", "--ranks", "4", "--seconds", "7200"],
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    lines = json.loads((tmp_path / "out" / "gpu_check.json").read_text())
    stages = ["sft-evaluator, r = 4", "sft-formatter, r = 4", "grpo, r = 4"]
    assert [(line["part"], line["stage"]) for line in lines] == [
        (part, stage) for part in ("measured", "trained") for stage in stages
    ]
    assert [line["steps"] for line in lines] == [2, 2, 2, 1, 1, 1]
    assert all(line["outcome"] == "done" for line in lines)
    assert "no GPU: nothing is measured" in (tmp_path / "out" / "gpu_check.txt").read_text()
    assert (tmp_path / "out" / "packages" / "somewhere.py").exists()
    for made in ("sft", "evaluator", "formatter"):
        folder = tmp_path / "out" / "adapters" / "4" / made
        assert weights.is_adapter(folder / weights.WEIGHTS)
        assert config.load(str(folder / gpu_check.RUN)).sft.evaluator.lora


def test_the_second_part_of_the_check_takes_as_many_steps_as_fit() -> None:
    lines = [
        {"stage": "sft-evaluator, r = 8", "step_s": 0.5}, {"stage": "sft-formatter, r = 8", "step_s": 0.4},
        {"stage": "grpo, r = 8", "step_s": 4.0},
    ]  # fmt: skip
    steps = gpu_check.fitting(lines, 200.0)
    assert steps == {"sft": 220, "grpo": 12}
    run = config.load(gpu_check.Plan("trained", steps, (8,), "expert").text(8))
    assert (run.model.dtype, run.dataset.level, run.grpo.steps) == ("bfloat16", "expert", 12)
    weights_of = gpu_check.Plan("trained", steps, (8,), model='[model]\nsource = "hub"\nname = "/w"\n')
    assert config.load(weights_of.text(8)).model.name == "/w"
