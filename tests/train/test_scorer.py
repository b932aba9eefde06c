"""The scorer: a reward that does anything at all costs its own rollout, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from proseform import reward, task
from proseform.errors import StageError
from proseform.rubric import Rubric
from proseform.train.scorer import HANGS, Rewards, Scorer
from tests.waiting import LIMITS, PATIENCE_S

GOOD = "cedar: a tree. Done."


@pytest.fixture(scope="module")
def cases(toy_task: None) -> list[str]:
    """Three cases, as lines of JSON."""
    return [case.to_json() for case in task.load("train-toy").generate("easy", "train", 0, 3)]


@pytest.fixture(scope="module")
def scorer(toy_task: None) -> Iterator[Scorer]:
    """The scorer of a task whose term does what the text asks for."""
    with Scorer("hostile-toy", task.load("hostile-toy").rubric(), limit_s=PATIENCE_S) as running:
        yield running


def test_scores_are_those_of_the_pure_function(cases: list[str]) -> None:
    """Training, the report and the laws judge by one function; the run's exponent is part of the rubric."""
    toy = task.load("train-toy")
    known = list(toy.generate("easy", "train", 0, 3))
    for rubric in (toy.rubric(), toy.rubric("", 2), None):
        texts = [known[0].prose, known[1].prose.replace(" Done.", ""), '{"word": "cedar"']
        with Scorer("train-toy", rubric, limit_s=60) as scorer:
            scores = scorer.score(texts, cases)
        assert scores == [reward.score(text, case, toy, rubric) for text, case in zip(texts, known, strict=True)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("RAISE", "RuntimeError('no idea')"),
        ("NONE", "term 'hostile' gave None, expected a number in [0, 1]"),
        ("NAN", "term 'hostile' gave nan, expected a number in [0, 1]"),
        ("MINUS", "term 'hostile' gave -1, expected a number in [0, 1]"),
        ("TWO", "term 'hostile' gave 2, expected a number in [0, 1]"),
        ("EXIT", "the reward ended its process (exit code 3)"),
        ("SYSTEM", "the reward ended its process (exit code 4)"),
    ],
)
def test_a_reward_out_of_contract_is_one_faulted_rollout(
    scorer: Scorer, cases: list[str], text: str, words: str
) -> None:
    """Those before and behind it in the batch are scored all the same."""
    before, fault, behind = scorer.score([GOOD, text, GOOD], cases)
    assert fault == reward.Score({}, None, words)
    assert (before.fault, behind.fault) == ("", "")
    assert before.terms["hostile"] == behind.terms["hostile"] == 1.0


def test_a_reward_that_hangs_is_one_faulted_rollout(toy_task: None, cases: list[str]) -> None:
    for seconds in LIMITS:  # a busy machine may not score the others within the first
        with Scorer("hostile-toy", task.load("hostile-toy").rubric(), limit_s=seconds) as scorer:
            before, fault, behind = scorer.score([GOOD, "HANG", GOOD], cases)
        assert fault == reward.Score({}, None, f"the reward did not return within {seconds:g} s")
        if not before.fault and not behind.fault:
            break
    assert (before.fault, behind.fault) == ("", "")


def test_what_a_reward_prints_is_no_answer(scorer: Scorer, cases: list[str]) -> None:
    (score,) = scorer.score(["PRINT Done."], cases[:1])
    assert score.terms["hostile"] == 1.0


def test_a_reward_that_always_hangs_is_not_tried_for_ever(toy_task: None, cases: list[str]) -> None:
    with Scorer("hostile-toy", task.load("hostile-toy").rubric(), limit_s=0.2) as scorer:
        scores = scorer.score([*["HANG"] * (HANGS + 2), GOOD], [cases[0]] * (HANGS + 3))
        assert [score.fault[:28] for score in scores] == ["the reward did not return wi"] * HANGS + [
            "not scored, since the reward"
        ] * 3


def test_any_text_travels(scorer: Scorer, cases: list[str]) -> None:
    """Line separators, control characters, half characters, a megabyte: one line of JSON each way."""
    texts = ["a\u2028b\x85c\x0bd\ne\r", "\x00\x1b", "\ud800", "x" * 1_000_000, ""]
    assert [score.fault for score in scorer.score(texts, [cases[0]] * 5)] == [""] * 5


def test_an_empty_batch_starts_nothing(cases: list[str]) -> None:
    assert Scorer("no-such-task", None, 1.0).score([], []) == []


def test_a_task_that_cannot_be_loaded_is_told_in_its_words(cases: list[str]) -> None:
    with Scorer("no-such-task", None, 1.0) as scorer, pytest.raises(StageError, match="No task 'no-such-task'"):
        scorer.score(["x"], cases[:1])


def test_the_trainers_functions_share_one_scoring_and_apply_the_powers(cases: list[str]) -> None:
    """One function a term with its weight; a fault is None in every one of them."""

    class Counted(Scorer):
        """Counts its batches."""

        batches = 0

        def score(self, completions: list[str], cases: list[str]) -> list[reward.Score]:  # type: ignore[override]
            self.batches += 1
            return [reward.Score({"a": 0.5, "b": 1.0}, 0.53), reward.Score(fault="broken")][: len(completions)]

    rubric = Rubric({"a": 0.5, "b": 0.5}, {"a": 4})
    counted = Counted("none", rubric, 1.0)
    rewards = Rewards(counted, rubric)
    columns = [f(completions=["x", "y"], case=cases[:2], prompts=[]) for f in rewards.functions]
    assert columns == [[0.0625, None], [1.0, None]]
    assert ([f.__name__ for f in rewards.functions], rewards.weights, rewards.best) == (["a", "b"], [0.5, 0.5], 1.0)
    assert counted.batches == 1
    rewards.functions[0](completions=["z", "y"], case=cases[:2])
    assert counted.batches == 2


def test_direct_json_is_one_function_up_to_two(cases: list[str]) -> None:
    with Scorer("train-toy", None, 60) as scorer:
        rewards = Rewards(scorer, None)
        answer = json.dumps(json.loads(cases[0])["answer"])
        assert rewards.functions[0](completions=[answer, "{", ""], case=[cases[0]] * 3) == [2.0, 0.1, 0.0]
    assert (rewards.functions[0].__name__, rewards.best) == ("json", 2.0)


def test_json_of_a_named_format_is_paid_by_its_own_fields() -> None:
    """A document of the whole schema is none of the format, and the other way round."""
    case = next(task.load("cv").generate("starter", "train", 0, 1))
    narrowed = case.narrowed(task.load("cv").format("nested").fields)
    brief, whole = json.dumps(narrowed.answer), json.dumps(case.answer)
    assert brief != whole
    for name, about, earned in (("nested", narrowed, [2.0, 0.1]), ("", case, [0.1, 2.0])):
        with Scorer("cv", None, 60, format_name=name) as scorer:
            assert [one.composite for one in scorer.score([brief, whole], [about.to_json()] * 2)] == earned
