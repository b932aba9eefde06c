"""The comparison of methods by sampled tokens: its figures, and the frozen task that it runs on."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks.signal import figures, leg, page
from benchmarks.signal.__main__ import at_its_end
from benchmarks.signal.rungs import rewards, source
from proseform import config


def _run(*held_out: float, tokens: int = 10, mixed: int = 1) -> list[dict[str, Any]]:
    """Measurements, each some tokens and eight groups after the one before."""
    return [
        {
            "step": at,
            "tokens": tokens * at,
            "held_out": value,
            "groups": 8 * at,
            "mixed": mixed * at,
            "mixed_tokens": tokens * at // 2,
            "trained": 8 * at,
            "trained_mixed": 2 * at,
        }
        for at, value in enumerate(held_out)
    ]


def test_the_target_is_nine_tenths_of_the_median_plateau_of_plain_runs() -> None:
    runs = [_run(0, 0, 1.0, 1.0, 1.0), _run(0, 0.9, 0.6, 0.6, 0.6), _run(0, 0, 0, 0, 0)]
    assert figures.target(runs) == pytest.approx(0.54)


def test_mixed_groups_are_counted_until_the_target_and_no_further() -> None:
    run = _run(0, 1.0, 1.0, 0.0, mixed=2)
    run[-1]["mixed"] = 999
    assert figures.mixed_per_million(run, 0.9) == pytest.approx(1e6 * 4 / 20)
    assert figures.mixed_per_million(run, 2.0) == pytest.approx(1e6 * 999 / 30)


def test_a_ratio_of_medians_has_an_interval_and_censored_runs_count_as_the_slowest() -> None:
    base = dict(enumerate([40.0, 50.0, 60.0, 70.0, math.inf]))
    other = dict(enumerate([20.0, 25.0, 30.0, 35.0, 40.0]))
    whole = figures.ratio(base, other)
    assert whole is not None
    assert whole[0] == 2.0
    assert 1.0 <= whole[1] <= whole[0] <= whole[2]
    assert figures.ratio(dict.fromkeys(range(3), math.inf), other | {}) is not None
    assert figures.ratio(dict.fromkeys(range(3), math.inf), dict.fromkeys(range(3), math.inf)) is None
    never = figures.ratio(other, dict.fromkeys(range(5), math.inf))
    assert never is not None
    assert never == (0.0, 0.0, 0.0)


def test_the_comparison_names_each_method_with_its_censored_runs() -> None:
    runs = {
        "plain": {0: _run(0.0, 0.5, 1.0, 1.0, 1.0), 1: _run(0.0, 0.5, 1.0, 1.0, 1.0)},
        "resample": {0: _run(0.0, 1.0, 1.0), 1: _run(0.0, 0.0, 0.0)},
        "gold": {},
    }
    goal, rows = figures.compared(runs)
    assert goal == pytest.approx(0.9)
    assert list(rows) == ["plain", "resample"]
    plain = rows["plain"]
    assert (plain.tokens, plain.of_plain and plain.of_plain[0], plain.censored) == (30, 1.0, 0)
    assert rows["resample"].censored == 1
    assert plain.mixed_first == 1 / 8
    assert (plain.sampled_mixed, plain.trained_mixed) == (0.5, 0.25)


def test_a_leg_is_done_with_the_goal_or_with_its_last_step_and_not_before() -> None:
    short = {"points": _run(0.0, 0.5, 1.0, 1.0)}
    assert at_its_end(short, 0.9, steps=100)
    assert not at_its_end(short, 1.1, steps=100)
    assert at_its_end(short, 1.1, steps=3)
    assert not at_its_end(None, 0.0, steps=0)


def test_the_page_and_its_picture_are_of_the_records_alone(tmp_path: Path) -> None:
    kept = [
        {"method": method, "seed": seed, "key": "", "points": _run(0.0, 0.5, 1.0, 1.0, 1.0, tokens=tokens)}
        for method, tokens in (("plain", 20), ("resample", 30), ("replay .75", 5))
        for seed in range(2)
    ]
    text = page.page(kept, 100)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows[2].startswith("| `replay .75` | 2 | 0 | 15 | 3 | 4.00 (4.00 to 4.00) | 6.00 (6.00 to 6.00) |  |")
    assert "$" not in text
    paths = page.write(tmp_path, text, kept)
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in page.write(tmp_path, text, kept)] == first


def test_every_method_is_a_run_file_that_is_taken() -> None:
    runs = [leg.Leg(name, 3, 10).run for name in leg.METHODS]
    assert runs[0].grpo.signal == config.Signal()
    assert len({run.digest for run in runs}) == len(runs)


def test_the_frozen_task_reads_gold_and_pays_for_nothing_less() -> None:
    """Its rungs have the lengths that they are named for, and careless annotators are wrong on three words of ten."""
    wrong = words = 0
    for level, length in source.WORDS.items():
        for case in source.generate(level, "train", 0, 100):
            assert len(case.answer["kinds"]) == length
            assert rewards.right(case.prose, case) == 1.0
            careless = source.annotate(case, random.Random(case.id))
            said = rewards.read(careless, case.inputs).value["kinds"]
            assert rewards.right(careless, case) == float(said == case.answer["kinds"])
            wrong += sum(one != other for one, other in zip(said, case.answer["kinds"], strict=True))
            words += length
    assert wrong / words == pytest.approx(source.WRONG, abs=0.03)
    assert not rewards.read("oak tree", {"words": "oak"}).ok
    assert not rewards.read("elm tree.", {"words": "oak"}).ok
