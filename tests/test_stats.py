"""Intervals: what they always satisfy, and how often they contain the truth."""

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import coverage
from proseform import stats

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=30)
COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(SHARES)
def test_an_interval_holds_its_value_lies_in_the_unit_interval_and_is_never_a_point(values):
    estimate = stats.mean(values)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high
    assert estimate.value == pytest.approx(math.fsum(values) / len(values), abs=1e-5)
    assert estimate.n == len(values)


@given(st.dictionaries(st.integers(0, 50), st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1))
def test_a_paired_interval_holds_its_value_and_is_never_a_point(pairs):
    before, after = ({case: pair[side] for case, pair in pairs.items()} for side in (0, 1))
    lift, loss = stats.paired(before, after), stats.paired(after, before)
    assert -1 <= lift.low <= lift.value <= lift.high <= 1
    assert lift.low < lift.high
    assert (loss.value, loss.low, loss.high) == pytest.approx((-lift.value, -lift.high, -lift.low), abs=2e-6)


@given(SHARES, st.integers(2, 5))
def test_repeating_every_case_makes_no_interval_narrower(values, times):
    """Four completions of one case are one case: this is what keeps sampled figures honest."""
    once = stats.mean(values, range(len(values)))
    again = stats.mean(values * times, list(range(len(values))) * times)
    assert again.n == once.n
    assert (again.value, again.low, again.high) == pytest.approx((once.value, once.low, once.high), abs=1e-5)


@given(SHARES)
def test_the_order_of_values_does_not_matter(values):
    forwards, backwards = stats.mean(values), stats.mean(values[::-1])
    assert (forwards.low, forwards.high) == pytest.approx((backwards.low, backwards.high), abs=2e-6)


@given(COUNTS)
def test_a_share_and_its_complement_have_mirrored_intervals(counts):
    right, n = counts
    share, other = stats.proportion(right, n), stats.proportion(n - right, n)
    assert (share.low, share.high) == pytest.approx((1 - other.high, 1 - other.low), abs=2e-6)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 60))
def test_a_paired_share_has_tangos_interval(gained, lost, alike):
    """By its defining equation: at the ends the score statistic equals the normal quantile."""
    n = gained + lost + alike
    estimate = stats.paired_proportions(gained, lost, n)
    for end, sign in ((estimate.low, 1), (estimate.high, -1)):
        if -1 < end < 1:
            assert stats._tango(gained, lost, n, end) == pytest.approx(sign * stats.Z, abs=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 2, 20, 1000])
def test_unanimity_is_not_certainty(value, n):
    estimate = stats.mean([value] * n)
    assert estimate.low < estimate.high
    assert estimate.high - estimate.low == pytest.approx(1 - 0.025 ** (1 / n), abs=2e-6)


@pytest.mark.parametrize("lift", [0.0, 0.05, -0.05])
def test_an_equal_lift_in_every_case_is_nearly_certain(lift):
    estimate = stats.paired(dict.fromkeys(range(200), 0.4), dict.fromkeys(range(200), 0.4 + lift))
    assert estimate.value == pytest.approx(lift)
    assert lift - 0.02 < estimate.low < lift < estimate.high < lift + 0.02


def test_pairing_removes_what_differs_between_cases():
    before = {case: case / 120 for case in range(100)}
    after = {case: score + 0.05 + (case % 3) / 100 for case, score in before.items()}
    assert stats.paired(before, after).low > 0
    assert stats.mean(list(before.values())).high > stats.mean(list(after.values())).low


def test_cases_that_only_one_subject_has_are_left_out():
    assert stats.paired({"a": 0.2, "b": 0.3}, {"b": 0.4, "c": 0.9}).n == 1
    assert stats.paired({"a": 0.2}, {"b": 0.4}) is None


def test_more_cases_make_it_narrower():
    widths = [estimate.high - estimate.low for n in (5, 50, 500) if (estimate := stats.mean([1, 1, 1, 0.5] * n))]
    assert widths == sorted(widths, reverse=True)


def test_nothing_gives_no_estimate():
    assert stats.mean([]) is None


@pytest.mark.parametrize("degrees", [4, 5, 10, 30, 1000])
def test_the_t_quantile_is_students(degrees):
    """Against the density's integral, by Simpson's rule."""
    constant = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    edge, steps = stats._student(degrees), 2000
    xs = [-edge + 2 * edge * step / steps for step in range(steps + 1)]
    ys = [constant * (1 + x * x / degrees) ** (-(degrees + 1) / 2) for x in xs]
    inside = (ys[0] + ys[-1] + 4 * sum(ys[1:-1:2]) + 2 * sum(ys[2:-1:2])) * 2 * edge / steps / 3
    assert inside == pytest.approx(0.95, abs=5e-4)


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.0])
def test_a_margin_out_of_range_is_refused(margin):
    with pytest.raises(ValueError, match="outside"):
        stats.non_inferior(stats.proportion(1, 2), margin)


@pytest.mark.parametrize(
    "measure",
    [
        partial(coverage.shares, 50),
        partial(coverage.shares, 51),
        partial(coverage.pairs, 50, (0.02, 0.2, 0.98), (0.0, 0.5)),
        partial(coverage.pairs, 51, (0.98,), (0.0,)),
        partial(coverage.scores, 50, 300, grid=(0.02, 0.98)),
        partial(coverage.differences, 50, 300, grid=(0.02, 0.5)),
    ],
    ids=lambda measure: f"{measure.func.__name__}-{measure.args[0]}",
)
def test_intervals_contain_the_truth_as_often_as_they_say(measure):
    """A small part of `python -m benchmarks.coverage`; the simulated ones are seeded, hence the same everywhere."""
    values = measure().values
    assert math.fsum(values.values()) / len(values) >= 0.945
    assert min(values.values()) >= 0.92


def test_the_simulation_is_seeded():
    assert coverage.scores(50, 5, grid=(0.5,)) == coverage.scores(50, 5, grid=(0.5,))
