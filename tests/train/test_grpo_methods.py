"""Methods of ``[grpo.signal]`` in the grpo worker: each acts, and an interrupted run ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proseform import launch, rollouts
from proseform.launch import Job
from proseform.train import checkpoints, grpo, progress, weights

MakeJob = Callable[..., Job]

METHODS: dict[str, dict[str, Any]] = {
    "resample": {"resample": {"budget": 3.0}},
    "rounds": {"rounds": {"most": 3, "enough": 1}},
    "zero_variance": {"zero_variance": {"scale": 0.2}},
    "curriculum": {"curriculum": {"by": "leaves"}},
    "skip": {"skip": {"explore": 0.1}},
    "replay": {"replay": {"groups": 8, "age": 8}},
    "share": {"replay": {"groups": 8, "age": 8, "share": 0.5}},
    "gold": {"gold": {"groups": 4}},
    "all": {
        "resample": {"budget": 2.0},
        "rounds": {"most": 2, "enough": 1},
        "zero_variance": {},
        "curriculum": {"by": "leaves"},
        "skip": {},
        "replay": {"groups": 8, "age": 8, "share": 0.5},
        "gold": {"groups": 1},
    },
}


def _metrics(job: Job) -> list[dict[str, float]]:
    return [json.loads(line) for line in (Path(job.out) / progress.METRICS).read_text().splitlines()]


def _weights(job: Job) -> bytes:
    return next((Path(job.out) / weights.WEIGHTS).glob("*.safetensors")).read_bytes()


def _changes(**signal: Any) -> dict[str, Any]:
    """Groups of two, of which many are dead."""
    return {
        "grpo": {"steps": 4, "prompts": 4, "generations": 2, "learning_rate": 1e-3, "save_every": 2, "signal": signal}
    }


def _documents(self: Any, prompt_ids: list[list[int]], *_: Any, **__: Any) -> tuple[list[list[int]], None]:
    """Completions that are documents by chance, which a row's place in the run says; a small policy writes none."""
    self.rows_so_far = self.__dict__.get("rows_so_far", self.state.global_step * len(prompt_ids)) + len(prompt_ids)
    firsts = range(self.rows_so_far - len(prompt_ids), self.rows_so_far)
    some = ['{"word": "amber", "tree": false}', '{"word": "cedar", "tree": true}', '{"word": "onyx"']
    texts = [random.Random(at).choice(some) for at in firsts]
    return [[*self._tokenizer(text)["input_ids"], self._tokenizer.eos_token_id] for text in texts], None


