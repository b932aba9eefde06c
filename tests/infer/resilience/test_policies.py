"""Pauses, budgets and slowness, as pure functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.infer import wire
from proseform.infer.resilience.backoff import Backoff
from proseform.infer.resilience.budget import RetryBudget
from proseform.infer.resilience.latency import LEAST, Latency, slow_after


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1e6))
def test_a_pause_is_drawn_from_the_whole_interval_and_never_shorter_than_asked(retry, drawn, asked):
    longest = min(8.0, 2.0 ** min(retry, 3))
    assert Backoff().pause(retry, drawn) == pytest.approx(drawn * longest)
    assert Backoff().pause(retry, drawn, asked) == max(asked, Backoff().pause(retry, drawn))


@given(st.lists(st.booleans(), max_size=400), st.sampled_from([0.05, 0.1, 0.5]), st.sampled_from([1.0, 3.0, 10.0]))
def test_retries_are_a_share_of_first_calls_and_a_reserve_at_all_times(wishes, share, reserve):
    """Each wish is a first call, or a retry if the budget allows it."""
    budget, firsts, retries = RetryBudget(share, reserve), 0, 0
    for again in wishes:
        if not again:
            budget.called()
            firsts += 1
        elif budget.spend():
            retries += 1
        assert retries <= reserve + share * firsts + 1e-9
        assert 0 <= budget.tokens <= reserve


def test_a_calm_saves_up_the_reserve_and_no_more():
    budget = RetryBudget()
    for _ in range(10_000):
        budget.called()
    assert sum(budget.spend() for _ in range(100)) == 10


def known(*seconds):
    latency = Latency()
    for one in seconds:
        latency.add(one)
    return latency


def test_slow_is_far_beyond_the_median_of_replicas_that_are_known():
    assert slow_after(known(*[1.0] * (LEAST - 1)), 60) == 60, "too few are known"
    assert slow_after(known(*[1.0] * LEAST), 60) == 8
    assert slow_after(known(*[1.0] * LEAST), 5) == 5, "in no case more than the limit"
    assert slow_after(known(*[0.001] * LEAST), 60) == 0.5, "a busy machine is no failure"
    third = [1.0] * 40 + [30.0] * 20
    assert slow_after(known(*third), 60) == 8, "one replica of three that is slow does not move it"
    assert slow_after(known(*[1.0] * 40, *[30.0] * 60), 600) == 240, "an overload does"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("Thu, 26 Nov 2026 20:00:30 GMT", 30),
        ("Thu, 26 Nov 2026 19:00:00 GMT", 0),  # it has passed
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("Thu, 99 Nov 2026 20:00:30 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header, seconds):
    assert wire.retry_after(header, 1795723200.0) == seconds
