"""The grpo worker on the toy task: it goes on from what SFT trained, and counts zero-variance groups."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proseform import launch, reward, rollouts, task
from proseform.case import load_cases
from proseform.errors import NoSignalError, RowError, StageError
from proseform.launch import Job
from proseform.train import checkpoints, grpo, progress, scorer, sft, weights
from proseform.train.prompts import FixedOrder
from proseform.train.stopping import StopRule

MakeJob = Callable[..., Job]


def _metrics(job: Job) -> list[dict[str, float]]:
    return [json.loads(line) for line in (Path(job.out) / progress.METRICS).read_text().split("\n")[:-1]]


def _weights(job: Job) -> bytes:
    return next((Path(job.out) / weights.WEIGHTS).glob("*.safetensors")).read_bytes()


def test_the_rubric_is_enforced_within_a_few_steps(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path
) -> None:
    changes = {"grpo": {"steps": 20, "prompts": 6, "generations": 8, "learning_rate": 3e-3, "save_every": 20}}
    job = make_job("grpo", dataset=dataset, base=tiny_base, policy=policy, changes=changes)
    grpo.main(job)
    lines = _metrics(job)
    figures = weights.read_manifest(Path(job.out))["figures"]
    assert figures["reward_last"] > figures["reward_first"] + 0.1
    assert {"reward/accuracy", "reward/format", "kl", "frac_zero_variance", "completion_tokens"} <= lines[0].keys()
    assert lines[-1]["kl"] > lines[0]["kl"]


def test_interrupted_it_ends_with_the_same_weights(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path
) -> None:
    """Stopped after step 3 of 3, its last save lost: it goes on from step 2, with the same dice."""
    inputs = {"dataset": dataset, "base": tiny_base, "policy": policy}
    whole = make_job("grpo", name="whole", **inputs)
    grpo.main(whole)
    cut = make_job("grpo", name="cut", **inputs)
    grpo.main(cut)
    (Path(cut.work) / checkpoints.FOLDER / "checkpoint-3" / "seal.json").unlink()
    grpo.main(cut)
    assert _weights(cut) == _weights(whole)
    assert [line["step"] for line in _metrics(cut)] == [1, 2, 3]
    assert rollouts.read(Path(cut.out) / rollouts.FILE) == rollouts.read(Path(whole.out) / rollouts.FILE)


def test_every_rollout_is_kept_with_what_it_earned(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path
) -> None:
    """A row a completion, by step and group, with raw terms; the reward follows from them."""
    job = make_job("grpo", dataset=dataset, base=tiny_base, policy=policy)
    grpo.main(job)
    about, rows = rollouts.read(Path(job.out) / rollouts.FILE)
    rubric, toy = about.rubric, task.load("train-toy")
    assert rubric == toy.rubric()
    assert (about.task, about.generations, about.dataset) == ("train-toy", 4, job.inputs["dataset"])
    assert [(row.step, row.place) for row in rows] == [(step, place) for step in (1, 2, 3) for place in range(8)]
    assert all(len({row.case for row in rows if (row.step, row.group) == (1, group)}) == 1 for group in (0, 1))
    known = {case.id: case for case in load_cases(dataset / "cases-train.jsonl")}
    for row in rows:
        score = reward.score(row.text, known[row.case], toy, rubric)
        assert (dict(row.terms), row.reward, row.fault) == (score.terms, score.composite, "")
        assert 0 < row.tokens <= 12
    means = [sum(row.reward or 0 for row in rows if row.step == step) / 8 for step in (1, 2, 3)]
    assert [line["reward"] for line in _metrics(job)] == pytest.approx(means, rel=1e-4)


def test_rollouts_on_cases_of_a_users_own_are_not_kept(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path
) -> None:
    job = make_job("grpo", dataset=dataset, base=tiny_base, policy=policy, changes={"dataset": {"file": "own.jsonl"}})
    grpo.main(job)
    assert not (Path(job.out) / rollouts.FILE).exists()
    assert not [*Path(job.work).rglob("rollouts-*")]


def test_an_adapter_goes_on_as_an_adapter(make_job: MakeJob, dataset: Path, policy: Path) -> None:
    """Measured against the SFT adapter and not against the bare base: the first step's KL is nil. Resumes too."""
    lora = {"sft": {"evaluator": {"lora": {"r": 4, "alpha": 8}, "steps": 4}}}
    base = policy / weights.WEIGHTS  # one that has something to say
    trained = make_job("sft", dataset=dataset, base=base, changes=lora)
    sft.main(trained)
    job = make_job("grpo", dataset=dataset, base=base, policy=Path(trained.out), changes=lora)
    grpo.main(job)
    first = _weights(job)
    assert weights.read_manifest(Path(job.out))["adapter"] is True
    assert _metrics(job)[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert not (Path(job.out) / weights.WEIGHTS / "ref").exists()
    assert first != _weights(trained)
    (Path(job.work) / checkpoints.FOLDER / "checkpoint-3" / "seal.json").unlink()
    grpo.main(job)
    assert _weights(job) == first


def test_no_steps_leave_the_policy_as_it_is(make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path) -> None:
    job = make_job("grpo", dataset=dataset, base=tiny_base, policy=policy, changes={"grpo": {"steps": 0}})
    grpo.main(job)
    assert _weights(job) == next((policy / weights.WEIGHTS).glob("*.safetensors")).read_bytes()


def test_direct_json_from_a_prose_model_ends_for_want_of_signal(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path
) -> None:
    """The collapse: no completion opens a brace, no group has variance, and the stage stops with an error."""
    job = make_job(
        "grpo",
        dataset=dataset,
        base=tiny_base,
        policy=policy,
        changes={"grpo": {"reward": "json", "steps": 9, "signal_window": 3}},
    )
    with pytest.raises(NoSignalError, match="for 3 steps") as raised:
        grpo.main(job)
    assert "sft.evaluator for more steps" in raised.value.hint or "temperature" in raised.value.hint


CONVERGES = {"grpo": {"rubric": "given", "steps": 9, "signal_window": 3, "save_every": 2}}
"""A reward that is always full: every step is perfect."""


def test_twenty_perfect_steps_are_the_end_and_a_success(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path
) -> None:
    """Here three: the stage commits, says why it stopped, and records the steps that were done."""
    job = make_job("grpo", dataset=dataset, base=tiny_base, policy=policy, changes=CONVERGES)
    grpo.main(job)
    figures = weights.read_manifest(Path(job.out))["figures"]
    assert [line["step"] for line in _metrics(job)] == [1, 2, 3]
    assert (figures["steps"], figures["completions"]) == (3, 24)
    assert figures["stopped"].startswith("converged after 3 steps: for 3 steps all completions are perfect, 1.000 of 1")


@pytest.mark.parametrize("save_every", [1, 2, 3])
def test_interrupted_on_the_way_to_convergence_it_stops_at_the_same_step(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path, save_every: int
) -> None:
    """The steps that were counted are in the checkpoint, also one that was made in the very step of convergence."""
    changes = {"grpo": {**CONVERGES["grpo"], "save_every": save_every}}
    job = make_job("grpo", dataset=dataset, base=tiny_base, policy=policy, changes=changes)
    grpo.main(job)
    first = _weights(job)
    grpo.main(job)
    assert _weights(job) == first
    assert [line["step"] for line in _metrics(job)] == [1, 2, 3]
    assert weights.read_manifest(Path(job.out))["figures"]["steps"] == 3


@pytest.mark.usefixtures("warmed")
def test_all_processes_stop_after_the_same_step(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path
) -> None:
    job = make_job("grpo", world_size=2, dataset=dataset, base=tiny_base, policy=policy, changes=CONVERGES)
    launch.Local().run("proseform.train.grpo", job)
    assert weights.read_manifest(Path(job.out))["figures"]["steps"] == 3
    rows = rollouts.read(Path(job.out) / rollouts.FILE)[1]
    assert [(row.step, row.place) for row in rows] == [(step, place) for step in (1, 2, 3) for place in range(8)]


def test_a_reward_that_raises_costs_its_rollouts_and_not_the_run(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path
) -> None:
    changes = {"grpo": {"rubric": "picky", "steps": 4, "prompts": 6}}
    job = make_job("grpo", dataset=dataset, base=tiny_base, policy=policy, changes=changes)
    grpo.main(job)
    figures = weights.read_manifest(Path(job.out))["figures"]
    assert figures["steps"] == 4
    assert 0 < figures["faulted"] < 1
    assert all(math.isfinite(line["loss"]) for line in _metrics(job))


def test_a_reward_that_scores_nothing_ends_the_run_in_words(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer.Scorer, "score", lambda _, texts, __: [reward.Score(fault="broken")] * len(texts))
    with pytest.raises(StageError, match="none of the step's completions; the first fault is: broken"):
        grpo.main(make_job("grpo", dataset=dataset, base=tiny_base, policy=policy))


@pytest.mark.parametrize("loss", ["dapo", "grpo", "dr_grpo", "bnpo"])
def test_a_faulted_rollout_is_in_no_loss_and_in_no_denominator(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path, loss: str
) -> None:
    """The loss of a batch with faults is that of the batch without them, KL and all."""
    import torch

    job = make_job(
        "grpo", dataset=dataset, base=tiny_base, policy=policy, changes={"grpo": {"loss": loss, "beta": 0.1}}
    )
    run = weights.read_run(job)
    tokenizer = weights.tokenizer(policy / weights.WEIGHTS)
    rule, source = StopRule(4, 9), FixedOrder(load_cases(dataset / "cases-train.jsonl"), 9, 0)
    toy = task.load("train-toy")
    rewards = scorer.Rewards(scorer.Scorer("train-toy", toy.rubric(), 9), toy.rubric())
    trained = policy / weights.WEIGHTS
    trainer = grpo._trainer(job, run, toy, 8, trained, tokenizer, source, rule, rewards, None, None)
    trainer.current_gradient_accumulation_steps = 1
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 300, (6, 9), generator=generator)
    mask = (torch.arange(5) < torch.tensor([[5], [3], [4], [2], [5], [1]])).int()
    faulted = torch.tensor([False, True, False, False, True, False])

    def batch(rows: torch.Tensor, scale: float, kept: torch.Tensor) -> dict[str, torch.Tensor]:
        made = {
            "prompt_ids": ids[rows, :4], "prompt_mask": torch.ones(len(rows), 4, dtype=torch.int),
            "completion_ids": ids[rows, 4:], "completion_mask": kept, "num_items_in_batch": kept.sum(),
            "advantages": torch.tensor([1.0, 0, -1, 0.5, 0, -0.5])[rows],
            "ref_per_token_logps": torch.full((len(rows), 5), -5.0), "row_scale": torch.tensor(scale),
        }  # fmt: skip
        return {name: tensor.to(trainer.model.device) for name, tensor in made.items()}

    everything = torch.arange(6)
    left = everything[~faulted]
    with_faults = trainer._compute_loss(trainer.model, batch(everything, 6 / 4, mask * ~faulted[:, None]))
    without = trainer._compute_loss(trainer.model, batch(left, 1.0, mask[left]))
    assert with_faults.item() == pytest.approx(without.item(), rel=1e-5)


