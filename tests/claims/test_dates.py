"""Periods that end before they begin: found in any way of writing, and in no CV that is generated."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import task
from proseform.claims import dates

CV = task.load("cv")
WAYS = ("{0:04}-{1:02}", "{1:02}/{0:04}", "{1:02}.{0:04}", "15.{1:02}.{0:04}", "{0:04}/{1:02}")
BETWEEN = (" to ", " - ", "-", " \u2013 ", "\u2014", " bis ", " \u00e0 ", " until ")
MONTHS = st.tuples(st.integers(1950, 2049), st.integers(1, 12))


@given(MONTHS, MONTHS, st.sampled_from(WAYS), st.sampled_from(BETWEEN))
def test_a_period_is_backwards_where_its_last_month_comes_before_its_first(
    first: tuple[int, int], last: tuple[int, int], way: str, between: str
) -> None:
    period = f"{way.format(*first)}{between}{way.format(*last)}"
    text = f"Cook, {period}, Leeds"
    assert dates.backwards(text) == ([period] if first > last else [])


@pytest.mark.parametrize("level", CV.levels)
def test_no_generated_cv_has_any(level: str) -> None:
    for case in CV.generate(level, "train", 5, 300):
        assert dates.backwards(case.inputs["cv"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "03/04/2019 to 02/03/2019",  # which months these are depends on the country
        "2019\n- 2015",  # a list
        "Graduated 2019. From 2015 to 2018 a cook",
        "2019, 2015",
        "since 2019 to present",
        "tel. 2019-2015-33",
        "99 to 12",
        "",
    ],
)
def test_what_is_no_such_period_is_none(text: str) -> None:
    assert dates.backwards(text) == []


@given(st.text(max_size=300))
def test_any_text_is_looked_through(text: str) -> None:
    assert all(found in text for found in dates.backwards(text))


def test_years_are_compared_as_wholes() -> None:
    """A year may mean any of its months: only what no reading mends is backwards."""
    assert [dates.backwards(f"{one} to {other}") != [] for one, other in product(("2019", "2019-06"), repeat=2)] == [
        False,
        False,
        False,
        False,
    ]
    assert dates.backwards("June 2019 to 2018") == ["June 2019 to 2018"]
