"""A model that two processes share: FSDP trains what DDP trains, resumes, and leaves a whole model."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proseform import config, launch
from proseform.errors import ConfigError
from proseform.infer import loading
from proseform.launch import Job
from proseform.train import checkpoints, sharding, weights

WORKER = "tests.train.sharded"
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("kind", ["fsdp", "zero2", "zero3"])
def test_on_a_cpu_it_is_refused_at_once(kind: str) -> None:
    with pytest.raises(ConfigError, match="divides a model among GPUs; this run trains on a CPU"):
        sharding.arguments(kind, gpus=False, recompute=False)


def test_without_deepspeed_it_is_refused_and_fsdp_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="wants DeepSpeed, which is not installed") as caught:
        sharding.check("zero3", gpus=True)
    assert 'sharding = "fsdp"' in caught.value.hint
    sharding.check("fsdp", gpus=True)


@pytest.mark.parametrize("recompute", [False, True])
def test_fsdp_recomputes_by_itself(recompute: bool) -> None:
    told = sharding.arguments("fsdp", gpus=True, recompute=recompute)
    assert told["fsdp_config"]["activation_checkpointing"] is recompute
    assert told["gradient_checkpointing"] is False
    assert sharding.arguments("none", gpus=False, recompute=recompute) == {}


@pytest.mark.parametrize("stage", [2, 3])
def test_deepspeed_s_settings_agree_with_the_trainer_s(stage: int, tmp_path: Path) -> None:
    """Transformers' own check, which fills in what is auto and refuses what disagrees."""
    from accelerate.utils.deepspeed import HfDeepSpeedConfig
    from transformers import TrainingArguments
    from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig

    names = ("is_auto", "fill_match", "fill_only", "trainer_config_process")
    checked = {name: HfTrainerDeepSpeedConfig.__dict__[name] for name in names}  # without DeepSpeed it has no base
    settings = type("Settings", (HfDeepSpeedConfig,), checked)(sharding.deepspeed(stage))
    settings.mismatches, settings._dtype = [], None
    args = TrainingArguments(
        output_dir=str(tmp_path), per_device_train_batch_size=4, gradient_accumulation_steps=2, bf16=True,
        max_grad_norm=0.5, use_cpu=True,
    )  # fmt: skip
    settings.trainer_config_process(args)
    assert settings.mismatches == []
    assert settings.is_zero2() if stage == 2 else settings.is_zero3()
    filled = settings.config
    assert (filled["train_micro_batch_size_per_gpu"], filled["gradient_accumulation_steps"]) == (4, 2)
    assert (filled["bf16"]["enabled"], filled["gradient_clipping"]) == (True, 0.5)


REFUSED = [
    ("[launch]\nsharding = 'fsdp'\n", "launch.processes is 1", "nobody to share with"),
    (
        "[launch]\nsharding = 'fsdp'\nprocesses = 2\n[grpo]\noptimizer = 'muon'\n",
        'grpo.optimizer: "muon" needs whole matrices',
        "half a matrix",
    ),
    (
        "[launch]\nsharding = 'zero3'\nprocesses = 2\n[model]\nquantize = '4bit'\n",
        "divides whole weights",
        "weights of four bits",
    ),
    (
        "[launch]\nsharding = 'fsdp'\nprocesses = 2\n[formatter]\nkind = 'seq2seq'\n",
        'formatter.kind: encoder and decoder of a "seq2seq" share their embeddings',
        "embeddings of two stacks",
    ),
]


@pytest.mark.parametrize(("text", "words", "why"), REFUSED, ids=[why for *_, why in REFUSED])
def test_what_cannot_be_shared_is_refused_with_the_run(text: str, words: str, why: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config.load(f"name = 'x'\n{text}")
    assert why


@pytest.mark.parametrize("kind", ["zero2", "zero3"])
def test_deepspeed_may_share_an_encoder_decoder(kind: str) -> None:
    run = config.load(f"name = 'x'\n[launch]\nsharding = '{kind}'\nprocesses = 2\n[formatter]\nkind = 'seq2seq'\n")
    assert (run.launch.sharding, run.formatter.kind) == (kind, "seq2seq")


SIZES: dict[str, Any] = {"vocab_size": 40, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.mark.parametrize("adapter", [False, True], ids=["whole", "adapter"])
@pytest.mark.parametrize("kind", ["causal", "seq2seq"])
def test_a_shared_model_becomes_a_whole_one_of_its_kind(kind: config.Kind, adapter: bool) -> None:
    """An encoder-decoder too, with its weights or with an adapter on it."""
    import torch
    from transformers import LlamaConfig, T5Config

    shape = {
        "causal": LlamaConfig(hidden_size=16, intermediate_size=16, **SIZES),
        "seq2seq": T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=40),
    }[kind]
    shared = loading.auto(kind).from_config(shape)
    if adapter:
        targets = {"causal": "q_proj, v_proj", "seq2seq": "q, v"}[kind]
        shared = weights.with_new_adapter(shared, config.Lora(targets=targets))
    state = shared.state_dict()
    whole = sharding.assembled(shared, state)
    assert type(whole) is type(shared)
    assert whole.config.is_encoder_decoder is (kind == "seq2seq")
    assert whole.state_dict().keys() == state.keys()
    assert all(torch.equal(weight, state[name]) for name, weight in whole.state_dict().items())


def _read(job: Job) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(next((Path(job.out) / weights.WEIGHTS).glob("*.safetensors")))


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The changes of a run that is shared by FSDP, in workers that find these tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]]))
    return {
        "launch": {"processes": 2, "sharding": "fsdp", "device": "cpu", "recompute": "always"},
        "sft": {"evaluator": {"steps": 4, "save_every": 2}},
    }


@pytest.mark.usefixtures("warmed")
def test_two_processes_that_share_a_model_train_what_two_copies_train(
    make_job: Callable[..., Job], dataset: Path, tiny_base: Path, shared: dict[str, Any]
) -> None:
    """With a checkpoint lost, too; the result is an ordinary folder."""
    import torch
    from transformers import AutoModelForCausalLM

    inputs = {"dataset": dataset, "base": tiny_base}
    job = make_job("sft", name="sft-shared", world_size=2, changes=shared, **inputs)
    launch.Local().run(WORKER, job)
    first = _read(job)
    (Path(job.work) / checkpoints.FOLDER / "checkpoint-4" / checkpoints.SEAL).unlink()
    launch.Local().run(WORKER, job)
    again = _read(job)
    copies = make_job("sft", name="sft-copies", world_size=2, changes={**shared, "launch": {"processes": 2}}, **inputs)
    launch.Local().run("proseform.train.sft", copies)
    two = _read(copies)
    assert first.keys() == two.keys()
    assert all(torch.equal(again[name], first[name]) for name in first)
    assert all(torch.allclose(first[name], two[name], atol=1e-4) for name in two)
    model = AutoModelForCausalLM.from_pretrained(Path(job.out) / weights.WEIGHTS)
    assert all(torch.isfinite(weight).all() for weight in model.parameters())
