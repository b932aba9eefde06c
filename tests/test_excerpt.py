"""Excerpts of long inputs: what is taken, and that the evaluator is shown the same wherever it is asked."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import config, excerpt, testing
from proseform import task as tasks
from proseform.data import splits
from proseform.data.excerpted import excerpted
from proseform.excerpt import Excerpt, Names
from proseform.infer.answer import answer
from proseform.input import Input
from proseform.suites.plans import plan
from proseform.train import grpo
from tests.suites.measured import SUBJECTS, study

NONE = Names({})
TASK = testing.toy_task()
PARCEL = "a map, 90 g\nFor Ann\n" + "\n".join(f"Line {number} of nothing" for number in range(40)) + "\nBy rule, 3 g"

SAID = {
    "evaluator": "The parcel weighs 90 g, 100 g are allowed. Note: a map. Verdict: send.",
    "formatter": '{"verdict": "send", "grams": 90, "note": "a map"}',
}


def make(within: int = 60, common: str = "", names: Names = NONE, *, dated: bool = False) -> Excerpt:
    """An excerpt by the input ``rule``."""
    return Excerpt("rule", within, frozenset(common.split()), dated, names)


def short(within: int = 60) -> tasks.Task:
    """The toy task, of whose parcels an excerpt is shown."""
    return replace(TASK, excerpts={"parcel": make(within)})


@given(text=st.text(max_size=400), other=st.text(max_size=80), within=st.integers(1, 200))
def test_an_excerpt_is_lines_of_the_text_in_its_order_and_short_enough(text: str, other: str, within: int) -> None:
    shown = make(within).of(text, other)
    if len(text) <= within:
        assert shown == text
        return
    assert len(shown) <= within
    place = 0
    for line in filter(str.strip, shown.split("\n")):
        place = text.index(line, place) + len(line)


LETTER = "Ann Lee\nCook\nKubernetes since long\nFence, 2019\nRuns K8s at night\nA road\nA very long road to town"


@pytest.mark.parametrize(
    ("made", "rule", "kept"),
    [
        (make(), "Is there a road?", ["Ann Lee", "Cook", "A very long road to town"]),
        (make(common="road"), "Is there a road?", ["Ann Lee", "Cook"]),
        (make(dated=True), "", ["Ann Lee", "Cook", "Fence, 2019"]),
        (make(names=Names({"kubernetes": ("K8s",)})), "Kubernetes?", ["Kubernetes since long", "Runs K8s at night"]),
        (make(names=Names({"kubernetes": ("K8s",)})), "kubernet", ["Ann Lee", "Cook"]),
    ],
    ids=["a shared word", "a common one", "a date", "another name", "no name"],
)
def test_lines_are_taken_for_what_they_share(made: Excerpt, rule: str, kept: list[str]) -> None:
    shown = made.of(LETTER, rule).split("\n")
    assert [line for line in shown if line in kept] == kept
    assert shown[:2] == ["Ann Lee", "Cook"]


def test_lines_that_share_most_come_first_where_there_is_no_room_for_all() -> None:
    text = "Ann\nCook\nRed hat\nRed wool hat\nRed"
    assert make(26).of(text, "a red wool hat").split("\n") == ["Ann", "Cook", "Red wool hat", "Red"]


def test_a_text_without_line_breaks_is_taken_by_sentences() -> None:
    text = " ".join(f"Sentence {number} is of nothing at all, and it is long." for number in range(200))
    shown = make(600).of(text.replace("Sentence 150 ", "A road "), "road")
    assert "A road is of nothing" in shown
    assert shown.startswith("Sentence 0 is")
    assert len(shown) <= 600
    assert all(piece in text.replace("Sentence 150 ", "A road ") for piece in shown.split("\n"))
    assert len(make(excerpt.LEAST).of("漢" * 900, "漢")) == 481


def test_rows_grpo_measurement_and_the_chain_show_the_same() -> None:
    task = short()
    case = replace(next(iter(TASK.generate("easy", "train", 0, 1))), inputs={"parcel": PARCEL, "rule": "by rule"})
    wanted = task.question(case.inputs)
    assert "Line 7 of nothing" not in wanted.text
    assert "By rule, 3 g" in wanted.text

    row = next(splits.evaluator_rows(task, [case], config.Dataset()))
    sampled = grpo.prompt(task, case, config.Grpo())
    measured = plan(replace(study(task=task), cases=(case,)), SUBJECTS[1])[0]
    engine = testing.ScriptedEngine(testing.toy_bundle(task), lambda request: SAID[request.role])
    answer(engine, task, case.inputs)
    asked = [
        sampled,
        task.evaluator.render(measured.values),
        engine.requests[0].prompt,
    ]
    assert [row["prompt"], *(one.to_json() for one in asked)] == [wanted.to_json()] * 4


def test_quotes_are_looked_up_in_the_whole_text_and_the_answer_says_what_was_shown() -> None:
    parcel = PARCEL.replace("a map, ", "").replace("Line 7 of nothing", "a map")
    engine = testing.ScriptedEngine(testing.toy_bundle(short()), lambda request: SAID[request.role])
    given_back = answer(engine, short(), {"parcel": parcel, "rule": "by rule"})
    assert "a map" not in engine.requests[0].prompt.text
    assert given_back.prose_verdict.ok
    (finding,) = given_back.findings["parcel"]
    assert (finding.kind, finding.message) == (
        "excerpt",
        f"The evaluator was shown an excerpt, 25 of its {len(parcel):,} characters: what bears on the case.",
    )
    assert not given_back.findings["rule"]


def test_nothing_is_said_of_an_input_that_is_shown_whole() -> None:
    given_whole = Input.of("a map\x00, 90 g")
    assert excerpt.noticed(given_whole, given_whole.text) is given_whole


def test_recall_counts_the_quotes_that_stand_in_excerpts() -> None:
    rng, cases = random.Random(0), []
    for case in TASK.generate("easy", "train", 0, 30):
        filler = "\n".join(["nothing"] * 20)
        place = rng.randrange(2)  # the first lines are always shown, the last ones never: the rule shares no word
        parcel = f"{case.inputs['parcel']}\n{filler}" if place else f"x\ny\n{filler}\n{case.inputs['parcel']}"
        cases.append(replace(case, inputs={"parcel": parcel, "rule": "zzz"}))
    (kept,) = excerpted(short(), cases)
    first = sum(not case.inputs["parcel"].startswith("x\n") for case in cases)
    assert (kept.cases, kept.whole) == (30, first)
    assert 0 < kept.found < kept.quotes
    assert kept.after <= 60 * 30 < kept.before
    assert excerpted(TASK, cases) == ()
    assert [one.cases for one in excerpted(short(10_000), cases)] == [0]


def test_the_cv_task_keeps_nearly_all_evidence_in_a_quarter_of_the_text() -> None:
    cv = tasks.load("cv")
    (kept,) = excerpted(cv, cv.generate("sent", "valid", 3, 60))
    assert kept.cases > 40
    assert kept.after < kept.before / 3
    assert kept.found >= 0.98 * kept.quotes
    assert excerpted(cv, cv.generate("real", "valid", 3, 20))[0].cases == 0
