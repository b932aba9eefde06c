"""Why a completion earned what it did, and what another reward would have paid."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import reward
from proseform.checklist import replay
from proseform.checklist.explain import explain, mended
from proseform.checklist.replay import Replayed
from proseform.reward import Score
from proseform.testing import toy_task

TOY = toy_task()
ONE = TOY.gold[0]
RUBRIC = TOY.rubric()
TEXTS = st.text(alphabet="ab. \n", max_size=12)


def explained(text, rubric=RUBRIC, gold=ONE.prose):
    """The explanation of a text on the first toy case."""
    return explain(
        text, ONE, gold, rubric, "a verdict", lambda texts: [reward.score(one, ONE, TOY, rubric) for one in texts]
    )


@given(TEXTS, TEXTS)
def test_there_is_something_to_mend_exactly_where_texts_differ(text: str, gold: str) -> None:
    assert (mended(text, gold) == []) == (text == gold)


@given(TEXTS)
def test_a_single_place_mended_is_gold(gold: str) -> None:
    """A whole sentence less, which is one place, comes back as gold."""
    text = gold.partition("\n")[2]
    if len(places := mended(text, gold)) == 1:
        assert places[0][1] == gold


def test_each_term_says_what_would_lift_it_and_by_how_much() -> None:
    wrong = ONE.prose.replace(f"{ONE.answer['grams']} g,", "5 g,")
    right, form = explained(wrong).terms
    assert (right.name, right.score, right.lost) == ("right", pytest.approx(2 / 3), pytest.approx(0.6 - 0.6 * 16 / 81))
    (why,) = right.why
    assert why.startswith("'The parcel weighs 5 g, ")
    assert why.endswith("(+0.333)")
    assert (form.worth, form.lost, form.why) == (0.4, 0.0, ())


def test_what_no_single_place_lifts_says_so() -> None:
    note = f"Note: {ONE.answer['note']}."
    first = explained(f"It is light. {note} Send it.").terms[0]
    assert (first.worth, first.why) == (0.0, ("no single place lifts it",))


def test_gold_loses_nothing_and_what_cannot_be_scored_has_its_fault() -> None:
    assert [term.lost for term in explained(ONE.prose).terms] == [0.0, 0.0]
    fault = explain("x", ONE, ONE.prose, TOY.rubric(), "", lambda texts: [Score(fault="it hung")] * len(texts))
    assert (fault.reward, fault.fault, fault.terms) == (None, "it hung", ())


def test_json_is_explained_word_by_word() -> None:
    gold, grams = json.dumps(ONE.answer), ONE.answer["grams"]
    (term,) = explained(gold.replace(f"{grams},", f"{grams - 1},"), None, gold).terms
    assert (term.name, term.score, term.lost) == ("json", pytest.approx(5 / 3), pytest.approx(1 / 3))
    assert term.why == (f"'{grams - 1},' instead of '{grams},' (+0.333)",)


def rows(*groups):
    """Steps of one group of two each: (before, before, after, after)."""
    return [
        Replayed(step, 0, before, Score({"a": after}, after))
        for step, (first, second, third, fourth) in enumerate(groups, start=1)
        for before, after in ((first, third), (second, fourth))
    ]


def test_a_replay_counts_dead_groups_and_whether_both_rewards_agree() -> None:
    whole = replay.summarise(rows((0, 0, 0, 1), (0, 1, 0, 1), (0, 1, 1, 0)), 2)
    assert whole == [
        {
            "part": "steps 1 to 3", "rollouts": 6, "reward_before": pytest.approx(1 / 3), "reward_after": 0.5,
            "dead_before": pytest.approx(1 / 3), "dead_after": 0.0, "agree": 0.5, "turned": 1.0, "faulted": 0.0,
        }
    ]  # fmt: skip


def test_a_replay_shows_parts_of_a_run_in_order() -> None:
    figures = replay.summarise(rows(*[(0, 1, 0, 1)] * 8), 2)
    assert [part["part"] for part in figures] == ["steps 1 to 8", *(f"steps {n} to {n + 1}" for n in (1, 3, 5, 7))]


def test_a_replay_leaves_faults_out_and_counts_them() -> None:
    some = [Replayed(1, 0, None, Score({"a": 1.0}, 1.0)), Replayed(1, 0, 0.5, Score(fault="it hung"))]
    (part,) = replay.summarise(some, 2)
    assert (part["reward_before"], part["reward_after"], part["faulted"], part["agree"]) == (0.5, 1.0, 0.5, None)
    assert replay.terms(some) == {"a": 1.0}
