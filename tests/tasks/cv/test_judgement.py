"""The rule of judgement, computed a second time by other means."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.claims.dates import covered
from proseform.tasks.cv import judgement

PERIODS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 60)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=8
)
COUNTS = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)).filter(
    lambda counts: counts[0] <= counts[1] > 0 and counts[2] <= counts[3]
)


@given(PERIODS)
def test_months_worked_are_the_distinct_months(periods: list[tuple[int, int]]) -> None:
    assert covered(periods) == len({month for first, last in periods for month in range(first, last + 1)})


@given(COUNTS)
def test_score_is_the_weighted_share_rounded_half_up(counts: tuple[int, int, int, int]) -> None:
    met, total, preferred_met, preferred = counts
    share = Fraction(100 * (2 * met + preferred_met), 2 * total + preferred)
    expected = int(share + Fraction(1, 2))
    assert (
        judgement.score({"required": met, "preferred": preferred_met}, {"required": total, "preferred": preferred})
        == expected
    )


@pytest.mark.parametrize(
    ("points", "expected"),
    [(0, "reject"), (49, "reject"), (50, "consider"), (74, "consider"), (75, "interview"), (100, "interview")],
)
def test_recommendation_changes_at_its_thresholds(points: int, expected: str) -> None:
    assert judgement.recommendation(points) == expected


@pytest.mark.parametrize(
    ("needed", "found", "expected"),
    [
        ("basic", "none", "missing"),
        ("basic", "basic", "met"),
        ("basic", "advanced", "met"),
        ("advanced", "intermediate", "below"),
    ],
)
def test_skill_verdict_compares_levels(needed: str, found: str, expected: str) -> None:
    assert judgement.skill_verdict(needed, found) == expected


@pytest.mark.parametrize(("months", "expected"), [(0, "missing"), (23, "below"), (24, "met"), (25, "met")])
def test_experience_is_met_to_the_month(months: int, expected: str) -> None:
    answer = judgement.judge(candidate="A B", role="C", requirements=[], required_years=2, months=months, periods=[])
    assert answer["experience"]["verdict"] == expected
