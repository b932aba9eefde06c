"""The curves of GRPO: what is read off the rows, and when an alarm sounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import curves, histogram


def rows(count: int = 20, **figures: Any) -> list[dict[str, Any]]:
    """Steps with figures; a callable gets the place of its step, from 0."""
    return [
        {"step": step + 1, **{name: value(step) if callable(value) else value for name, value in figures.items()}}
        for step in range(count)
    ]


@given(st.lists(st.floats(0, 1), max_size=30))
def test_every_score_lies_in_one_bin_and_the_ends_have_bins_of_their_own(values: list[float]) -> None:
    counts = histogram.binned(values)
    assert tuple(counts) == histogram.BINS
    assert sum(counts.values()) == len(values)
    assert (counts["none"], counts["full"]) == (values.count(0), values.count(1))


def test_a_curve_leaves_out_steps_that_lack_it() -> None:
    assert curves.series([{"step": 3, "kl": 1}, {"step": 4, "kl": None}, {"step": 5}], "kl") == [(3, 1.0)]


def test_histograms_are_shares_by_term_and_step() -> None:
    row = {f"histogram/form/{name}": 2.0 for name in histogram.BINS[:2]}
    assert histogram.histograms([{"step": 7, **row, "kl": 1.0}]) == {"form": [(7, [0.5, 0.5, 0, 0, 0, 0])]}


def test_every_curve_says_what_it_shows_and_names_are_known_once() -> None:
    known = curves.known()
    assert len({curve.name for curve in known}) == len(known)
    assert all(curve.sentence.endswith(".") and "\n" not in curve.sentence for curve in known)


QUIET = {
    "reward": lambda step: 0.4 + 0.02 * step, "right": lambda step: 0.1 + 0.02 * step, "all_zero": 0.3, "all_best": 0.3,
    "frac_cancelled": 0.0, "repeated": 0.2, "kl": 0.1, "clipped": 0.0, "faulted": 0.0, "entropy": 0.5,
}  # fmt: skip
"""Training as it should go."""


def test_training_that_goes_well_has_no_alarm_however_few_steps_there_are() -> None:
    for count in (0, 1, 4, 5, 20, 40):
        assert curves.alarms(rows(count, **QUIET)) == []


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"right": lambda step: 0.5 - 0.02 * step}, "the reward is gamed"),
        ({"all_zero": 0.9}, "90% of recent groups earn nothing: train SFT longer, or set [grpo.signal.gold]"),
        ({"all_best": 0.9}, "stop, or take harder cases"),
        ({"frac_cancelled": 0.5}, "terms differ and cancel"),
        ({"repeated": 0.6}, "raise grpo.temperature"),
        ({"kl": 2.0}, "lower grpo.learning_rate"),
        ({"clipped": 0.5}, "raise generation.evaluator.max_tokens"),
        ({"faulted": 0.1}, "proseform rewards check"),
        ({"entropy": lambda step: 0.9 / (1 + step), "right": 0.1}, "Entropy fell from 0.90 to 0.0"),
    ],
)
def test_each_alarm_sounds_alone_where_its_figure_says_so(figures: dict[str, Any], words: str) -> None:
    (alarm,) = curves.alarms(rows(**{**QUIET, **figures}))
    assert words in alarm


def test_reward_and_quality_that_move_together_have_not_parted() -> None:
    together = {"reward": lambda step: 0.9 - 0.02 * step, "right": lambda step: 0.9 - 0.02 * step}
    assert curves.alarms(rows(**{**QUIET, **together})) == []
