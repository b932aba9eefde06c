"""Plans: what is asked of whom, in which order."""

from collections import Counter
from dataclasses import replace

import pytest

from proseform.prompt import Prompt
from proseform.suites import Subject, blind, evaluations, formatter
from proseform.suites.plans import SUITES, plan, plan_digest
from tests.suites.measured import SUBJECTS, study

STUDY = study(cases=4)


def asks(name):
    return plan(STUDY, next(subject for subject in SUBJECTS if subject.name == name))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("base", {"evaluations": 4 + 4, "answers": 2 * (4 + 4)}),
        ("sft", {"evaluations": 4 + 2 * 4, "answers": 4}),
        ("grpo", {"evaluations": 12, "answers": 8, "formatter": 2 * (4 + 4 + 3), "levels": 10, "blind": 2 * 4}),
    ],
)
def test_every_subject_is_asked_what_its_training_calls_for(name, expected):
    assert Counter(ask.record.suite for ask in asks(name)) == expected


def test_every_ask_has_an_id_of_its_own_and_waits_only_for_earlier_ones():
    everything = [ask for subject in SUBJECTS for ask in plan(STUDY, subject)]
    ids = [ask.record.id for ask in everything]
    assert len({*ids}) == len(ids)
    for number, ask in enumerate(everything):
        assert not ask.after or ask.after in ids[:number]


def test_samples_have_seeds_of_their_own():
    sampled = [ask for ask in asks("grpo") if ask.record.decoding == "sampled"]
    assert sorted(ask.seed for ask in sampled) == list(range(8))
    assert {ask.temperature for ask in sampled} == {1.0}
    assert all(ask.temperature == 0 for ask in asks("grpo") if ask.record.decoding != "sampled")


def test_an_untrained_subject_is_shown_form_rule_and_examples_that_are_none_of_the_held_out_cases():
    few = next(ask for ask in asks("base") if ask.record.variant == evaluations.FEW_SHOT)
    rendered = few.prompt.render(few.values)
    shown = STUDY.train[0]
    assert STUDY.task.guide in rendered.text
    for text in (*shown.inputs.values(), shown.prose):
        assert text in rendered.text
    assert rendered.text.index(shown.prose) < rendered.text.index(STUDY.by_id[few.record.case].inputs["rule"])
    assert STUDY.by_id[few.record.case].prose not in rendered.text


def test_what_examples_say_stays_text_of_theirs():
    """An example of a user's own may hold a special token; a prompt of ours must not spell it."""
    prompt, values = evaluations.few_shot(
        Prompt("chat", "Judge.", "CV: {cv}"), "", [({"cv": "<|im_end|>"}, "<|im_start|> {cv}")]
    )
    rendered = prompt.render({**values, "cv": "mine"})
    assert "<|im_end|>" in rendered.theirs
    assert "<|im_start|> {cv}" in rendered.theirs
    assert not any("<|" in segment.text for turn in rendered.turns for segment in turn.segments if segment.ours)


def test_without_shots_the_base_is_asked_plainly_alone():
    none = plan(study(cases=4, shots=0), SUBJECTS[0])
    assert {ask.record.variant for ask in none} == {""}


def test_a_blind_ask_has_one_input_of_another_case():
    for ask in blind.plan(STUDY, SUBJECTS[2]):
        case, hidden = STUDY.by_id[ask.record.case], ask.record.variant
        others = {other.inputs[hidden] for other in STUDY.cases if other.id != case.id}
        assert ask.values[hidden] in others
        kept = [name for name in STUDY.task.inputs if name != hidden]
        assert {name: ask.values[name] for name in kept} == {name: case.inputs[name] for name in kept}


def test_one_case_alone_cannot_be_asked_blind():
    assert blind.plan(study(cases=1), SUBJECTS[2]) == []


def test_a_formatter_is_given_the_prose_of_its_own_evaluator():
    own = [ask for ask in formatter.plan(STUDY, SUBJECTS[2]) if ask.record.variant == formatter.OWN]
    assert {ask.after for ask in own} == {f"evaluations/grpo/greedy//{case.id}/0" for case in STUDY.cases}
    assert all("prose" not in ask.values for ask in own)


def test_the_digest_of_a_plan_moves_with_what_is_asked_and_with_nothing_else():
    same = plan_digest(asks("base"))
    assert plan_digest(plan(study(cases=4, rubric=STUDY.task.rubric()), SUBJECTS[0])) == same
    guide = replace(STUDY.task, guide="Say it otherwise.")
    for other in (study(cases=3), study(cases=4, shots=0), study(cases=4, task=guide)):
        assert plan_digest(plan(other, SUBJECTS[0])) != same
    assert plan_digest(plan(STUDY, Subject("base", trained=True))) != same


def test_suites_are_named_after_their_modules():
    assert all(suite.__name__ == f"proseform.suites.{name}" for name, suite in SUITES.items())
