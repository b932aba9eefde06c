"""What follows: each operator on values that it takes, and on those that it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.claims import claims, dates, judge
from proseform.errors import InputError
from proseform.schema import Schema

ROWS = [
    {"name": "oven", "state": "met", "kind": "must"},
    {"name": "hob", "state": "below", "kind": "must"},
    {"name": "sink", "state": "met", "kind": "may"},
]
FIELDS = {
    "rows": {"type": "array"},
    "extra": {"type": "object"},
    "numbers": {"type": "array"},
    "periods": {"type": "array"},
}


def fault(derive, value, **fields):
    """What is said against a value that should follow; empty if it does."""
    schema = Schema({"type": "object", "properties": {**FIELDS, "due": {"x-derive": derive}}})
    verdict = judge({**fields, "due": value}, claims(schema, ()), {}, {})
    assert verdict.ok or (str(verdict.reason), verdict.where) == ("inconsistent", "/due")
    return verdict.detail


@pytest.mark.parametrize(
    ("derive", "due", "fields"),
    [
        ({"count": "/rows"}, 3, {"rows": ROWS}),
        ({"count": "rows", "where": {"state": "met"}}, 2, {"rows": ROWS}),
        ({"count": "/rows", "where": {"state": ["met", "below"], "kind": "must"}}, 2, {"rows": ROWS}),
        (
            {"count": ["/rows", "/extra"], "where": {"kind": ["must", None]}},
            3,
            {"rows": ROWS, "extra": {"state": "met"}},
        ),
        ({"sum": "/numbers"}, 6.5, {"numbers": [1, 2.5, 3]}),
        ({"sum": "/rows", "take": "n"}, 3, {"rows": [{"n": 1}, {"n": 2}]}),
        ({"share": "/rows", "where": {"state": "met"}, "times": 100}, 67, {"rows": ROWS}),
        ({"share": "/rows", "where": {"state": "none"}, "times": 100}, 0, {"rows": []}),
        (
            {
                "share": "/rows",
                "where": {"state": "met"},
                "weight": {"field": "kind", "values": {"may": 1}, "else": 2},
                "times": 100,
            },
            60,
            {"rows": ROWS},
        ),
        (
            {"share": "/rows", "weight": {"field": "new", "values": {"true": 3}}, "where": {"new": True}, "times": 4},
            3,
            {"rows": [{"new": True}, {"new": False}]},
        ),
        ({"select": "/rows", "take": "name", "where": {"state": "met"}}, ["oven", "sink"], {"rows": ROWS}),
        ({"select": "/rows", "take": "size", "else": "?"}, ["?", "?", "?"], {"rows": ROWS}),
        ({"threshold": "/numbers", "steps": [[5, "high"], [2, "mid"]], "else": "low"}, "mid", {"numbers": [4]}),
        ({"threshold": "/numbers", "steps": [[5, "high"], [2, "mid"]], "else": "low"}, "high", {"numbers": [5]}),
        (
            {"reach": "months", "of": "needs", "then": "met", "else": "partly"},
            "met",
            {"months": 36, "needs": "3 years"},
        ),
        (
            {"reach": "months", "of": "needs", "then": "met", "else": "partly"},
            "partly",
            {"months": 35, "needs": "3 years"},
        ),
        ({"difference": "/periods", "unit": "months"}, 18, {"periods": ["2019-01 to 2019-12", "06/2019 - 06/2020"]}),
        ({"difference": "/periods", "unit": "years"}, 1, {"periods": ["2019-01 to 2020-06"]}),
        ({"difference": "/periods"}, 64, {"periods": ["5 years 4 months"]}),
        ({"difference": "/periods"}, 36, {"periods": ["2019-01 to 2019-12", "2 Jahre"]}),
        (
            {"difference": "/periods", "until": "/extra/date"},
            16,
            {"periods": ["2019-01 to present", "Mar 2019 to heute"], "extra": {"date": "April 2020"}},
        ),
        (
            {
                "share": "/rows",
                "where": {"state": ["met", "below"]},
                "credit": {"field": "state", "values": {"below": 0.25}},
                "times": 100,
            },
            75,
            {"rows": ROWS},
        ),
    ],
)
def test_what_follows_is_compared(derive, due, fields):
    assert fault(derive, due, **fields) == ""
    assert "does not follow" in fault(derive, [due, "more"], **fields)


@pytest.mark.parametrize(("months", "needs"), [(0, "3 years"), (9, "advanced"), (9, ""), (9, None)])
def test_nothing_follows_from_no_time_or_where_none_is_asked_for(months, needs):
    derive = {"reach": "months", "of": "needs", "then": "met", "else": "partly"}
    for said in ("met", "partly", "missing"):
        assert fault(derive, said, months=months, needs=needs) == ""


def test_a_half_is_rounded_up():
    derive = {"share": "/rows", "where": {"state": "met"}, "times": 100}
    rows = [{"state": "met"}] + [{"state": "below"}] * 7
    assert fault(derive, 13, rows=rows) == "", "12.5"


@pytest.mark.parametrize(
    ("derive", "fields", "named"),
    [
        ({"count": "/nothing"}, {}, "there is no /nothing"),
        ({"count": "nothing"}, {}, "there is no nothing"),
        ({"sum": "/rows"}, {"rows": [True]}, "no number"),
        ({"sum": "/numbers"}, {"numbers": [1.7e308, 1.7e308, 0.5]}, "too large a number"),
        ({"count": "/rows/-1"}, {"rows": [[1]]}, "there is no /rows/-1"),
        ({"threshold": "/numbers", "steps": [[1, 2]], "else": 0}, {"numbers": [1, 2]}, "of one number"),
        (
            {"reach": "needs", "of": "months", "then": 1, "else": 0},
            {"months": 3, "needs": "3 years"},
            "no number",
        ),
        ({"difference": "/periods"}, {"periods": ["since long"]}, "no period"),
        ({"difference": "/periods"}, {"periods": ["03/04/2015 to 2016"]}, "no period"),
        ({"difference": "/periods"}, {"periods": ["2015 to present"]}, "no period"),
        (
            {"difference": "/periods", "until": "/extra/date"},
            {"periods": ["2015 to present"], "extra": {"date": "soon"}},
            "no period",
        ),
    ],
)
def test_what_cannot_follow_is_no_agreement(derive, fields, named):
    assert named in fault(derive, 0, **fields)


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"x-derive": 5}, "is an object"),
        ({"x-derive": {}}, "has one of"),
        ({"x-derive": {"eval": "1+1"}}, "has one of"),
        ({"x-derive": {"count": "/a", "sum": "/a"}}, "has one of"),
        ({"x-derive": {"count": "/a", "take": "b"}}, "unknown 'take'"),
        ({"x-derive": {"count": 3}}, "names no field"),
        ({"x-derive": {"select": "/a"}}, "needs 'take'"),
        ({"x-derive": {"threshold": "/a", "steps": [[1, "a"], [2, "b"]], "else": "c"}}, "highest first"),
        ({"x-derive": {"threshold": "/a", "steps": [], "else": "c"}}, "pairs of a number"),
        ({"x-derive": {"reach": "a", "of": "b", "then": "c"}}, "needs 'else'"),
        ({"x-derive": {"reach": ["a"], "of": "b", "then": "c", "else": "d"}}, "names no field"),
        ({"x-derive": {"share": "/a", "weight": {"field": "b", "values": {"c": -1}}}}, "from 0 on"),
        ({"x-derive": {"share": "/a", "weight": 3}}, "'weight' has"),
        ({"x-derive": {"difference": "/a", "unit": "days"}}, "months or years"),
        ({"x-derive": {"count": "/a", "where": "met"}}, "'where' is an object"),
        ({"x-from": 5}, "names an input"),
        ({"x-from": []}, "names an input"),
        ({"x-from": "price"}, "there is no input 'price'"),
        ({"x-from": {"input": "letter", "most": 3}}, "unknown 'most'"),
        ({"x-from": {"input": "letter", "least": 0}}, "from 1 on"),
        ({"x-from": "letter", "x-supports": "a"}, "x-supports is an object"),
        ({"x-from": "letter", "x-supports": {"names": 3}}, "names no field"),
        ({"x-supports": {"names": "a"}}, "beside x-from"),
    ],
)
def test_a_keyword_that_is_malformed_is_refused_with_its_place(keywords, named):
    schema = Schema({"type": "object", "properties": {"due": keywords}})
    with pytest.raises(InputError, match="at /properties/due") as caught:
        claims(schema, ["letter"])
    assert named in caught.value.message


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("March 2015 to Feb 2016", 12),
        ("03/2015 - 02/2016", 12),
        ("2015-03-01 until 2016-02-28", 12),
        ("1. März 2015 bis Februar 2016", 12),
        ("mars 2015 à février 2016", 12),
        ("15.03.2015-29.02.2016", 12),
        ("2015 年 3 月 2016 年 2 月", 12),
        ("2015", 12),
        ("2015-2016", 24),
        ("from 13/03/2015 to 14/04/2015", 2),
        ("2016 to 2015", None),
        ("02/03/2015", None),
        ("2015-13", None),
        ("12015", None),
        ("2013, 2014, 2015", None),
        ("present", None),
    ],
)
def test_periods_as_people_write_them(text, months):
    period = dates.period(text)
    assert (period and dates.covered([period])) == months


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=8))
def test_months_that_overlap_count_once(spans):
    periods = [(first, first + length) for first, length in spans]
    assert dates.covered(periods) == len({month for first, last in periods for month in range(first, last + 1)})
