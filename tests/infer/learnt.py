"""Models that have learnt by heart what one measurement asks of them, and the stage that measures them.

Random weights write control tokens, which a server may spell out; these write none, and end of themselves. Each subject
has its own way to say the same, so that one that is asked in the place of another is noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

from proseform import launch, records
from proseform.case import Case
from proseform.config import load
from proseform.infer import measure
from proseform.outcome import Outcome
from proseform.stages import cache, dataset, evaluate, policy
from proseform.store import Result, write_json
from proseform.suites import Study, Subject
from proseform.suites.plans import plan
from proseform.task import Task
from proseform.train import rows

RUN = """
extends = "small"
[dataset]
level = "easy"
format = "full"
train = 8
valid = 4
test = 3
[evaluate]
cases = 3
samples = 1
schemas = 1
shots = 1
blind = 2
levels = []
processes = 1
[generation]
evaluator.max_tokens = 64
formatter.max_tokens = 128
"""
_MARKS = {"base": "It weighs", "sft": "This weighs", "grpo": "The parcel weighs"}
_RATE, _LEARNT, _MOST = 3e-3, 0.01, 400
"""Of learning by heart: AdamW's rate, the mean loss of a token that ends it, and the steps after which it failed."""
_LONGEST = 1024
"""Tokens of prompt and completion."""


class Here:
    """A launcher that runs the worker in this process."""

    def run(self, worker: str, job: launch.Job) -> None:
        assert worker == "proseform.infer.measure"
        launch.prepare(job)
        measure.main(job)


@dataclass(frozen=True)
class World:
    """A dataset of the toy task, and the four models of a run.

    Attributes:
        data: The dataset.
        base: The base's payload.
        trained: The payloads of the others, by stage.
    """

    data: cache.Slot
    base: Result
    trained: dict[str, cache.Slot]

    @property
    def weights(self) -> dict[str, Path]:
        """The folder of each model's weights."""
        return {
            "base": policy.fetched(self.base),
            **{name: cache.folder(slot) / "weights" for name, slot in self.trained.items()},
        }

    def measured(self) -> tuple[dict[str, Outcome], dict[str, Any]]:
        """Run the evaluate stage: its records by id, and the report."""
        slot = cache.Slot()
        evaluate.run("toy", RUN, self.data, **self.trained, measured=slot)
        folder = cache.folder(slot)
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return {row.id: row for row in records.read(folder / records.RECORDS)}, report


def world(root: Path, task: Task, untrained: Path, monkeypatch: pytest.MonkeyPatch, *, adapters: bool = False) -> World:
    """Teach a model of random weights each subject's texts, and put everything where stages look for it.

    Args:
        root: A folder for all of it.
        task: The toy task, under whose name nothing is installed.
        untrained: A model's folder.
        monkeypatch: Sets the home folder, and what stages would start or look up.
        adapters: Teach adapters on one base, in the place of whole models, and the formatter to write the numbers of
            random schemas as strings: only a grammar makes its JSON valid.
    """
    monkeypatch.setenv("PROSEFORM_HOME", str(root / "home"))
    monkeypatch.setattr("proseform.task.load", lambda _: task)
    monkeypatch.setattr("proseform.laws.trial.load", lambda _: task)
    monkeypatch.setattr(policy, "launcher", Here)
    monkeypatch.setattr(policy, "Local", Here)
    data = cache.Slot()
    dataset.run("toy", RUN, data)
    study = records.study(cache.folder(data), task, load(RUN))
    base, sft, grpo = evaluate.SUBJECTS
    learn(untrained, root / "base", task, _texts(study, [base]))
    store, trained = cache.home().store, {}
    committed = store.commit("base", f"sha256:{'b' * 64}", root / "base", {}, 1.0)
    monkeypatch.setattr(policy, "base", lambda *_: committed)
    for name, subjects, role in (
        ("sft", [sft], "evaluator"),
        ("grpo", [grpo], "evaluator"),
        ("formatter", [sft, grpo], "formatter"),
    ):
        texts = (text for text in _texts(study, subjects, quoted=adapters) if text[0] == role)
        learn(policy.fetched(committed), root / name / "weights", task, texts, adapter=adapters)
        about = {"role": role, "adapter": adapters, "base": str(committed.ref), "figures": {}}
        write_json(root / name / "model.json", about)
        (root / name / "metrics.jsonl").write_text('{"step": 1, "loss": 0.0}\n')
        trained[name] = cache.Slot()
        cache.hand_over(store.commit(name, f"sha256:{name:0<64}", root / name, {}, 1.0), trained[name])
    return World(data, committed, trained)


