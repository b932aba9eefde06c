"""The whole way in one test: data, both roles, GRPO, a report, and a valid answer by the bundle that was measured.

The models learn nothing in six steps, but every stage runs, with real trainers and real workers,
which are forked from one warm process.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proseform import config, task
from proseform.infer.answer import answer
from proseform.infer.local import LocalEngine
from proseform.stages import cache, dataset, evaluate, grpo, policy, sft

RUN = str(Path(__file__).parent / "runs" / "micro.toml")


@pytest.mark.usefixtures("warmed")
def test_from_data_to_a_valid_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path))
    data, imitator, evaluator, formatter, report = (cache.Slot() for _ in range(5))
    dataset.run("cv", RUN, data)
    sft.run("cv", RUN, "evaluator", data, imitator)
    sft.run("cv", RUN, "formatter", data, formatter)
    grpo.run("cv", RUN, data, imitator, evaluator)
    evaluate.run("cv", RUN, data, imitator, evaluator, formatter, report)
    figures = json.loads((cache.folder(report) / "report.json").read_text())["figures"]
    assert figures["schema_valid"]["value"] == 1.0

    cv, run = task.load("cv"), config.load(RUN)
    folder = cache.home().root / "bundle"
    bundle = policy.assemble(folder, cv, run, policy.of(evaluator), policy.of(formatter))
    assert json.loads((cache.folder(report) / "report.json").read_text())["meta"]["digests"]["bundle"] == bundle.digest
    result = answer(LocalEngine(folder), cv, dict(cv.gold[0].inputs))
    assert result.bundle == bundle.digest
    assert bundle.compiled().fault(result.value) is None
