"""Rubrics: weights sum to 1, exponents are at least 1, and everything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.errors import ConfigError, TaskError
from proseform.rubric import Rubric

NAN = float("nan")
REFUSED = [
    ({}, "no rubric variant 'v'; there are: none", "an empty file"),
    ({"variants": {"w": {"a": 1}}}, "no rubric variant 'v'; there are: w", "another variant; it is named"),
    ({"variants": 3}, "variants is 3, expected a table", "a number in place of variants"),
    ({"variants": {"v": 3}}, "v is 3, expected a table", "a number in place of weights"),
    ({"variants": {"v": {}}}, "sum to 0", "no terms"),
    ({"variants": {"v": {"a": 0.5, "b": 0.4}}}, "sum to 0.9, expected 1", "a weight forgotten"),
    (
        {"variants": {"v": {"a": 1.5, "b": -0.5}}},
        "variants.v.b is -0.5, expected a number above 0",
        "a penalty by weight",
    ),
    ({"variants": {"v": {"a": 1, "b": 0}}}, "variants.v.b is 0", "a term that counts for nothing"),
    ({"variants": {"v": {"a": "1"}}}, "variants.v.a is '1'", "a text"),
    ({"variants": {"v": {"a": True}}}, "variants.v.a is True", "true is not 1"),
    ({"variants": {"v": {"a": NAN}}}, "variants.v.a is nan", "TOML has nan"),
    ({"variants": {"v": {"a": 1}}, "exponents": 4}, "exponents is 4, expected a table", "one exponent for all"),
    (
        {"variants": {"v": {"a": 1}}, "exponents": {"b": 2}},
        "exponents.b names no term; there are: a",
        "an exponent of no term",
    ),
    ({"variants": {"v": {"a": 1}}, "exponents": {"a": 0.5}}, "exponents.a is 0.5", "a root would pay for guessing"),
    ({"variants": {"v": {"a": 1}}, "exponents": {"a": NAN}}, "exponents.a is nan", "nan is not below 1 either"),
    (
        {"variants": {"v": {"a": 1}}, "exponents": {"a": float("inf")}},
        "exponents.a is inf",
        "nothing but perfection would count",
    ),
    ({"variants": {"v": {"a": 1}}, "exponents": {"a": True}}, "exponents.a is True", "true is not 1"),
]


@pytest.mark.parametrize(("table", "words", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_what_is_refused_and_why(table, words, why):
    with pytest.raises(TaskError, match=r"here\.toml") as caught:
        Rubric.from_toml(table, "v", "here.toml")
    assert words in str(caught.value)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 99), min_size=1))
def test_weights_that_sum_to_one_are_taken_whatever_their_rounding(parts):
    weights = {term: part / sum(parts.values()) for term, part in parts.items()}
    rubric = Rubric.from_toml({"variants": {"v": weights}, "exponents": dict.fromkeys(weights, 2)}, "v")
    assert rubric.weights == weights


def test_exponents_of_other_variants_stay_away():
    table = {"variants": {"v": {"a": 1}, "w": {"b": 1}}, "exponents": {"b": 4}}
    assert Rubric.from_toml(table, "v").exponents == {}
    assert Rubric.from_toml(table, "w").exponents == {"b": 4}


def test_a_run_may_override_the_power_on_accuracy_where_the_rubric_has_it():
    rubric = Rubric({"accuracy": 0.5, "form": 0.5}, {"accuracy": 4, "form": 2})
    assert rubric.with_accuracy_exponent(3) == Rubric(rubric.weights, {"accuracy": 3, "form": 2})
    with pytest.raises(ConfigError, match=r"grpo.accuracy_exponent: the rubric has no term 'accuracy'; it has form"):
        Rubric({"form": 1}, {}).with_accuracy_exponent(3)
