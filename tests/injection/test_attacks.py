"""Attacks: what they are after, what they say, and where they stand; the case stays what it was."""

import random
import tomllib
from dataclasses import replace
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proseform import task, verify
from proseform.case import ATTACKED
from proseform.injection import Aim, aimed, attacks
from proseform.outcome import headline
from proseform.schema import Schema

CV = task.load("cv")
CASES = list(CV.generate("starter", "test", 3, 40))
AIM = aimed(CV.schema, headline(CV))
FAMILIES = (*attacks.families("trained"), *attacks.families("held_out"))
CHOICE = Aim(label_field="state", labels=("open", "shut"))
"""A task that knows no better and no number."""


def test_families_are_trained_or_held_out():
    assert not set(attacks.families("trained")) & set(attacks.families("held_out"))
    assert attacks.EVALUATION in attacks.families("held_out")


def test_every_trained_family_speaks_three_languages_but_for_that_of_machines():
    table = tomllib.loads((resources.files("proseform.injection") / "attacks.toml").read_text("utf-8"))
    for family, words in table["trained"].items():
        assert family == "json" or {"de_", "fr_"} <= {name[:3] for name in words}, family


@pytest.mark.parametrize("family", FAMILIES)
@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_an_attacked_case_is_the_case_with_lines_more_in_one_input(family, seed):
    rng = random.Random(seed)
    case = rng.choice(CASES)
    changed, attack = attacks.attacked(case, family, AIM, rng, CASES)
    assert (changed.prose, changed.answer, changed.facts, changed.groups) == (
        case.prose, case.answer, case.facts, case.groups,
    )  # fmt: skip
    assert changed.id == f"{case.id}{ATTACKED}{family}"
    for name, text in changed.inputs.items():
        if name != attack.input:
            assert text == case.inputs[name]
    text = changed.inputs[attack.input]
    end = attack.start + len(attack.text)
    assert text[attack.start : end] == attack.text
    assert attack.start == 0 or text[attack.start - 1] == "\n", "it begins a line"
    assert end == len(text) or text[end] == "\n", "it ends one"
    rest = [line for line in (text[: attack.start] + text[end:]).split("\n") if line]
    assert rest == [line for line in case.inputs[attack.input].split("\n") if line]
    assert "{" not in attack.text.replace('{"', ""), "every place is filled"


@pytest.mark.parametrize("family", [one for one in FAMILIES if one != attacks.EVALUATION])
def test_a_task_without_a_number_is_attacked_too(family):
    for seed in range(40):
        said = attacks.said(family, CHOICE.words({"state": "open"}), random.Random(seed))
        assert "number" not in said
        assert "{" not in said.replace('{"', "")


def test_a_family_that_cannot_say_anything_is_an_error():
    with pytest.raises(ValueError, match="no line of the family json"):
        attacks.said("json", {}, random.Random(1))


def test_gold_stays_gold_under_attack():
    """Its prose is read and grounded as before, so that it may be trained on."""
    rng = random.Random(4)
    for case in CASES:
        for family in attacks.families("trained"):
            changed, _ = attacks.attacked(case, family, AIM, rng)
            assert verify.prose(changed.prose, CV, changed.inputs).ok


def test_the_evaluation_of_another_case_has_what_the_attack_is_after():
    rng = random.Random(5)
    for case in CASES:
        _, attack = attacks.attacked(case, attacks.EVALUATION, AIM, rng, CASES)
        assert "Recommendation: interview." in attack.text
        assert case.answer["candidate"] not in attack.text


def test_the_best_is_read_from_the_schema():
    known = Aim("score", 100, "recommendation", ("interview", "consider", "reject"), ordered=True)
    assert known == AIM


def test_without_a_threshold_no_label_is_better_than_another():
    schema = Schema({"properties": {"state": {"enum": ["open", "shut", None]}, "size": {"type": "number"}}})
    aim = aimed(schema, "state")
    assert aim == Aim(label_field="state", labels=("open", "shut"))
    assert aim.words({"state": "open"}) == {"label_field": "state", "label": "shut"}
    assert aim.words({"state": "shut"}) == {"label_field": "state", "label": "open"}
    assert aimed(schema).words({"state": "open"}) == {}


@pytest.mark.parametrize(
    ("before", "after", "raised"),
    [
        ((50, "consider"), (51, "consider"), True),
        ((50, "consider"), (50, "interview"), True),
        ((50, "consider"), (49, "interview"), True),
        ((50, "consider"), (50, "consider"), False),
        ((50, "consider"), (49, "reject"), False),
        ((100, "interview"), (100, "interview"), False),
    ],
)
def test_more_of_the_number_or_a_better_label_is_a_success(before, after, raised):
    values = [dict(zip(("score", "recommendation"), one, strict=True)) for one in (before, after)]
    assert AIM.raised(*values, AIM.words(values[0])) is raised


def test_where_no_label_is_better_the_one_that_was_asked_for_is_a_success():
    words = {"label": "shut"}
    assert CHOICE.raised({"state": "open"}, {"state": "shut"}, words)
    assert not CHOICE.raised({"state": "shut"}, {"state": "shut"}, words)
    assert not CHOICE.raised({"state": "shut"}, {"state": "open"}, words)


def test_an_answer_without_the_fields_is_no_success():
    assert not AIM.raised({}, {"score": 100}, {})
    assert not AIM.raised({"score": 1}, {}, {})


def test_a_text_of_one_line_and_an_empty_one_take_an_attack():
    for text in ("one line", "", "line\n"):
        for place in attacks.PLACES:
            put, start = attacks.placed(text, "attack", place, random.Random(1))
            assert put[start:].startswith(("attack", "- attack"))
            assert replace(CASES[0], inputs={"a": put}).inputs["a"].count("attack") == 1
