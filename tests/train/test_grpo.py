"""The grpo worker on the toy task: it goes on from what SFT trained, and counts zero-variance groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proseform import config, task
from proseform.errors import ConfigError, NoSignalError
from proseform.launch import Job
from proseform.train import checkpoints, grpo, progress, sft, weights

MakeJob = Callable[..., Job]


def _metrics(job: Job) -> list[dict[str, float]]:
    return [json.loads(line) for line in (Path(job.out) / progress.METRICS).read_text().splitlines()]


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
    """The collapse: it never opens a brace, every group is silent, and the stage says so instead of training on nothing."""
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


def test_terms_are_separate_and_powered(toy_task: None) -> None:
    toy = task.load("train-toy")
    (case,) = toy.generate("easy", "train", 0, 1)
    functions, weights, best = grpo.rewards(toy, config.Grpo(accuracy_exponent=2))
    halved = toy.terms | {"accuracy": lambda prose, case: 0.5}
    object.__setattr__(toy, "terms", halved)
    scores: dict[str, Any] = {f.__name__: f(completions=[case.prose], case=[case.to_json()]) for f in functions}
    assert scores == {"accuracy": [0.25], "format": [1.0]}
    assert (weights, best) == ([0.5, 0.5], 1.0)


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


def test_a_power_on_a_term_that_is_not_there_is_refused(toy_task: None) -> None:
    toy = task.load("train-toy")
    object.__setattr__(toy, "rubrics", {"variants": {"plain": {"format": 1.0}}})
    with pytest.raises(ConfigError, match="no term 'accuracy'"):
        grpo.rewards(toy, config.Grpo(accuracy_exponent=2))
