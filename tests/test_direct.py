"""Rewards of JSON that is asked for directly: what each term pays for, and what each rubric adds up to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import direct, hostile, reward, tagged
from proseform.errors import ConfigError
from proseform.testing import toy_task

TASK = toy_task()
CASE = next(iter(TASK.generate("easy", "train", 0, 1)))
DOCUMENTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3) | st.text(max_size=4), max_size=4)


def earned(text: str, name: str) -> dict[str, float]:
    """The raw terms of a completion."""
    return dict(reward.score(text, CASE, TASK, direct.RUBRICS[name]).terms)


@pytest.mark.parametrize("name", direct.RUBRICS)
def test_gold_earns_everything_and_is_wholly_right_and_prose_earns_no_content(name: str) -> None:
    rubric = direct.RUBRICS[name]
    gold = direct.gold(CASE, rubric)
    assert reward.score(gold, CASE, TASK, rubric).composite == pytest.approx(1.0)
    assert direct.wholly_right(gold, CASE, TASK, rubric)
    assert not direct.wholly_right(CASE.prose, CASE, TASK, rubric)
    assert (reward.score(CASE.prose, CASE, TASK, rubric).composite or 0.0) <= 0.1


@pytest.mark.parametrize("name", direct.RUBRICS)
def test_hostile_texts_are_scored_and_never_fault(name: str) -> None:
    rubric = direct.RUBRICS[name]
    texts = hostile.texts(direct.gold(CASE, rubric))
    scores = [reward.score(one.text, CASE, TASK, rubric) for one in texts]
    assert [score.fault for score in scores] == [""] * len(scores)
    assert all(0 <= (score.composite or 0.0) <= 1 for score in scores)


def test_additive_pays_for_form_validity_and_content_each_by_itself() -> None:
    gold = dict(CASE.answer)
    assert earned("nothing", "additive") == {"json_parses": 0.0, "json_valid": 0.0, "json_content": 0.0}
    assert earned("[]", "additive") == {"json_parses": 1.0, "json_valid": 0.0, "json_content": 0.0}
    assert earned(json.dumps(gold), "additive") == {"json_parses": 1.0, "json_valid": 1.0, "json_content": 1.0}
    beside = earned(json.dumps({**gold, "beside": 1}), "additive")
    assert (beside["json_valid"], 0 < beside["json_content"] < 1) == (0.0, True)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("<think>a</think><answer>{}</answer>", 1.0),
        ("\n<think>a\nb</think>\n<answer>\n{}\n</answer>\n", 1.0),
        ("<answer>{}</answer>", 0.0),
        ("<answer>{}</answer><think>a</think>", 0.0),
        ("<think>a</think>{}", 0.0),
        ("So: <think>a</think><answer>{}</answer>", 0.0),
        ("<think>a</think><answer>{}", 0.0),
    ],
)
def test_tags_are_paid_for_in_their_order_and_with_nothing_around_them(text: str, tags: float) -> None:
    assert earned(text, "think")["json_tags"] == tags


@given(ours=DOCUMENTS, theirs=DOCUMENTS)
def test_pairs_are_thinkjsons_formula(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Written anew from the paper: matching pairs by all keys, and the ratio of lengths, their mean in tenths."""
    keys = {*ours, *theirs}
    matching = len([key for key in keys if ours.get(key, ...) == theirs.get(key, ...)])
    first, second = sorted(len(json.dumps(one, ensure_ascii=False)) for one in (ours, theirs))
    due = round(((matching / len(keys) if keys else 1.0) + first / second) / 2, 1)
    assert tagged.pairs(json.dumps(ours), theirs) == due
    assert tagged.pairs(f"<think></think><answer>{json.dumps(ours)}</answer>", theirs) == due


@given(extra=st.integers(0, 40))
def test_length_falls_from_golds_own_to_nothing_at_twice_that(extra: int) -> None:
    gold = {"a": "word"}
    due = len(json.dumps(gold))
    assert direct.length("x" * (due + extra), gold) == pytest.approx(max(0.0, 1 - extra / due))


def test_a_rubric_that_is_none_of_jsons_is_named_with_those_that_there_are() -> None:
    assert direct.rubric("") is None
    with pytest.raises(ConfigError, match="no rubric 'plain' of JSON; there are: additive, shaped, think"):
        direct.rubric("plain")


def test_terms_of_json_are_no_terms_of_tasks() -> None:
    assert direct.term("accuracy", TASK.schema) is None
    assert not direct.reads_json(TASK.rubric())
    assert direct.reads_json(None)
