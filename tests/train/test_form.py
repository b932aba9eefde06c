"""Credit for form by the batch: what it can pay, and what it cannot."""

import json
from statistics import pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import config, direct, reward
from proseform.reward import Score
from proseform.testing import toy_task
from proseform.train.methods import Methods
from proseform.train.methods.drawn import Sample
from proseform.train.methods.form import Form

RUBRIC = direct.RUBRICS["additive"]
CASE = next(toy_task().generate("easy", "train", 0, 1))
WEIGHTS = st.floats(0.01, 1.0)
SCORES = st.builds(
    lambda parses, valid, content: scored(parses, valid and parses, content * parses),
    st.integers(0, 1), st.integers(0, 1), st.integers(0, 4).map(lambda one: one / 4),
) | st.just(Score(fault="raised"))  # fmt: skip
BATCHES = st.lists(SCORES, min_size=1, max_size=12)


def scored(parses: float, valid: float, content: float) -> Score:
    """A score by the additive rubric."""
    terms = {"json_parses": float(parses), "json_valid": float(valid), "json_content": float(content)}
    return Score(terms, reward.composite(terms, RUBRIC))


def paid(batch, weight=0.5):
    """What a batch earns that a step samples first."""
    form = Form(config.Form(weight=weight), RUBRIC)
    form.begin(batch)
    return [form.paid(one) for one in batch]


@given(BATCHES, WEIGHTS)
def test_what_is_paid_is_content_less_what_hangs_on_form(batch, weight):
    for one, got in zip(batch, paid(batch, weight), strict=True):
        assert (got.fault, got.terms) == (one.fault, one.terms)
        if one.fault:
            assert got.composite is None
        else:
            content = one.terms["json_content"]
            assert content * (1 - weight) - 1e-12 <= got.composite <= content


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), WEIGHTS)
def test_form_is_worth_nothing_once_all_are_in_form(contents, weight):
    batch = [scored(1, 1, content / 4) for content in contents]
    assert [one.composite for one in paid(batch, weight)] == [content / 4 for content in contents]


@given(BATCHES, WEIGHTS)
def test_form_without_content_earns_nothing_whatever_the_batch(batch, weight):
    """The credit that all failing completions can earn is none: their groups stay dead, and move nothing."""
    got = paid([*batch, scored(1, 1, 0), scored(1, 0, 0), scored(0, 0, 0)], weight)
    assert [one.composite for one in got[-3:]] == [0.0, 0.0, 0.0]
    assert (
        reward.composite(scored(1, 0, 0).terms, RUBRIC) > 0
    )  # as a constant it is paid, and counts as much as success


@given(BATCHES, WEIGHTS, st.randoms())
def test_the_order_of_the_batch_does_not_matter(batch, weight, rng):
    order = rng.sample(range(len(batch)), len(batch))
    shuffled = paid([batch[at] for at in order], weight)
    for at, got in zip(order, shuffled, strict=True):
        assert got.composite == pytest.approx(paid(batch, weight)[at].composite, abs=1e-12)


@given(BATCHES, st.integers(1, 4), WEIGHTS)
def test_the_more_are_in_form_the_less_is_form_worth(batch, quarters, weight):
    """The gap between two completions of the same content, one of which is out of form."""
    pair = [scored(1, 1, quarters / 4), scored(1, 0, quarters / 4)]

    def gap(more):
        inside, outside = paid([*pair, *batch, *more], weight)[:2]
        return inside.composite - outside.composite

    better = gap([scored(1, 1, 0)] * 5)
    assert 0 < better <= gap([]) + 1e-12


def test_a_group_in_which_only_form_differs_teaches_less_and_less():
    """Under scaling by group a constant credit weighs the same however small it is; this one leaves with compliance."""
    pair = [scored(1, 1, 0.5), scored(1, 0, 0.5)]
    spreads = [
        pstdev(one.composite for one in paid([*pair, *[scored(1, 1, 0.5)] * more])[:2]) for more in (0, 8, 80, 800)
    ]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < spreads[0] / 100


@pytest.mark.parametrize("rubric", ["additive", "think"])
def test_gold_is_paid_in_full_whatever_the_batch(rubric):
    task, chosen = toy_task(), direct.RUBRICS[rubric]
    form = Form(config.Form(weight=1.0), chosen)
    form.begin([reward.score("no JSON", CASE, task, chosen)])
    assert form.compliance == 0.0
    assert form.paid(reward.score(direct.gold(CASE, chosen), CASE, task, chosen)).composite == 1.0
    loose = json.dumps({**CASE.answer, "more": 1})  # right, and out of form
    assert form.paid(reward.score(loose, CASE, task, chosen)).composite < 0.5


def test_all_of_a_step_is_paid_by_what_it_sampled_first():
    """So that the rounds of one prompt, and gold, can be compared."""
    knobs = config.Grpo(reward="json", rubric="additive", signal=config.Signal(form=config.Form(), gold=config.Gold()))
    gold = scored(1, 0, 1)
    methods = Methods(knobs, None, 1.0, lambda cases: [Sample("x", (1,), gold), None], RUBRIC)
    first = methods.paid([scored(1, 1, 1), scored(0, 0, 0)], first=True)
    again = methods.paid([scored(1, 0, 1)] * 3, first=False)
    assert first[0].composite == 1.0
    assert len({one.composite for one in again}) == 1
    written, none = methods._golden([CASE, CASE])
    assert none is None
    assert written.score.composite == again[0].composite
    other = methods.paid([scored(1, 0, 1)], first=True)
    assert other[0].composite != again[0].composite
    assert methods.state() == {}
