"""What follows from the rest of a value, computed anew: it is what judging demands, and nothing else is touched."""

import copy
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import task as tasks
from proseform.claims import claims, judge, recomputed
from proseform.input import of_each
from proseform.schema import Schema, pointer

CV = tasks.load("cv")
CASES = [case for level in CV.levels for case in CV.generate(level, "valid", 5, 6)]
CIRCLE = {
    "n": {"x-derive": {"threshold": "/m", "steps": [[1, 0]], "else": 1}},
    "m": {"x-derive": {"sum": "/n"}},
}
TOP = ("strengths", "gaps", "unclear", "required", "preferred", "score", "recommendation")


def spoilt(answer, rng):
    """An answer of the CV task in which some of what follows says otherwise; and where."""
    value, places = copy.deepcopy(dict(answer)), []
    for number, row in enumerate(value["requirements"]):
        if rng.random() < 0.5:
            row["months"] = (row["months"] + rng.randint(1, 99)) % 720
            places.append(f"/requirements/{number}/months")
    for name in rng.sample(TOP, rng.randint(0, len(TOP))):
        if isinstance(value[name], list):
            value[name] = [*value[name], "Juggling"]
            places.append(f"/{name}")
        elif isinstance(value[name], dict):
            value[name]["met"] += 1
            places.append(f"/{name}/met")
        elif name == "score":
            value[name] = (value[name] + rng.randint(1, 99)) % 101
            places.append("/score")
        else:
            value[name] = {"reject": "consider", "consider": "interview", "interview": "reject"}[value[name]]
            places.append("/recommendation")
    return value, places


@given(st.randoms(use_true_random=False), st.sampled_from(CASES))
def test_whatever_is_said_of_what_follows_the_gold_answer_comes_out_and_every_fault_is_told(rng, case):
    value, places = spoilt(case.answer, random.Random(rng.random()))
    before = copy.deepcopy(value)
    result, corrections = recomputed(value, CV.claims)
    assert result == case.answer
    assert value == before, "the value that was given is left as it is"
    assert sorted(one.pointer for one in corrections) == sorted(places)
    for one in corrections:
        assert one.said == pointer.at(value, one.pointer)
        assert one.follows == pointer.at(case.answer, one.pointer)
    assert judge(result, CV.claims, of_each(case.inputs), CV.synonyms).ok


def test_a_verdict_on_time_follows_the_time_that_is_put_right():
    """Who added up 121 months where there are 70 found nine years met."""
    found = (
        (case, number)
        for case in CASES
        for number, row in enumerate(case.answer["requirements"])
        if row["verdict"] == "partly" and row["kind"] == "experience"
    )
    case, number = next(found)
    value = copy.deepcopy(dict(case.answer))
    value["requirements"][number] |= {"months": 600, "verdict": "met"}
    result, corrections = recomputed(value, CV.claims)
    assert result == case.answer
    assert {f"/requirements/{number}/months", f"/requirements/{number}/verdict"} <= {one.pointer for one in corrections}


def test_evidence_is_the_models_own_and_so_are_verdicts_that_no_time_decides():
    """A quote that is wrong stays wrong: what follows from it follows."""
    case = next(case for case in CASES if case.answer["requirements"][0]["needs"] in {"", "advanced"})
    value = copy.deepcopy(dict(case.answer))
    value["requirements"][0] |= {"quotes": ["Juggling"], "verdict": "partly"}
    result, _ = recomputed(value, CV.claims)
    assert result["requirements"] == value["requirements"]
    assert not judge(result, CV.claims, of_each(case.inputs), CV.synonyms).ok


@pytest.mark.parametrize(
    ("properties", "value"),
    [
        (CIRCLE, {"n": 0, "m": 0}),
        ({"n": {"x-derive": {"sum": "/of"}}, "m": {"x-derive": {"count": "/of"}}}, {"of": ["two"], "n": 2, "m": 5}),
        ({"n": {"x-derive": {"count": "/gone"}}}, {"n": 2}),
        ({"n": {"x-derive": {"difference": "/periods"}}}, {"periods": ["some while"], "n": 2}),
    ],
    ids=["in circles", "no number", "not there", "no period"],
)  # fmt: skip
def test_what_cannot_be_computed_is_left_as_it_is_as_a_whole(properties, value):
    result, corrections = recomputed(value, claims(Schema({"properties": properties}), []))
    assert (result, corrections) == (value, ())


def test_what_stands_within_a_place_that_is_put_right_goes_with_it():
    inner = {"items": {"x-derive": {"count": "/of"}}, "x-derive": {"select": "/of", "take": "n"}}
    stated = claims(Schema({"properties": {"all": inner}}), [])
    assert recomputed({"of": [{"n": 1}], "all": [1, 7, 7]}, stated)[0] == {"of": [{"n": 1}], "all": [1]}
