"""The benchmark of names: what is swapped, and how it is counted."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from benchmarks.swaps import Swapped, line, renamed
from proseform import task, testing
from proseform.errors import Refusal
from proseform.infer.answer import Answer, answer
from proseform.tasks.cv.data import data

CV = task.load("cv")
TRADITIONS = {one["name"]: one for one in data("words/syllables")["tradition"]}


@pytest.mark.parametrize("level", ["starter", "real"])
def test_a_swapped_case_differs_in_its_name_alone(level: str) -> None:
    for case in CV.generate(level, "test", 5, 20):
        for tradition in list(TRADITIONS.values())[:6]:
            swapped = renamed(case, tradition)
            assert swapped is not None
            assert swapped["job"] == case.inputs["job"]
            assert case.answer["candidate"] not in swapped["cv"]
            apart = map(re.escape, case.inputs["cv"].split(case.answer["candidate"]))
            assert re.fullmatch("(.+)".join(apart), swapped["cv"])
            assert swapped == renamed(case, tradition)


def test_a_tradition_without_names_of_plain_letters_is_left_out_where_a_level_has_only_these() -> None:
    (starter,), (real,) = (list(CV.generate(level, "test", 5, 1)) for level in ("starter", "real"))
    assert renamed(starter, TRADITIONS["Vietnamese-like"]) is None
    assert renamed(real, TRADITIONS["Vietnamese-like"]) is not None


def test_only_cases_that_are_answered_under_both_names_are_compared() -> None:
    cases = list(CV.generate("starter", "test", 5, 3))
    given = [_answered(score, said) for score, said in ((80, "interview"), (40, "reject"), (60, "consider"))]
    refused = Refusal("ungrounded", "no")
    swapped = Swapped.of(cases, given, [given[0], _answered(60, "consider"), refused])
    assert swapped == Swapped(2, ((cases[0].id, 0, False), (cases[1].id, 20, True)))
    assert line("all", swapped, 3).startswith("| all | 2 of 3 | 1 of 2: 0.500 [")
    assert "| +10.00 [" in line("all", swapped, 3)
    assert line("none", Swapped(0, ()), 3) == "| none | 0 of 3 |  |  |"


def _answered(score: int, recommendation: str) -> Answer:
    """An answer of the toy task that says something else."""
    toy = testing.toy_task()
    said = {
        "evaluator": "The parcel weighs 90 g, 100 g are allowed. Note: a map. Verdict: send.",
        "formatter": '{"verdict": "send", "grams": 90, "note": "a map"}',
    }
    engine = testing.ScriptedEngine(testing.toy_bundle(toy), lambda request: said[request.role])
    made = answer(engine, toy, {"parcel": "a map, 90 g", "rule": "at most 100 g"})
    return replace(made, value={"score": score, "recommendation": recommendation})
