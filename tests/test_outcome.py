"""Outcomes: records say what the verifier and the rewards say, no more, and travel as JSON."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import outcome, reward
from proseform.errors import RowError
from proseform.outcome import Outcome
from proseform.testing import toy_task

TASK = toy_task()
RUBRIC = TASK.rubric()
CASE = next(iter(TASK.generate("easy", "test", 0, 1)))
GOLD = dict(CASE.answer)
OTHER = "refuse" if GOLD["verdict"] == "send" else "send"
WORDS = st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3)
SCORES = st.dictionaries(st.text(max_size=8), st.none() | st.floats(0, 1), max_size=3)
OUTCOMES = st.builds(
    Outcome,
    *[st.text(max_size=8)] * 6,
    sample=st.integers(0, 99),
    texts=WORDS,
    verdicts=WORDS,
    scores=SCORES,
    seconds=st.floats(0, 1e6),
    tokens=st.integers(0, 10**9),
)


def judged(text, task=TASK):
    record = Outcome("evaluations", "sft", "greedy", CASE.id, CASE.level, texts={"text": text})
    return outcome.judged_prose(record, CASE, task, RUBRIC)


def answered(text, schema=TASK.schema, gold=GOLD, head="verdict"):
    return outcome.judged_json(Outcome("answers", "grpo", "free", CASE.id, texts={"text": text}), schema, gold, head)


def fields(record):
    prefix = outcome.FIELD
    return {name.removeprefix(prefix): good for name, good in record.scores.items() if name.startswith(prefix)}


def test_gold_prose_is_right_in_everything():
    record = judged(CASE.prose)
    assert [record.scores[name] for name in ("ok", "share", "whole_right", "headline_right")] == [1, 1, 1, 1]
    assert record.scores["reward"] == pytest.approx(1)
    assert fields(record) == {"verdict": 1, "grams": 1, "note": 1}
    assert record.verdicts == {"verifier": "verified", "reason": "", "label": GOLD["verdict"], "gold": GOLD["verdict"]}


def test_one_wrong_field_is_wrong_alone():
    text = CASE.prose.replace(f"Verdict: {GOLD['verdict']}", f"Verdict: {OTHER}")
    record = judged(text)
    assert fields(record) == {"verdict": 0, "grams": 1, "note": 1}
    assert (record.scores["headline_right"], record.scores["whole_right"], record.verdicts["label"]) == (0, 0, OTHER)
    assert record.scores["reward"] == pytest.approx(reward.prose(text, CASE, TASK, RUBRIC))


def test_prose_that_cannot_be_read_is_wrong_everywhere_and_says_why():
    record = judged("Nice parcel!")
    assert (record.verdicts["reason"], record.verdicts["label"]) == ("form", "")
    assert (record.scores["ok"], record.scores["share"], record.scores["reward"]) == (0, 0, 0)
    assert not any(fields(record).values())


def test_completeness_is_the_coverage_term_where_a_task_has_one():
    assert judged(CASE.prose).scores["complete"] is None
    terms = {**TASK.terms, "coverage": lambda prose, _case: 1.0 if "Note" in prose else 0.5}
    covering = replace(TASK, terms=terms)
    assert judged(CASE.prose, covering).scores["complete"] == 1
    assert judged("Fine.", covering).scores["complete"] == 0


def test_a_reward_out_of_contract_scores_nothing_and_says_so():
    broken = replace(TASK, terms={**TASK.terms, "right": lambda _prose, _case: -1})
    record = judged(CASE.prose, broken)
    assert record.scores["reward"] == 0
    assert "term 'right'" in record.verdicts["fault"]


def test_an_answer_is_held_against_the_fields_of_its_format_only():
    brief = TASK.format("brief")
    record = answered(json.dumps({name: GOLD[name] for name in brief.fields}), brief)
    assert (record.scores["ok"], record.scores["whole_right"], set(fields(record))) == (1, 1, {"verdict", "grams"})
    more = answered(json.dumps(GOLD), brief)
    assert (more.scores["ok"], more.verdicts["reason"], more.scores["whole_right"]) == (0, "schema", 0)


def test_prose_that_says_nothing_readable_counts_for_validity_only():
    record = answered(json.dumps(GOLD), gold=None)
    assert record.scores.pop("ok") == 1
    assert {*record.scores.values()} == {None}


def test_why_the_engine_refused_is_the_reason():
    record = Outcome("evaluations", "sft", "greedy", CASE.id, texts={"text": ""}, verdicts={"engine": "too_long"})
    assert outcome.judged_prose(record, CASE, TASK, RUBRIC).verdicts["reason"] == "too_long"


def test_judging_twice_is_judging_once():
    once = judged("Nice parcel!")
    assert outcome.judged_prose(once, CASE, TASK, RUBRIC) == once


def test_the_headline_is_the_first_enum_of_the_smallest_format():
    assert outcome.headline(TASK) == "verdict"
    assert outcome.headline(replace(TASK, formats={"brief": ("grams", "note")})) == ""


@given(OUTCOMES)
def test_a_record_comes_back_from_json(record):
    line = record.to_json()
    assert line.isascii()
    assert "\n" not in line
    assert Outcome.from_json(line) == record


@pytest.mark.parametrize(
    "line",
    ["", "[]", "{}", '{"suite": "a"}', '{"suite": "a", "subject": "b", "decoding": "c", "case": "d", "mood": 1}'],
    ids=["empty", "a list", "nothing", "half", "an unknown field"],
)
def test_what_is_no_record_is_refused_with_its_place(line):
    with pytest.raises(RowError, match="line 7: not a record"):
        Outcome.from_json(line, "records, line 7")


@given(st.text(min_size=1, alphabet="secret "))
def test_a_sealed_record_holds_nobodys_words(words):
    text = f"The CV says {words}!"
    sealed = judged(text).sealed()
    assert text not in sealed.to_json()
    assert all(value.startswith("sha256:") for value in sealed.texts.values())
    assert sealed.verdicts["verifier"] == sealed.verdicts["reason"] == "form"
    assert sealed.scores == judged(text).scores
