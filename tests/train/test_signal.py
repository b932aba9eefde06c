"""The watch over the learning signal."""

from __future__ import annotations

import pytest

from proseform.errors import NoSignalError
from proseform.train.signal import Watch


def test_it_counts_silent_groups_by_exact_equality() -> None:
    watch = Watch(group_size=2, window=5)
    assert watch.see([0.3, 0.3, 0.1, 0.2], ["a"]) == 0.5
    assert watch.see([0.3, 0.3 + 1e-12, 0.1, 0.2], ["a"]) == 0.0


def test_one_step_with_signal_starts_the_count_again() -> None:
    watch = Watch(group_size=2, window=2)
    for rewards in ([0, 0], [0, 1], [0, 0], [0, 1]):
        watch.see(rewards, ["a"])
    assert watch.zero_variance_steps == 0


@pytest.mark.parametrize(
    ("rewards", "completions", "hint"),
    [
        ([0.0, 0.0, 0.0, 0.0], ["a", "b", "c", "d"], "break the form"),
        ([1.0, 1.0, 1.0, 1.0], ["a", "b", "c", "d"], "All are perfect"),
        ([0.6, 0.6, 0.6, 0.6], ["a", "a", "a", "a"], "raise grpo.temperature"),
        ([0.6, 0.6, 0.6, 0.6], ["a", "b", "c", "d"], "rubric's terms"),
    ],
)
def test_a_silent_window_says_what_to_look_at(rewards: list[float], completions: list[str], hint: str) -> None:
    watch = Watch(group_size=2, window=2)
    watch.see(rewards, completions)
    with pytest.raises(NoSignalError) as raised:
        watch.see(rewards, completions)
    assert hint in raised.value.hint
    assert f"{rewards[0]:.3f}" in raised.value.message


def test_the_error_shows_the_beginning_of_a_completion() -> None:
    with pytest.raises(NoSignalError, match=r'begins: "Line ⏎ x{115}"'):
        Watch(group_size=2, window=1).see([0, 0], ["Line\n" + "x" * 500, "b"])
