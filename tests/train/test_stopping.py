"""When GRPO stops before its last step."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.errors import StageError
from proseform.train.stopping import FAULTY, NEAR, Decision, StopRule, all_faulted, mostly_faulted

PERFECT, FAILED, MIXED = [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]


def decisions(steps: list[list[float | None]], window: int = 2) -> list[str]:
    """What a rule decides, step by step."""
    rule = StopRule(group_size=2, window=window)
    return [str(rule.observe(step)) for step in steps]


@pytest.mark.parametrize(
    ("steps", "last", "why"),
    [
        ([PERFECT, PERFECT], "converged", "nothing is left to learn"),
        ([FAILED, FAILED], "collapsed", "nothing can be learnt"),
        ([PERFECT, FAILED], "collapsed", "half of it fails, and always"),
        ([PERFECT], "continue", "the window is not over"),
        ([FAILED, MIXED, FAILED], "continue", "one step with signal begins the count anew"),
        ([PERFECT, MIXED, PERFECT, PERFECT], "converged", "and so does one that is counted again"),
        ([PERFECT, [1.0, 1.0 - 1e-12]], "continue", "equal means exactly equal"),
        ([[0.97, 0.97], PERFECT], "converged", "near the best, and always the same: that is no collapse"),
        ([[1.0, None], [None, 1.0]], "converged", "a faulted rollout says nothing about its group"),
        ([[None, None, 1.0, 1.0], [None, None, 1.0, 1.0]], "converged", "nor does a group of them"),
        ([[None, 0.5, 1.0, 0.5], [None, 0.5, 1.0, 0.5]], "continue", "another group carries a signal"),
    ],
)
def test_a_window_without_signal_is_convergence_or_collapse(
    steps: list[list[float | None]], last: str, why: str
) -> None:
    assert decisions(steps)[-1] == last, why


STEPS = st.lists(st.lists(st.sampled_from([0.0, 0.5, 0.97, 1.0, None]), min_size=4, max_size=4), max_size=12).map(
    lambda steps: [step if any(one is not None for one in step) else [1.0] * 4 for step in steps]
)


@given(STEPS, st.integers(1, 4), st.integers(0, 12))
def test_gone_on_from_its_state_it_decides_what_it_would_have_decided(
    steps: list[list[float | None]], window: int, cut: int
) -> None:
    whole, first, second = (StopRule(2, window) for _ in range(3))
    told = [whole.observe(step) for step in steps]
    for step in steps[:cut]:
        first.observe(step)
    second.load(json.loads(json.dumps(first.state())))
    assert second.decision == first.decision
    assert [second.observe(step) for step in steps[cut:]] == told[cut:]


@given(STEPS, st.integers(1, 4))
def test_only_a_whole_window_without_signal_stops(steps: list[list[float | None]], window: int) -> None:
    rule = StopRule(2, window)
    for number, step in enumerate(steps, start=1):
        decision = rule.observe(step)
        if decision is not Decision.CONTINUE:
            silent = steps[max(0, number - window) : number]
            assert len(silent) == window
            assert all(len({*step[at : at + 2]} - {None}) <= 1 for step in silent for at in (0, 2))
        if decision is Decision.CONVERGED:
            assert rule.mean >= NEAR - 1e-6


def test_convergence_is_told_in_a_sentence() -> None:
    rule = StopRule(2, 2)
    rule.observe(PERFECT)
    rule.observe(PERFECT)
    assert rule.sentence(31) == (
        "converged after 31 steps: for 2 steps all completions are perfect, 1.000 of 1 on average"
    )
    rule.observe([0.96, 0.96])
    assert "within each group all earn the same, 0.987 of 1 on average" in rule.sentence(32)


@pytest.mark.parametrize(
    ("rewards", "completions", "hint"),
    [
        ([0.0, 0.0, 0.0, 0.0], ["a", "b", "c", "d"], "break the form"),
        ([0.6, 0.6, 0.6, 0.6], ["a", "a", "a", "a"], "raise grpo.temperature"),
        ([0.6, 0.6, None, 0.6], ["a", "b", "c", "d"], "rubric's terms"),
    ],
)
def test_a_collapse_says_what_to_look_at(rewards: list[float | None], completions: list[str], hint: str) -> None:
    rule = StopRule(group_size=2, window=2)
    rule.observe(rewards)
    assert rule.observe(rewards) is Decision.COLLAPSED
    error = rule.collapse(rewards, completions)
    assert hint in error.hint
    assert f"for 2 steps: within each group all 2 completions earn the same, {rewards[0]:.3f} of 1" in error.message


def test_the_error_of_a_collapse_counts_completions_and_quotes_none() -> None:
    """One may begin with a person's name, and the error goes where nothing is deleted."""
    rule = StopRule(2, 1)
    rule.observe(FAILED)
    message = rule.collapse(FAILED, ["Amina Berg\nMet 3 of 4.", "Amina Berg\nMet 4 of 4."]).message
    assert message.endswith("Of the last 2, 2 are different texts.")
    assert "Amina" not in message


