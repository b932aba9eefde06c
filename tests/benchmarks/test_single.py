"""Two models or one: as many steps for both, and a page of what came out."""

from __future__ import annotations

import argparse

from benchmarks import single
from proseform import config

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