@pytest.fixture(scope="module")
def few(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset with six training cases, which come round within a run."""
    folder = tmp_path_factory.mktemp("few") / "dataset"
    shutil.copytree(dataset, folder)
    lines = (dataset / "cases-train.jsonl").read_text().splitlines(keepends=True)
    (folder / "cases-train.jsonl").write_text("".join(lines[:6]))
    return folder


@pytest.mark.parametrize("name", METHODS)
def test_gone_on_from_a_checkpoint_it_ends_with_the_same_bytes(
    make_job: MakeJob, few: Path, tiny_base: Path, policy: Path, name: str
) -> None:
    """The last save is lost: steps 3 and 4 are done again, with the same dice, rounds, buffers and histories."""
    job = make_job("grpo", dataset=few, base=tiny_base, policy=policy, changes=_changes(**METHODS[name]))
    grpo.main(job)
    first, rows, lines = _weights(job), rollouts.read(Path(job.out) / rollouts.FILE), _metrics(job)
    _acted(name, lines, rows[1])
    (Path(job.work) / checkpoints.FOLDER / "checkpoint-4" / "seal.json").unlink()
    grpo.main(job)
    assert _weights(job) == first
    assert rollouts.read(Path(job.out) / rollouts.FILE) == rows
    same = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    assert [{key: value for key, value in line.items() if key != "seconds"} for line in _metrics(job)] == same


def _acted(name: str, lines: list[dict[str, float]], rows: list[rollouts.Rollout]) -> None:
    """That a method did something within four steps, in what is logged of them."""
    sampled = sum(line["sampled_tokens"] for line in lines)
    assert sampled == sum(row.tokens for row in rows)
    discarded = sum(row.tokens for row in rows if not row.trained)
    if name == "resample":
        assert discarded > 0
        assert all(len({row.group for row in rows if row.step == step}) <= 12 for step in (1, 2, 3, 4))
        assert all(line["trained_mixed"] >= 1 - line["frac_zero_variance"] for line in lines)
    if name == "rounds":
        assert discarded > 0
    if name in {"gold", "replay"}:
        assert sum(line[{"gold": "golden", "replay": "replayed"}[name]] for line in lines) > 0
        assert discarded > 0
    if name == "share":
        assert any(line["sampled_groups"] < 4 and line["replayed"] >= 4 - line["sampled_groups"] for line in lines)
        assert all(line["sampled_groups"] + line["replayed"] >= 4 for line in lines)
    if name == "skip":
        assert lines[-1]["skipped"] > 0
    if name == "curriculum":
        assert any(key.startswith("pool/") for key in lines[-1])
    if name == "zero_variance":
        assert discarded == 0
        assert any(line["frac_zero_variance"] > 0 for line in lines)


SCRIPTED = """
import random
from trl import GRPOTrainer
from proseform import launch
from proseform.train import grpo

TEXTS = ("amber: a tree. Done.", "cedar: a tree.", "maple: no tree. Done.", "onyx", "onyx: no tree.")

def scripted(self, prompt_ids, *_, **__):
    world, first = self.accelerator.num_processes, self.__dict__.get("rows_so_far", 0)
    self.rows_so_far = first + world * len(prompt_ids)
    first += self.accelerator.process_index * len(prompt_ids)
    texts = [random.Random(first + at).choice(TEXTS) for at in range(len(prompt_ids))]
    return [[*self._tokenizer(text)["input_ids"], self._tokenizer.eos_token_id] for text in texts], None

GRPOTrainer._generate_single_turn = scripted
if __name__ == "__main__":
    launch.worker(grpo.main)
"""
"""The worker with completions that depend on a row's place in the run alone, in whatever rank it is sampled."""


@pytest.mark.usefixtures("warmed")
def test_two_processes_are_one_process_with_the_same_completions(
    make_job: MakeJob, few: Path, tiny_base: Path, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every method on: the same rounds, groups and buffers, and the same losses up to the order of sums."""
    (tmp_path / "scripted_grpo.py").write_text(SCRIPTED)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]]))
    runs = []
    for world in (1, 2):
        job = make_job(
            "grpo", name=f"world-{world}", world_size=world, dataset=few, base=tiny_base, policy=policy,
            changes=_changes(**METHODS["all"]),
        )  # fmt: skip
        launch.Local().run("scripted_grpo", job)
        runs.append((rollouts.read(Path(job.out) / rollouts.FILE)[1], _metrics(job)))
    (rows, lines), (other_rows, other_lines) = runs
    assert other_rows == rows
    assert any(not row.trained for row in rows)
    for line, other in zip(lines, other_lines, strict=True):
        assert other.keys() == line.keys()
        same = {key: value for key, value in line.items() if key != "seconds"}
        assert {key: other[key] for key in same} == pytest.approx(same, rel=2e-3, abs=1e-5)


def test_a_shared_skeleton_gets_no_advantage_and_an_interrupted_run_ends_with_the_same_bytes(
    make_job: MakeJob, few: Path, tiny_base: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trl.GRPOTrainer._generate_single_turn", _documents)
    ends = []
    for signal in ({}, {"skeleton": {}}):
        changes = _changes(**signal)
        changes["grpo"] |= {"reward": "json", "generations": 4}
        job = make_job(
            "grpo", name="-".join(["bones", *signal]), dataset=few, base=tiny_base, policy=policy, changes=changes
        )
        grpo.main(job)
        ends.append(_weights(job))
    shares = [line["skeleton"] for line in _metrics(job)]
    assert 0 < max(shares) < 1
    assert ends[0] != ends[1]
    (Path(job.work) / checkpoints.FOLDER / "checkpoint-4" / "seal.json").unlink()
    grpo.main(job)
    assert _weights(job) == ends[1]
    assert [line["skeleton"] for line in _metrics(job)] == shares


def test_form_is_paid_by_the_batch_and_an_interrupted_run_ends_with_the_same_bytes(
    make_job: MakeJob, few: Path, tiny_base: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With gold in dead groups, which is paid as the step's own completions are."""
    monkeypatch.setattr("trl.GRPOTrainer._generate_single_turn", _documents)
    changes = _changes(form={"weight": 0.5}, gold={"groups": 4})
    changes["grpo"] |= {"reward": "json", "rubric": "additive", "generations": 4}
    job = make_job("grpo", name="form", dataset=few, base=tiny_base, policy=policy, changes=changes)
    grpo.main(job)
    end, lines = _weights(job), _metrics(job)
    _, rows = rollouts.read(Path(job.out) / rollouts.FILE)
    for line in lines:
        step = [row for row in rows if row.step == line["step"]]
        assert line["form"] == pytest.approx(sum(row.terms["json_valid"] for row in step) / len(step), abs=1e-5)
        assert {row.reward for row in step} == {row.terms["json_content"] for row in step}  # here all JSON is valid
    assert any(0 < line["form"] < 1 for line in lines)
    (Path(job.work) / checkpoints.FOLDER / "checkpoint-4" / "seal.json").unlink()
    grpo.main(job)
    assert _weights(job) == end
    assert [line["form"] for line in _metrics(job)] == [line["form"] for line in lines]


def test_json_by_a_rubric_of_terms_is_scaled_and_masked_as_the_run_says(
    make_job: MakeJob, few: Path, tiny_base: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dr. GRPO's scaling, GDPO's normalisation and the mask of cut completions are TRL's own, and reach it."""
    trainers = []
    make = grpo._trainer
    monkeypatch.setattr(grpo, "_trainer", lambda *given: trainers.append(make(*given)) or trainers[-1])
    changes = {"reward": "json", "rubric": "think", "scale": "none", "decoupled": True, "mask_cut": True, "steps": 1}
    job = make_job("grpo", dataset=few, base=tiny_base, policy=policy, changes={"grpo": changes})
    grpo.main(job)
    (line,) = _metrics(job)
    assert {"reward/json_pairs", "reward/json_tags", "reward_std/json_tags", "right"} <= line.keys()
    (trainer,) = trainers
    assert trainer.scale_rewards == "none"
    assert trainer.multi_objective_aggregation == "normalize_then_sum"
    assert trainer.mask_truncated_completions is True
