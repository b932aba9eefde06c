"""Outcomes: rows say what the verifier and the rewards say, no more."""

import json

import pytest

from proseform import outcome, reward
from proseform.testing import toy_task

TASK = toy_task()
RUBRIC = TASK.rubric()
CASE = next(iter(TASK.generate("easy", "test", 0, 1)))
GOLD = dict(CASE.answer)
OTHER = "refuse" if GOLD["verdict"] == "send" else "send"


def test_gold_prose_is_right_in_everything():
    row = outcome.judged(CASE, TASK, RUBRIC, CASE.prose, variant="sft")
    assert (row["ok"], row["whole_right"], row["headline_right"]) == (True, True, True)
    assert row["reward"] == pytest.approx(1)
    assert row["fields"] == {"verdict": True, "grams": True, "note": True}
    assert (row["said"], row["gold"], row["share"]) == (GOLD["verdict"], GOLD["verdict"], 1)
    assert json.loads(json.dumps(row)) == row


def test_one_wrong_field_is_wrong_alone():
    text = CASE.prose.replace(f"Verdict: {GOLD['verdict']}", f"Verdict: {OTHER}")
    row = outcome.judged(CASE, TASK, RUBRIC, text, variant="sft")
    assert row["fields"] == {"verdict": False, "grams": True, "note": True}
    assert (row["headline_right"], row["whole_right"], row["said"]) == (False, False, OTHER)
    assert row["reward"] == pytest.approx(reward.prose(text, CASE, TASK, RUBRIC))


def test_prose_that_cannot_be_read_is_wrong_everywhere_and_says_why():
    row = outcome.judged(CASE, TASK, RUBRIC, "Nice parcel!", variant="base", mode="sampled")
    assert (row["ok"], row["reason"], row["said"], row["share"], row["reward"]) == (False, "form", None, 0, 0)
    assert not any(row["fields"].values())


def test_completeness_is_the_coverage_term_where_a_task_has_one():
    assert outcome.judged(CASE, TASK, RUBRIC, CASE.prose, variant="sft")["complete"] is None
    terms = {**TASK.terms, "coverage": lambda prose, _case: 1.0 if "Note" in prose else 0.5}
    covering = type(TASK)(**{**TASK.__dict__, "terms": terms})
    assert outcome.judged(CASE, covering, RUBRIC, CASE.prose, variant="sft")["complete"] is True
    assert outcome.judged(CASE, covering, RUBRIC, "Fine.", variant="sft")["complete"] is False


def test_an_answer_is_held_against_the_fields_of_its_format_only():
    brief = TASK.format("brief")
    said = {name: GOLD[name] for name in brief.fields}
    row = outcome.answered(CASE, TASK, brief, json.dumps(said), variant="grpo", constrained=True)
    assert (row["ok"], row["whole_right"], set(row["fields"])) == (True, True, {"verdict", "grams"})
    more = outcome.answered(CASE, TASK, brief, json.dumps(GOLD), variant="grpo", constrained=False)
    assert (more["ok"], more["reason"], more["whole_right"]) == (False, "schema", False)


@pytest.mark.parametrize(
    ("text", "ok", "exact"),
    [
        (json.dumps(GOLD), True, True),
        (json.dumps({**GOLD, "grams": 1000}), False, False),
        (json.dumps({**GOLD, "note": "x"}), True, False),
    ],
)
def test_a_formatter_is_exact_where_it_says_what_the_prose_says(text, ok, exact):
    row = outcome.formatted("a", TASK.schema, text, GOLD, of="gold", constrained=False)
    assert (row["ok"], row["exact"]) == (ok, exact)


def test_prose_that_says_nothing_readable_counts_for_validity_only():
    row = outcome.formatted("a", TASK.schema, json.dumps(GOLD), None, of="own", constrained=True)
    assert (row["ok"], row["exact"], row["share"]) == (True, None, None)


def test_the_headline_is_the_first_enum_of_the_smallest_format():
    assert outcome.headline(TASK) == "verdict"
    assert outcome.headline(type(TASK)(**{**TASK.__dict__, "formats": {"brief": ("grams", "note")}})) == ""
