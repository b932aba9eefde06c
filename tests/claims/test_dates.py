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


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("Mar-2015 to Feb-2016", 12),
        ("12-Mar-2015 to 03-Apr-2016", 14),
        ("May 12 2020 to June 3 2021", 14),
        ("May 12th, 2020 to June 3rd, 2021", 14),
        ("MA\u0130 2015 bis JUN\u0130 2016", 14),  # as capitals are written where software is set to Turkish
        ("apr\u0131l 2015 to April 2016", 13),
        ("De 2015 \u00e0 2016", 24),
        ("from 2015 until 2016", 24),
        ("(2015 - 2016)", 24),
        ("since 2014", 137),
        ("seit 11/2024", 7),
        ("since March 2025", 3),
    ],
)
def test_a_period_has_the_months_that_a_person_counts(text: str, months: int) -> None:
    first, last = dates.period(text, "May 2025") or (0, -1)
    assert last - first + 1 == months


@pytest.mark.parametrize(
    "text",
    [
        "maart 2019 - mei 2019",  # months in a language that is not known are no whole years
        "Q1 2019 - Q2 2019",
        "2019 Q1",
        "Summer 2015",
        "March 2015 - mei 2016",
        "from 2014",  # where it ends is not said
        "2019 -",  # it may have been cut off
        "until 2015",
    ],
)
def test_what_is_read_in_part_is_no_period(text: str) -> None:
    assert dates.period(text, "May 2025") is None


def test_what_lasts_wants_the_date_that_the_present_is() -> None:
    assert dates.period("since 2014") is None


@given(st.text(alphabet="JANUARMIpril\u0130\u0131 2015-", max_size=30))
def test_no_spelling_of_a_month_is_too_much(text: str) -> None:
    """Capitals without a small letter of their own are months, too, where case is passed over."""
    dates.backwards(text)
    dates.period(text)


def test_the_word_before_a_date_is_found_in_one_pass():
    """Tried from each of its letters, it would take hours."""
    assert dates.period("a" * 1_000_000 + "_\n2019") == dates.period("2019")
