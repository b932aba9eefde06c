"""A text that stands beside another thing than the one it is said of, taken out."""

from __future__ import annotations

import pytest

from proseform.claims import astray, claims, judge
from proseform.input import Input
from proseform.schema import Schema

YEARS = {"type": "string", "x-from": "note", "x-supports": {"beside": "a/b"}}
NOTE = {"note": Input.of("a pen, 3 years\n- a map, 2 years\n- a cup")}


def taken(value, place="/rows/0/years", years=YEARS):
    """What is taken out, and the place of what it was said of."""
    schema = Schema({"properties": {"rows": {"items": {"properties": {"years": years}}}}})
    stated = claims(schema, NOTE)
    found = astray(value, place, stated, NOTE)
    if found is None:
        return None
    result, beside, put_right = found
    assert judge(result, stated, NOTE, {}).ok
    return result["rows"][0]["years"], beside, put_right.pointer, put_right.said, put_right.follows


def test_it_is_taken_out_with_the_place_of_what_it_was_said_of():
    row = {"a/b": "cup", "years": "2 years"}
    assert taken({"rows": [row]}) == ("", "/rows/0/a~1b", "/rows/0/years", "2 years", "")
    assert row["years"] == "2 years", "the value that is given stays as it is"


@pytest.mark.parametrize(
    ("row", "place", "years"),
    [
        ({"a/b": "cup", "years": "7 years"}, "/rows/0/years", YEARS),  # it stands nowhere
        ({"a/b": ["cup"], "years": "2 years"}, "/rows/0/years", YEARS),  # no text to go on behind
        ({"years": "2 years"}, "/rows/0/years", YEARS),
        ({"a/b": "cup", "years": "2 years"}, "/rows/0/years", {**YEARS, "minLength": 1}),  # it cannot be empty
        ({"a/b": "cup", "years": "2 years"}, "/rows/0/years", {**YEARS, "x-supports": {"names": "a/b"}}),
        ({"a/b": "cup", "years": "2 years"}, "/rows/0/a~1b", YEARS),
        ({"a/b": "cup", "years": ["2 years"]}, "/rows/0/years/0", {"items": YEARS}),
    ],
)
def test_where_no_rule_says_so_nothing_is_taken_out(row, place, years):
    assert taken({"rows": [row]}, place, years) is None
