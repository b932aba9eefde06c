"""``x-abstain``: an answer of the schema's own, valid with every reason that may come."""

import pytest

from proseform.claims import claims
from proseform.errors import InputError
from proseform.schema import Schema

WHY = {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 40}}


def schema(stated, **why):
    """A schema of a verdict and its reasons, with an abstaining answer."""
    return Schema(
        {
            "type": "object",
            "properties": {"verdict": {"enum": ["yes", "no", "unclear"]}, "why": {**WHY, **why}},
            "required": ["verdict"],
            "additionalProperties": False,
            "x-abstain": stated,
        }
    )


def abstaining(stated, **why):
    return claims(schema(stated, **why), ["letter", "rule"]).abstaining


def test_reasons_stand_where_the_schema_wants_them():
    stated = abstaining({"answer": {"verdict": "unclear", "why": []}, "reasons": "/why"})
    assert stated.given(["letter: too_short"]) == {"verdict": "unclear", "why": ["letter: too_short"]}
    assert stated.given([]) == {"verdict": "unclear", "why": []}, "the answer itself stays as it was"


def test_without_a_place_reasons_are_not_given():
    assert abstaining({"answer": {"verdict": "unclear"}}).given(["letter: too_short"]) == {"verdict": "unclear"}


def test_a_schema_without_it_has_none():
    assert claims(Schema({"type": "string"}), ["letter"]).abstaining is None


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (3, "is an object with 'answer'"),
        ({}, "is an object with 'answer'"),
        ({"answer": {"verdict": "unclear"}, "reason": "/why"}, "is an object with 'answer'"),
        ({"answer": {"verdict": "maybe"}}, "not valid by this schema: /verdict"),
        ({"answer": {"verdict": "unclear"}, "reasons": "/why"}, "the JSON pointer of a list"),
        ({"answer": {"verdict": "unclear", "why": []}, "reasons": 3}, "the JSON pointer of a list"),
        ({"answer": {"verdict": "unclear", "why": []}, "reasons": "/verdict"}, "the JSON pointer of a list"),
    ],
)
def test_what_is_malformed_or_not_valid_is_refused_when_it_is_read(stated, words):
    with pytest.raises(InputError, match=words):
        abstaining(stated)


@pytest.mark.parametrize("why", [{"maxItems": 7}, {"items": {"type": "string", "maxLength": 20}}, {"minItems": 1}])
def test_every_reason_that_may_come_has_to_fit(why):
    """Two inputs in four ways each: eight reasons at most, the longest of 21 characters, and none at all."""
    with pytest.raises(InputError, match="not valid by this schema: /why"):
        abstaining({"answer": {"verdict": "unclear", "why": []}, "reasons": "/why"}, **why)


def test_a_format_of_some_fields_keeps_its_part():
    whole = schema({"answer": {"verdict": "unclear", "why": []}, "reasons": "/why"})
    part = claims(whole.project(["verdict"]), ["letter"]).abstaining
    assert (part.answer, part.reasons) == ({"verdict": "unclear"}, "")
    assert claims(whole.project(["verdict", "why"]), ["letter"]).abstaining.reasons == "/why"


def test_an_answer_that_is_not_small_is_refused():
    with pytest.raises(InputError, match="the answer is larger than 16 KiB"):
        abstaining({"answer": {"verdict": "unclear", "why": ["x" * (16 << 10)]}, "reasons": "/why"})


@pytest.mark.parametrize(
    "items",
    [
        {"enum": [{"k": n} for n in range(40_000)]},
        {"enum": [n + 0.5 for n in range(40_000)]},
        {"anyOf": [{"minimum": n} for n in range(40_000)]},
        {"properties": {str(n): {} for n in range(40_000)}},
        {"items": {"$ref": "#/properties/a/items"}, "anyOf": [{"title": "t"}] * 40_000},
    ],
    ids=["objects", "floats", "branches", "properties", "recursive"],
)
def test_an_answer_that_is_much_work_to_check_is_refused_before_it_is_checked(items):
    """It is checked while other callers wait, once for each reason that may come."""
    stated = {"answer": {"a": [{"k": 39_999}] * 900, "why": []}, "reasons": "/why"}
    wide = Schema({"properties": {"a": {"items": items}, "why": WHY}, "x-abstain": stated})
    with pytest.raises(InputError, match="checking the answer takes more than 20000 comparisons"):
        claims(wide, ["letter", "rule"])
