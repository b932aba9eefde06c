"""The same code trains a real language model: a few steps of SmolLM2 with LoRA for both roles on one base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proseform import config, task
from proseform.infer.answer import Answer, answers, close
from proseform.stages import cache, dataset, grpo, policy, sft

A_FEW_ROWS = """
[dataset]
train = 16
valid = 4
test = 4
format = "brief"
random_schemas = 0.0
"""
RUN = f"""
extends = "smollm2"{A_FEW_ROWS}[sft.evaluator]
steps = 2
batch = 2
micro_batch = 2
[sft.formatter]
steps = 2
batch = 2
micro_batch = 2
[grpo]
steps = 1
prompts = 1
generations = 2
[launch]
threads = 1 # other tests run on the other cores
[generation]
accept = "valid"
evaluator.max_tokens = 24
formatter.max_tokens = 96
"""


@pytest.mark.usefixtures("warmed")
def test_smollm2_goes_through_sft_grpo_and_a_valid_answer_on_one_shared_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from proseform.infer.local import LocalEngine

    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path))
    data, imitator, evaluator, formatter = cache.Slot(), cache.Slot(), cache.Slot(), cache.Slot()
    dataset.run("cv", RUN, data)
    sft.run("cv", RUN, "evaluator", data, imitator)
    grpo.run("cv", RUN, data, imitator, evaluator)
    sft.run("cv", RUN, "formatter", data, formatter)
    policies = {
        name: policy.of(artifact)
        for name, artifact in (("sft", imitator), ("grpo", evaluator), ("formatter", formatter))
    }
    assert all(trained.adapter is not None for trained in policies.values())
    assert len({trained.base for trained in policies.values()}) == 1
    cv = task.load("cv")
    bundle = policy.assemble(tmp_path / "bundle", cv, config.load(RUN), policies["grpo"], policies["formatter"])
    assert bundle.evaluator.base == bundle.formatter.base == "base"
    assert bundle.evaluator.adapter_digest != bundle.formatter.adapter_digest
    engine = LocalEngine(tmp_path / "bundle")
    try:
        (answer,) = answers(engine, cv, [dict(next(cv.generate("starter", "test", 0, 1)).inputs)])
    finally:
        close(engine)
    assert isinstance(answer, Answer)
    assert answer.bundle == bundle.digest
    assert set(answer.value) == set(cv.formats["brief"])
    losses = [
        json.loads(line)["loss"]
        for line in (Path(imitator.uri.removeprefix("file://")) / "metrics.jsonl").read_text().splitlines()
    ]
    assert losses
