"""What signal GRPO would have: sampled as GRPO samples, and advised on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from proseform import config, digest, task, testing
from proseform.errors import RowError, StoreError
from proseform.launch import Job
from proseform.reward import Score
from proseform.train import preview, signal
from proseform.train.preview import Source
from proseform.train.signal import Advice, Group, Signal

MakeJob = Callable[..., Job]


def groups(*rewards: Sequence[float | None], alike: bool = False) -> list[Group]:
    """Groups by what their completions earn; None is a fault."""
    return [
        Group(
            ["same" if alike else str(place) for place in range(len(one))],
            [Score(fault="it hung") if value is None else Score({"a": value}, value) for value in one],
        )
        for one in rewards
    ]


def found(*rewards: Sequence[float | None], alike: bool = False) -> Signal:
    """The figures of groups."""
    return signal.signal(groups(*rewards, alike=alike), 1.0, entropy=0.1, tokens=9.0, cut=0.0)


DEAD = [0.5] * 4
ADVICE = [
    ([[0, 1, 0, 1]] * 2, False, Advice.TRAIN, "100% of the groups are mixed, so that most", "all are mixed"),
    ([[0, 1, 0, 1], DEAD], False, Advice.TRAIN, "50% of the groups are mixed, so that most", "just enough are"),
    ([[0.9, 1, 1, 1], [1] * 4, [1] * 4], False, Advice.HARDER, "0.99 of 1 is earned already", "it is learnt"),
    ([[0.1] * 4] * 3, False, Advice.SFT, "and 0.10 of 1 is earned: a policy that hardly ever", "it never succeeds"),
    ([DEAD] * 3, True, Advice.TEMPERATURE, "only 25% of a group's completions differ", "copies"),
    ([[0, 1, 0, 1], DEAD, DEAD], False, Advice.TRAIN, "67% of the sampled tokens teach nothing", "few are mixed"),
    ([DEAD] * 20, False, Advice.REWARD, "which term hides them", "they differ and earn the same"),
    ([[None, 1, 0, 1]] * 3, False, Advice.REWARD, "25% of the completions cannot be scored", "faults"),
]


@pytest.mark.parametrize(
    ("rewards", "alike", "due", "words"), [row[:4] for row in ADVICE], ids=[row[4] for row in ADVICE]
)
def test_each_state_of_a_policy_has_its_advice_with_a_reason(
    rewards: list[list[float | None]], alike: bool, due: Advice, words: str
) -> None:
    advice, why = signal.advice(found(*rewards, alike=alike))
    assert (advice, words in why) == (due, True), why


def test_figures_are_counted_group_by_group_and_faults_are_left_out() -> None:
    figures = found([0, 0], [1, 1], [0, 1], [None, 1])
    assert (figures.mixed, figures.all_zero, figures.all_best) == (0.25, 0.25, 0.5)
    assert figures.reward == pytest.approx(4 / 7)
    assert figures.terms == {"a": pytest.approx(4 / 7)}
    assert (figures.faulted, figures.spread, figures.distinct) == (1 / 8, 0.125, 1.0)


def test_nothing_that_can_be_scored_is_advised_on_all_the_same() -> None:
    assert signal.advice(found([None, None]))[0] is Advice.REWARD


def test_a_model_is_asked_as_grpo_asks(make_job: MakeJob, tiny_base: Path) -> None:
    """A warmer policy is less certain of each token; equal seeds give equal figures."""
    run = config.Run.model_validate(make_job("grpo").settings["run"])
    toy, model = task.load("train-toy"), preview.source(tiny_base, tiny_base)
    figures = preview.ask(model, toy, run, 3, 0)
    warm = run.model_copy(update={"grpo": run.grpo.model_copy(update={"temperature": 3.0})})
    assert (figures.groups, figures.generations, set(figures.terms)) == (3, 4, {"accuracy", "format"})
    assert 0 < figures.tokens <= 12
    assert 0 < figures.entropy < preview.ask(model, toy, warm, 3, 0).entropy
    assert figures.faulted == 0
    assert preview.ask(model, toy, run, 3, 0) == figures


def test_cases_of_ones_own_are_asked_where_the_run_has_a_file(
    make_job: MakeJob, tiny_base: Path, tmp_path: Path
) -> None:
    toy = task.load("train-toy")
    cases = [*toy.generate("easy", "train", 5, 2), *toy.generate("easy", "test", 5, 2)]
    (tmp_path / "own.jsonl").write_text("".join(f"{case.to_json()}\n" for case in cases))
    changes = {"dataset": {"file": str(tmp_path / "own.jsonl")}}
    run = config.Run.model_validate(make_job("grpo", changes=changes).settings["run"])
    assert preview.ask(Source(tiny_base), toy, run, 9, 0).groups == 2
    (tmp_path / "own.jsonl").write_text(f"{cases[-1].to_json()}\n")
    with pytest.raises(RowError, match="has no case of the split train"):
        preview.ask(Source(tiny_base), toy, run, 9, 0)


def test_a_model_is_found_in_what_stages_write_in_a_bundle_and_in_any_models_folder(
    tiny_base: Path, tmp_path: Path
) -> None:
    assert preview.source(tiny_base, tmp_path) == Source(tiny_base)
    about = {"role": "evaluator", "adapter": True, "base": f"{tiny_base}#{digest.of_files(tiny_base)}", "figures": {}}
    (tmp_path / "model.json").write_text(json.dumps(about))
    assert preview.source(tmp_path, tmp_path / "fetched") == Source(tiny_base, tmp_path / "weights")
    (tmp_path / "model.json").write_text(json.dumps({**about, "adapter": False}))
    assert preview.source(tmp_path, tmp_path) == Source(tmp_path / "weights")
    testing.toy_bundle(testing.toy_task()).write(tmp_path)
    assert preview.source(tmp_path, tmp_path) == Source(tmp_path / "base")


def test_a_folder_without_a_model_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no model here\. Give a model's folder"):
        preview.source(tmp_path, tmp_path)
