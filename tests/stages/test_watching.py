"""``proseform watch``: a run's curves while it trains, and afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proseform import curves
from proseform.cli import app
from proseform.errors import StoreError
from proseform.stages import cache, watching


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose grpo stage trains; the work folder of the stage."""
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PROSEFORM_RUN", "monday")
    work = tmp_path / "work"
    work.mkdir()
    cache.home().tell(stage="sft-evaluator", state="done", seconds=1.0, figures={}, uri="file:///nowhere")
    cache.home().tell(stage="grpo", state="started", work=str(work))
    return work


def _row(step: int, **figures: float) -> str:
    return json.dumps({"step": step, "loss": 0.1, "reward": 0.5, **figures}) + "\n"


def _watch(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["watch", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_a_run_that_trains_shows_each_curve_with_what_to_do(run: Path) -> None:
    assert "No step is done yet" in _watch("monday")
    (run / "metrics.jsonl").write_text("".join(_row(step, kl=0.1, faulted=0.5) for step in range(1, 7)) + '{"st')
    shown = _watch("monday", "--once")
    sentences = {curve.name: curve.sentence for curve in curves.known()}
    assert "GRPO, step 6" in shown
    assert sentences["kl"][:40] in shown
    assert sentences["right"][:40] not in shown  # no row has it
    assert "! 50% of recent rollouts cannot be scored" in shown


def test_for_machines_it_is_the_last_row_and_the_alarms(run: Path) -> None:
    assert json.loads(_watch("monday", "--json")) == {"last": None, "alarms": []}
    (run / "metrics.jsonl").write_text(_row(1) + _row(2, kl=3.0))
    assert json.loads(_watch("monday", "--json"))["last"]["kl"] == 3.0


def test_a_stage_that_failed_or_is_done_is_over_and_its_figures_stay(run: Path, tmp_path: Path) -> None:
    (run / "metrics.jsonl").write_text(_row(1))
    assert not watching.find("monday").over
    cache.home().tell(stage="grpo", state="failed", message="no signal")
    assert watching.find("monday") == watching.Watched(run / "metrics.jsonl", "failed")
    out = tmp_path / "out"
    out.mkdir()
    (out / "metrics.jsonl").write_text(_row(1))
    done = cache.home().store.commit("grpo", "k" * 12, out, {}, 1.0)
    cache.home().tell(stage="grpo", state="done", seconds=1.0, figures={}, uri=done.ref.uri)
    found = watching.find("monday")
    assert found.over
    assert found.metrics.read_text() == _row(1)


def test_a_run_without_grpo_is_named_with_those_that_there_are(run: Path) -> None:
    for ask in (watching.find, watching.trained):
        with pytest.raises(StoreError, match=r"No run 'tuesday' with a grpo stage in .*; runs: monday"):
            ask("tuesday")


def test_a_file_or_its_folder_will_do(run: Path) -> None:
    (run / "metrics.jsonl").write_text(_row(1))
    assert watching.find(str(run)) == watching.find(str(run / "metrics.jsonl"))