def _lengthened(dataset: Path, folder: Path, count: int) -> Path:
    """The dataset with prompts of a thousand characters in the first training cases."""
    shutil.copytree(dataset, folder)
    toy = task.load("train-toy")
    cases = [replace(case, inputs={"word": case.inputs["word"] + " very" * 200}) if at < count else case
             for at, case in enumerate(load_cases(dataset / "cases-train.jsonl"))]  # fmt: skip
    rows = [
        {"id": case.id, "prompt": toy.evaluator.render(case.inputs).to_json(), "completion": case.prose}
        for case in cases
    ]
    (folder / "cases-train.jsonl").write_text("".join(case.to_json() + "\n" for case in cases))
    (folder / "evaluator-train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_what_is_longer_than_the_context_is_left_out_of_sft_and_grpo_alike(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path, tmp_path: Path
) -> None:
    longer = _lengthened(dataset, tmp_path / "longer", 10)
    imitates = make_job("sft", dataset=longer, base=tiny_base)
    sft.main(imitates)
    job = make_job("grpo", dataset=longer, base=tiny_base, policy=policy)
    grpo.main(job)
    figures = [weights.read_manifest(Path(done.out))["figures"] for done in (imitates, job)]
    assert [one["dropped"] for one in figures] == [10, 10]
    assert (figures[0]["rows"], figures[1]["cases"]) == (50, 50)


def test_a_run_that_would_leave_out_most_of_its_rows_is_refused(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path, tmp_path: Path
) -> None:
    longer = _lengthened(dataset, tmp_path / "longer", 31)
    words = (
        r"31 of 60 rows are longer than the 128 tokens of model.max_length; the longest has \d+. Raise model.max_length"
    )
    with pytest.raises(RowError, match="sft.evaluator, split 'train': " + words):
        sft.main(make_job("sft", dataset=longer, base=tiny_base))
    with pytest.raises(RowError, match="grpo: " + words):
        grpo.main(make_job("grpo", dataset=longer, base=tiny_base, policy=policy))


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"rubric": "none"}, "no rubric variant 'none'"), ({"prompts": 3, "generations": 3}, "does not divide among 2")],
)
def test_what_does_not_fit_is_refused(
    make_job: MakeJob, dataset: Path, tiny_base: Path, policy: Path, changes: dict[str, Any], word: str
) -> None:
    with pytest.raises(Exception, match=word):
        grpo.main(
            make_job("grpo", world_size=2, dataset=dataset, base=tiny_base, policy=policy, changes={"grpo": changes})
        )