def greedy(measured: dict[str, Outcome]) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Texts and verdicts of greedy records by id; sampled ones depend on an engine's own random numbers.

    Every suite is among them, and every answer is the gold one.
    """
    rows = [row for row in measured.values() if row.decoding != "sampled"]
    assert {row.suite for row in rows} == {"evaluations", "answers", "formatter", "blind"}
    assert all(row.scores["whole_right"] == 1 for row in rows if row.suite == "answers")
    return {row.id: (dict(row.texts), dict(row.verdicts)) for row in rows}


def _texts(study: Study, subjects: Iterable[Subject], *, quoted: bool = False) -> Iterator[tuple[str, rows.Row]]:
    """What subjects are asked, by role, and what they are to write: evaluations of their own, and the gold JSON.

    Where ``quoted``, the numbers of random schemas are strings.
    """
    for subject in subjects:
        for one in plan(study, subject):
            case, values = study.by_id.get(one.record.case), dict(one.values)
            if case is not None and one.after:
                values["prose"] = _prose(subject, case)
            prompt = (one.prompt or getattr(study.task, one.role)).render(values)
            if one.role == "evaluator":
                text = _prose(subject, study.by_id[one.record.case])
            else:
                known = case.answer if case is not None else study.strange_by_id[one.record.case].answer
                text = json.dumps(dict(known), ensure_ascii=False)
                if case is None and quoted:
                    text = re.sub(r": (\d+)", r': "\1"', text)
            yield one.role, rows.Row(one.record.id, prompt, text)


def _prose(subject: Subject, case: Case) -> str:
    """A subject's evaluation of a case."""
    return case.prose.replace("The parcel weighs", _MARKS[subject.name])


def learn(model: Path, into: Path, task: Task, texts: Iterable[tuple[str, rows.Row]], *, adapter: bool = False) -> None:
    """Save a model that has learnt texts by heart: every token of them is its first choice by far."""
    tokenizer, learner = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    if adapter:
        from peft import LoraConfig, get_peft_model

        learner = get_peft_model(learner, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))
    known = {(row.prompt, row.completion): (role, row) for role, row in texts}  # sampled asks repeat greedy ones
    encoded = [rows.encode(tokenizer, [row], getattr(task, role).prefill, _LONGEST)[0] for role, row in known.values()]
    columns = {name: [torch.tensor(one[name][0]) for one in encoded] for name in ("input_ids", "labels")}
    pads = {"input_ids": tokenizer.pad_token_id, "labels": rows.IGNORED}
    padded = {name: pad_sequence(columns[name], batch_first=True, padding_value=pad) for name, pad in pads.items()}
    lengths = torch.tensor([len(ids) for ids in columns["input_ids"]])
    mask = torch.arange(lengths.max()) < lengths[:, None]
    optimizer = torch.optim.AdamW([one for one in learner.parameters() if one.requires_grad], lr=_RATE)
    for _ in range(_MOST):
        loss = learner(**padded, attention_mask=mask.long()).loss
        if loss.item() < _LEARNT:
            learner.save_pretrained(into)
            if not adapter:
                tokenizer.save_pretrained(into)
            return
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    raise AssertionError(f"{into} has not learnt its {len(known)} texts: loss {loss.item():.3f}")
