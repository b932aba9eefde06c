"""Rewards: bounds, order, and what they pay for."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import reward
from proseform.rubric import Rubric
from proseform.schema import Schema
from proseform.testing import toy_task

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
SHARES = st.floats(0, 1)
ANY = Schema({})


def equal(left, right):
    """Equality of JSON: 1 and 1.0 are the same number, 1 and true are not."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right and isinstance(left, bool) == isinstance(right, bool)


@given(VALUES, VALUES)
def test_content_share_is_symmetric_bounded_and_full_exactly_for_equal_values(left, right):
    share = reward.content_share(left, right)
    assert 0 <= share <= 1
    assert share == reward.content_share(right, left)
    assert (share == 1) == equal(left, right)


@given(VALUES)
def test_content_share_of_a_value_with_itself_is_full(value):
    assert reward.content_share(value, json.loads(json.dumps(value))) == 1


@pytest.mark.parametrize(
    ("left", "right", "share", "why"),
    [
        ({"a": 1}, {"a": True}, 0, "1 is not true"),
        ({"a": 0}, {"a": False}, 0, "nor is 0 false"),
        ({"a": 1}, {"a": 1.0}, 1, "one number, written twice"),
        ({"a": []}, {"a": {}}, 0, "an empty list is no empty object"),
        ({"a": []}, {"a": [1]}, 0, "nothing is not something"),
        ({}, {"a": 1}, 0, "an empty object against a full one"),
        (["x", "y"], ["y", "x"], 0, "lists are in order"),
        (["x", "y"], ["x"], 0.5, "an item too many counts against"),
        ({"0": "x"}, ["x"], 0, "a key is no index"),
        ({"a": {"b": 1}}, {"a": 1}, 0, "depth matters"),
        (None, None, 1, "null is a value"),
    ],
)
def test_content_share_of_the_confusable(left, right, share, why):
    assert reward.content_share(left, right) == share, why


@given(VALUES, VALUES)
def test_a_valid_document_always_earns_more_than_an_invalid_one(value, gold):
    """The gate: the worst document that the verifier takes is worth ten attempts."""
    valid = reward.gated_json(json.dumps(value), gold, ANY)
    assert 1 <= valid <= 2
    assert reward.gated_json("{" + json.dumps(value), gold, ANY) == reward.ATTEMPTED < valid


@given(st.text(alphabet=st.characters(exclude_characters='{}[]"0123456789tfn'), max_size=30))
def test_text_that_opens_no_brace_earns_nothing(text):
    assert reward.gated_json(text, {"a": 1}, ANY) == 0


@given(SHARES, SHARES, st.floats(1, 6))
def test_powers_keep_the_order_and_the_ends(low, high, exponent):
    low, high = sorted((low, high))
    assert 0 <= reward.powered(low, exponent) <= reward.powered(high, exponent) <= 1
    assert reward.powered(low, exponent) <= low
    assert reward.powered(0, exponent) == 0
    assert reward.powered(1, exponent) == 1


def test_the_founding_examples_are_the_third_power_and_the_default_is_the_fourth():
    assert [round(reward.powered(share, 3), 3) for share in (0.5, 0.8)] == [0.125, 0.512]
    assert [round(reward.powered(share, 4), 4) for share in (0.5, 0.8)] == [0.0625, 0.4096]


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 20), min_size=1), st.data())
def test_the_composite_is_bounded_and_never_falls_when_a_term_rises(parts, data):
    rubric = Rubric(
        {term: part / sum(parts.values()) for term, part in parts.items()}, {"a": 4} if "a" in parts else {}
    )
    scores = {term: data.draw(SHARES) for term in parts}
    term = data.draw(st.sampled_from(sorted(parts)))
    better = {**scores, term: data.draw(st.floats(scores[term], 1))}
    assert -1e-12 <= reward.composite(scores, rubric) <= reward.composite(better, rubric) + 1e-12 <= 1 + 1e-9


def test_a_term_that_is_missing_is_an_error_and_not_a_zero():
    with pytest.raises(KeyError):
        reward.composite({"a": 1}, Rubric({"a": 0.5, "b": 0.5}, {}))


def test_gold_prose_earns_everything_and_foreign_text_nothing():
    task = toy_task()
    for case in task.generate("easy", "test", 3, 5):
        assert reward.prose(case.prose, case, task, task.rubric()) == pytest.approx(1)
        assert reward.prose("Lorem ipsum.", case, task, task.rubric()) == 0


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=6), st.integers(2, 5))
def test_groups_of_equals_are_silent_and_others_are_not(rewards, size):
    silent = [value for value in rewards for _ in range(size)]
    assert reward.zero_variance_share(silent, size) == 1
    speaking = [*silent, *[0.0] * (size - 1), 1e-9]
    assert reward.zero_variance_share(speaking, size) == pytest.approx(len(rewards) / (len(rewards) + 1))


@pytest.mark.parametrize(("rewards", "size"), [([], 2), ([1, 2, 3], 2), ([1], 0), ([1, 1], -1)])
def test_rewards_that_do_not_divide_into_groups_are_an_error(rewards, size):
    with pytest.raises(ValueError, match="do not divide"):
        reward.zero_variance_share(rewards, size)


@pytest.mark.parametrize("value", [None, "1", float("nan"), float("inf"), -0.1, 1.1, -1, 2, [1], 1j], ids=repr)
def test_what_is_no_score_is_refused_and_never_powered(value):
    """-1 to the fourth power is 1: a penalty must not earn full marks."""
    for judge in (reward.in_range, lambda score: reward.powered(score, 4)):
        with pytest.raises(ValueError, match="expected a number in"):
            judge(value)
    with pytest.raises(ValueError, match="expected a number in"):
        reward.composite({"a": value}, Rubric({"a": 1}, {"a": 4}))


@pytest.mark.parametrize("value", [0, 1, True, 0.5, Fraction(1, 3), 1 + 1e-12, -1e-12])
def test_what_is_a_score_but_for_rounding_is_taken(value):
    assert 0 <= reward.in_range(value) <= 1
    assert reward.in_range(value) == pytest.approx(float(value), abs=1e-9)


def _scored(**terms):
    """The score of a text under terms of one's own."""
    task = toy_task()
    return reward.score("text", task.gold[0], replace(task, terms={**task.terms, **terms}), task.rubric())


@pytest.mark.parametrize(
    ("term", "words"),
    [
        (lambda _text, _case: None, "term 'right' gave None, expected a number in [0, 1]"),
        (lambda _text, _case: -1, "term 'right' gave -1, expected a number in [0, 1]"),
        (lambda _text, _case: float("nan"), "term 'right' gave nan, expected a number in [0, 1]"),
        (lambda _text, _case: 1 / 0, "ZeroDivisionError('division by zero')"),
    ],
)
def test_a_reward_out_of_contract_is_a_fault_with_words_and_not_a_score(term, words):
    assert _scored(right=term) == reward.Score({}, None, words)


def test_a_score_holds_raw_terms_and_the_composite_that_the_runs_exponent_gives():
    task = toy_task()
    terms = {"right": lambda _text, _case: 0.5, "form": lambda _text, _case: 1.0}
    task = replace(task, terms=terms)
    assert reward.score("", task.gold[0], task, task.rubric()) == reward.Score({"right": 0.5, "form": 1.0}, 0.4375)
    assert reward.score("", task.gold[0], task, Rubric({"right": 1}, {"right": 2})).composite == 0.25
    assert reward.score('{"verdict": ', task.gold[0], task, None) == reward.Score({"json": 0.1}, 0.1)