NUMBER = "expected a number in [0, 1]"
FAULTS = {
    "what was raised": ("KeyError('Amina Berg')", "KeyError"),
    "over several lines": ("ValueError('\\n')\nAmina", "ValueError"),
    "cut off": ("ValueError('Amina Berg has", "ValueError"),
    "pydantic's, which names no type": ("1 validation error for Amina\n  Berg", "an error that tells no type"),
    "jsonschema's, in angles": ("<ValidationError: \"'Amina' is\">", "an error that tells no type"),
    "a text in the place of a number": (f"term 'wit' gave 'Amina', {NUMBER}", "term 'wit' gave no number in [0, 1]"),
    "a list of them": (f"term 'wit' gave ['Amina'], {NUMBER}", "term 'wit' gave no number in [0, 1]"),
    "a number": (f"term 'wit' gave 1.5, {NUMBER}", f"term 'wit' gave 1.5, {NUMBER}"),
    "none": (f"term 'wit' gave None, {NUMBER}", f"term 'wit' gave None, {NUMBER}"),
    "a reward that hangs": ("the reward did not return within 30 s", "the reward did not return within 30 s"),
}


@pytest.mark.parametrize(("fault", "told"), FAULTS.values(), ids=FAULTS)
def test_the_error_of_a_broken_reward_says_what_is_at_fault_and_quotes_nothing(fault: str, told: str) -> None:
    assert all_faulted([fault]).message.endswith(f"the first fault is: {told}.")
    assert mostly_faulted(["", fault]).message.endswith(f"1 of 2, is: {told}.")


def test_a_reward_that_scores_nothing_is_a_broken_reward_and_no_collapse() -> None:
    error = all_faulted(["ZeroDivisionError('division by zero')", "other"])
    assert isinstance(error, StageError)
    assert "none of the step's completions; the first fault is: ZeroDivisionError" in error.message


def test_a_reward_that_scores_half_for_long_is_broken_and_one_bad_step_is_not() -> None:
    rule, other = StopRule(2, 99), StopRule(2, 99)
    told = []
    for step in range(FAULTY):
        rule.observe([0.0, None])
        told.append(rule.broken)
        if step == FAULTY - 2:
            other.load(json.loads(json.dumps(rule.state())))
    assert told == [False] * (FAULTY - 1) + [True]
    other.observe([0.0, 1.0])
    assert not other.broken  # gone on from its state, with a step that was scored
    rule.observe([0.0, 1.0])
    assert not rule.broken


def test_the_error_of_a_broken_reward_names_its_commonest_fault() -> None:
    error = mostly_faulted(["OSError()", "", "KeyError('a')", "KeyError('b')"])
    assert "2 of 4, is: KeyError." in str(error)
    assert "proseform rewards check" in error.hint
