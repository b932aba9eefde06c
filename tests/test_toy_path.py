"""The whole way in one test: data, both roles, GRPO, a report, and a valid answer by the bundle that was measured.

The models learn nothing in six steps, but every stage runs, with real trainers and real workers,
which are forked from one warm process.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proseform import config, task, thresholds
from proseform.bundle import Bundle
from proseform.case import load_cases
from proseform.data import new
from proseform.data.forms import Columns
from proseform.infer.answer import answer
from proseform.infer.local import LocalEngine
from proseform.stages import abstention, cache, dataset, evaluate, grpo, policy, sft

RUNS = Path(__file__).parent / "runs"
TICKETS = Path(__file__).parents[1] / "examples/tasks/tickets"
BICYCLES = Path(__file__).parents[1] / "examples/tasks/bicycles"


@pytest.mark.usefixtures("warmed")
def test_from_data_to_a_valid_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path))
    whole_way("cv", str(RUNS / "micro.toml"))


@pytest.mark.usefixtures("warmed")
def test_from_ones_own_schema_and_cases_to_a_valid_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task of data alone goes the same way; workers find its folder by its name."""
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(task.FOLDERS, str(tmp_path / "tasks"))
    new.write("mine", TICKETS / "schema.json", TICKETS / "cases.jsonl", Columns())
    whole_way("mine", str(RUNS / "micro-own.toml"))


@pytest.mark.usefixtures("warmed")
def test_with_an_encoder_decoder_as_formatter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The formatter has a base of its own; the bundle says what it is, and answers in process."""
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(task.FOLDERS, str(tmp_path / "tasks"))
    new.write("mine", TICKETS / "schema.json", TICKETS / "cases.jsonl", Columns())
    bundle, _ = whole_way("mine", str(RUNS / "micro-seq2seq.toml"))
    assert bundle.encoder_decoders == ["formatter"]
    assert bundle.evaluator.base_digest != bundle.formatter.base_digest


@pytest.mark.usefixtures("warmed")
def test_from_free_prose_to_a_valid_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPO is rewarded by a formatter that nobody has trained before it, and a second one reads what it writes."""
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(task.FOLDERS, str(BICYCLES))
    _, summary = whole_way("bicycles", str(RUNS / "micro-own.toml"))
    assert 0 < summary["round_trip"]["blind"] < 1
    assert summary["figures"]["agreement"] == summary["round_trip"]["agreement"]
    trained = {folder.parent.name for folder in (tmp_path / "home/store").glob("*/*")}
    assert {"sft-formatter", "sft-second"} <= trained


def whole_way(name: str, run: str) -> tuple[Bundle, dict[str, Any]]:
    """Every stage up to the report, the gate's judgement of it, and an answer by the bundle that was measured: both."""
    data, imitator, evaluator, formatter, report = (cache.Slot() for _ in range(5))
    dataset.run(name, run, data)
    sft.run(name, run, "evaluator", data, imitator)
    grpo.run(name, run, data, imitator, evaluator)
    sft.run(name, run, "formatter", data, formatter)
    evaluate.run(name, run, data, imitator, evaluator, formatter, report)
    summary = json.loads((cache.folder(report) / "report.json").read_text())
    assert summary["figures"]["schema_valid"]["value"] == 1.0

    the_task, knobs = task.load(name), config.load(run)
    folder = cache.home().root / "bundle"
    known = abstention.read(abstention.learnt(the_task, knobs, data))
    bundle = policy.assemble(folder, the_task, knobs, policy.of(evaluator), policy.of(formatter), known)
    assert summary["meta"]["digests"]["bundle"] == bundle.digest
    assert thresholds.judge(summary, knobs.gate, bundle.digest, the_task.contract).open
    cases = [case.inputs for case in load_cases(cache.folder(data) / "cases-test.jsonl")]
    inputs = next(inputs for inputs in cases if known is None or not known.strange(inputs))
    result = answer(LocalEngine(folder), the_task, inputs)
    assert result.bundle == bundle.digest
    assert bundle.compiled().fault(result.value) is None
    return bundle, summary
