"""What samples for GRPO: what cannot be is refused in words, and TRL's correction gets the engine's probabilities."""

from __future__ import annotations

import importlib.machinery
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from proseform import config
from proseform.config.sampling import ADDRESS
from proseform.errors import ConfigError, StageError
from proseform.launch import Job
from proseform.stages import preflight
from proseform.train import grpo, sampling, weights

SERVER = 'extends = "default"\n[grpo.generation]\nengine = "vllm-server"\n'
COLOCATE = 'extends = "default"\n[grpo.generation]\nengine = "vllm-colocate"\nmemory_share = 0.4\n'


def test_in_process_is_the_default_and_says_nothing_to_trl() -> None:
    run = config.load("default")
    sampling.check(run, gpus=False)
    assert sampling.arguments(run) == {}


@pytest.mark.parametrize("text", [SERVER, COLOCATE], ids=["server", "colocate"])
def test_without_a_gpu_vllm_is_refused_at_once(text: str) -> None:
    with pytest.raises(ConfigError, match="by NCCL, from a GPU; this machine shows none") as caught:
        sampling.check(config.load(text), gpus=False)
    assert 'engine = "in-process"' in caught.value.hint


def test_without_vllm_it_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="wants vLLM beside the trainer"):
        sampling.check(config.load(COLOCATE), gpus=True)


def test_a_server_on_this_machine_has_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: importlib.machinery.ModuleSpec(name, None))
    with pytest.raises(ConfigError, match=r"grpo\.generation\.url is empty"):
        sampling.check(config.load(SERVER), gpus=True)
    sampling.check(config.load(SERVER + 'url = "http://localhost:8000"\n'), gpus=True)
    sampling.check(config.load(SERVER), gpus=True, here=False)
    sampling.check(config.load(COLOCATE), gpus=True)


def test_trl_is_told_what_the_run_says(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = config.load(SERVER + 'url = "http://localhost:8000"\ntimeout_s = 60\n')
    assert sampling.arguments(stated) == {
        "use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": "http://localhost:8000",
        "vllm_server_timeout": 60.0,
    }  # fmt: skip
    monkeypatch.setenv(ADDRESS, "http://grpo-0-vllm-master-0.here:8000")
    assert sampling.arguments(config.load(SERVER))["vllm_server_base_url"] == "http://grpo-0-vllm-master-0.here:8000"
    assert sampling.arguments(config.load(COLOCATE)) == {
        "use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": 0.4,
        "vllm_tensor_parallel_size": 1, "vllm_max_model_length": 4096,
    }  # fmt: skip


def test_a_place_without_gpus_and_a_url_at_a_place_are_refused() -> None:
    run = 'extends = "small"\n[launch]\ndevice = "auto"\n[grpo.generation]\nengine = "vllm-server"\n'
    with pytest.raises(ConfigError, match=r"the place's jobs\.gpus is 0"):
        preflight.check("cv", run, config.Place(), asked=False)
    place = config.Place.model_validate({"jobs": {"gpus": 2}})
    preflight.check("cv", run, place, asked=False)
    with pytest.raises(ConfigError, match=r"grpo\.generation\.url: at a place"):
        preflight.check("cv", run + 'url = "http://a:1"\n', place, asked=False)


def test_a_server_that_does_not_answer_is_named() -> None:
    run = config.load(SERVER + 'url = "http://localhost:9"\ntimeout_s = 1\n')
    with pytest.raises(StageError, match="no vLLM server answers at http://localhost:9, after 1 s"), \
         sampling.answered(run):  # fmt: skip
        raise requests.ConnectionError("refused")


TEXTS = ("amber: a tree. Done.", "cedar: a tree.", "maple: no tree. Done.", "onyx", "onyx: no tree.")


def texts(rows: int, first: int, tokenizer: Any) -> list[list[int]]:
    """Completions by their place in the run."""
    chosen = (random.Random(first + at).choice(TEXTS) for at in range(rows))
    return [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in chosen]


class Engine:
    """What TRL's own engine does, with completions by their place and probabilities of the trainer's own model.

    Left out of TRL's: how weights travel, which takes GPUs.
    """

    shift, started = 0.0, 0

    def __init__(self, model: Any, accelerator: Any, processing_class: Any, temperature: float, **_: Any) -> None:
        self.model, self.tokenizer, self.temperature = model, processing_class, temperature
        self.rows = self.synced = 0
        info = {"model_config": {"logprobs_mode": "processed_logprobs"}}
        self.vllm_client = SimpleNamespace(get_server_info=lambda: info)
        Engine.started += 1

    def sync_weights(self) -> None:
        self.synced += 1

    def generate(self, prompts: list[list[int]], **_: Any) -> tuple[Any, ...]:
        import torch

        assert self.synced, "sampled before it had any weights"
        ids = texts(len(prompts), self.rows, self.tokenizer)
        self.rows += len(prompts)
        logs = []
        for prompt, some in zip(prompts, ids, strict=True):
            with torch.no_grad():
                logits = self.model(input_ids=torch.tensor([[*prompt, *some]])).logits[0, len(prompt) - 1 : -1]
            by_token = torch.log_softmax(logits.float() / self.temperature, -1)[range(len(some)), some]
            logs.append([[float(value) - self.shift] for value in by_token])
        return prompts, ids, logs, None


def _weights(job: Job) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(next((Path(job.out) / weights.WEIGHTS).glob("*.safetensors")))


CHANGES = {"grpo": {"beta": 0.0, "learning_rate": 3e-3, "signal": {"rounds": {}, "resample": {}}}}


@pytest.fixture
def jobs(
    make_job: Callable[..., Job], dataset: Path, tiny_base: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Job]:
    """A job of GRPO with an engine, whose check for a GPU is left out."""
    monkeypatch.setattr("trl.trainer.grpo_trainer.VLLMGeneration", Engine)
    monkeypatch.setattr(sampling, "check", lambda *_, **__: None)

    def job(name: str, engine: str) -> Job:
        generation = {"engine": engine, **({"url": "http://localhost:9"} if engine == "vllm-server" else {})}
        changes = {"grpo": {**CHANGES["grpo"], "generation": generation}}
        made = make_job("grpo", name=name, dataset=dataset, base=tiny_base, policy=policy, changes=changes)
        grpo.main(made)
        return made

    return job


def test_an_engine_of_the_same_probabilities_trains_the_same_weights(
    jobs: Callable[[str, str], Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRL's ratios are 1, with rounds and resampling too; where they are not, the completions leave the loss."""
    import torch

    def plain(self: Any, prompt_ids: list[list[int]], *_: Any, **__: Any) -> tuple[list[list[int]], None]:
        first = self.__dict__.get("rows_so_far", 0)
        self.rows_so_far = first + len(prompt_ids)
        return texts(len(prompt_ids), first, self._tokenizer), None

    sampled = _weights(jobs("engine", "vllm-server"))
    started = Engine.started
    monkeypatch.setattr(Engine, "shift", 2.0)
    other = _weights(jobs("other", "vllm-colocate"))
    assert Engine.started == started + 1
    with monkeypatch.context() as patched:
        patched.setattr("trl.GRPOTrainer._generate_single_turn", plain)
        own = _weights(jobs("own", "in-process"))
    assert Engine.started == started + 1
    assert all(torch.allclose(sampled[name], own[name], atol=2e-5) for name in own)
    assert not all(torch.allclose(other[name], own[name], atol=2e-5) for name in own)
