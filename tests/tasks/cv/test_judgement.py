"""The rule of judgement, computed a second time by other means."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.claims.dates import covered
from proseform.tasks.cv import judgement
from proseform.tasks.cv.judgement import Need, Shown

PERIODS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 60)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=8
)
VERDICTS = st.lists(
    st.tuples(st.sampled_from(["required", "preferred"]), st.sampled_from(["met", "partly", "missing", "unclear"])),
    max_size=16,
)


@given(PERIODS)
def test_months_worked_are_the_distinct_months(periods: list[tuple[int, int]]) -> None:
    assert covered(periods) == len({month for first, last in periods for month in range(first, last + 1)})


@given(VERDICTS)
def test_score_is_the_weighted_share_rounded_half_up(verdicts: list[tuple[str, str]]) -> None:
    """In quarters: a required item is worth four, a preferred one two, what is met in part half of that."""
    points = {"required": {"met": 4, "partly": 2}, "preferred": {"met": 2, "partly": 1}}
    earned = sum(points[importance].get(judged, 0) for importance, judged in verdicts)
    whole = sum(points[importance]["met"] for importance, _ in verdicts)
    expected = int(Fraction(100 * earned, whole) + Fraction(1, 2)) if whole else 0
    assert judgement.score(verdicts) == expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [(0, "reject"), (49, "reject"), (50, "consider"), (74, "consider"), (75, "interview"), (100, "interview")],
)
def test_recommendation_changes_at_its_thresholds(points: int, expected: str) -> None:
    assert judgement.recommendation(points) == expected


LEVELLED = Need("skill", "required", "Go", "advanced", "advanced")
USED = Need("skill", "required", "Go", "2 years", months=24)
TIME = Need("experience", "required", "", "2 years", months=24)


@pytest.mark.parametrize(
    ("need", "shown", "expected"),
    [
        (LEVELLED, Shown(), "missing"),
        (LEVELLED, Shown(("Go",)), "unclear"),
        (LEVELLED, Shown(("basic Go",), "basic"), "partly"),
        (LEVELLED, Shown(("advanced Go",), "advanced"), "met"),
        (Need("skill", "required", "Go", "basic", "basic"), Shown(("advanced Go",), "advanced"), "met"),
        (Need("skill", "required", "Go"), Shown(("Go",)), "met"),
        (USED, Shown(("Go",)), "unclear"),
        (USED, Shown(("Go",), periods=("2019",), months=12), "partly"),
        (USED, Shown(("Go",), periods=("2019 to 2020",), months=24), "met"),
        (TIME, Shown(), "missing"),
        (TIME, Shown(periods=("23 months",), months=23), "partly"),
        (TIME, Shown(periods=("2 years",), months=24), "met"),
        (Need("language", "required", "Zulu", "B2", "B2"), Shown(("Zulu C1",), "C1"), "met"),
        (Need("language", "required", "Zulu", "B2", "B2"), Shown(("Zulu B1",), "B1"), "partly"),
        (Need("degree", "required", "Law", "master", "master"), Shown(("BA in Law",), "bachelor"), "partly"),
        (Need("certificate", "required", "PMP"), Shown(("PMP (expired)",), whole=False), "partly"),
        (Need("certificate", "required", "PMP"), Shown(), "missing"),
        (Need("permit", "required", "work permit"), Shown(), "unclear"),
        (Need("permit", "required", "work permit"), Shown(("Has a work permit",)), "met"),
    ],
)
def test_a_verdict_says_how_much_of_what_is_asked_is_shown(need: Need, shown: Shown, expected: str) -> None:
    assert judgement.verdict(need, shown) == expected
