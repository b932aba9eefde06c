"""Two models or one: as many steps for both, and a page of what came out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import single
from proseform import bundle as bundles
from proseform import config, jsonl, testing
from proseform import task as tasks
from proseform.bundle import Bundle
from proseform.stages import cache, dataset

BASE = config.load("small")


def test_the_single_model_has_the_steps_of_both_models() -> None:
    run = config.load(single.single_run("small", BASE, 3))
    assert run.sft.evaluator.steps == BASE.sft.evaluator.steps + BASE.sft.formatter.steps
    assert (run.grpo.reward, run.grpo.steps, run.dataset) == ("json", BASE.grpo.steps, BASE.dataset)
    assert run.generation.evaluator.max_tokens == BASE.generation.formatter.max_tokens
    assert {run.model.tiny.seed, run.sft.evaluator.seed, run.grpo.seed} == {3}


def test_the_hybrid_of_the_runs_own_seed_is_the_run() -> None:
    """So that what `make demo` has trained is adopted."""
    assert config.load(single.seeded("small", BASE, BASE.grpo.seed)) == BASE
    assert config.load(single.seeded("small", BASE, 3)).grpo.seed == 3


def test_the_page_has_a_row_for_each_way_and_decoding() -> None:
    scores = {"ok": [1.0, 0.0], "whole_right": [1.0, 0.0], "headline_right": [1.0, 1.0], "share": [1.0, 0.5]}
    ways = {
        (single.HYBRID, "free"): single.Way(scores, [(0.02, 0.01)], 2_000_000),
        (single.SINGLE, "constrained"): single.Way(scores, [(0.03,)], 1_000_000),
    }
    page = single._page(argparse.Namespace(run="small", seeds=1, cases=2), BASE, ways, 2, 7)
    rows = [line for line in page.splitlines() if line.startswith(f"| {single.HYBRID}") or "constrained |" in line]
    assert [row.split(" | ")[5:] for row in rows] == [["0.750", "20", "10", "2.0 |"], ["0.750", "30", "none", "1.0 |"]]
    assert "7 annotations" in page


def test_the_single_model_learns_the_json_that_readable_annotations_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path))
    run = single.single_run(BASE.name, BASE, 0) + "dataset.train = 60\ndataset.valid = 20\n"
    cv, data, rows = tasks.load("cv"), cache.Slot(), cache.Slot()
    dataset.run("cv", run, data)
    left_out = single._asking_for_json(cv, run, data, rows)
    written = list(jsonl.rows(cache.folder(rows) / "evaluator-train.jsonl"))
    assert 0 < len(written) < 60
    assert left_out >= 60 - len(written)
    assert all(cv.narrowed("nested").schema.fault(json.loads(row["completion"])) is None for row in written)
    assert all("prompt" in row for row in written)


@pytest.mark.parametrize("name", [single.HYBRID, single.SINGLE])
def test_a_way_is_measured_free_and_held_to_the_grammar(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models that know nothing: held to the grammar they are valid, free they are not."""
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path))
    toy = testing.toy_task()

    def assembled(folder: Path, *_: object) -> Bundle:
        return bundles.read(testing.random_bundle(folder, toy))

    monkeypatch.setattr(single, "assemble", assembled)
    monkeypatch.setattr(single.policy, "of", lambda part: part)
    cases = list(toy.generate("easy", "test", 0, 2))
    run = config.load(f'{single.single_run("small", BASE, 0)}dataset.format = ""\n')
    ways = dict(single._measured(toy, run, name, (cache.Slot(), cache.Slot()), cases))
    assert ways["free"].scores["ok"] == [0, 0]
    assert ways["constrained"].scores["ok"] == [1, 1]
    assert {len(steps) for steps in ways["free"].seconds} == {2 if name == single.HYBRID else 1}
    assert ways["free"].weights > 0
