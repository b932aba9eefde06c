"""Whether a run can fit its GPUs, by arithmetic."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from proseform import config
from proseform.errors import ConfigError
from proseform.train import memory

LAYER = {"q_proj": (4096, 4096), "gate_proj": (14336, 4096), "norm": (4096,)}
SEVEN = {
    "model.embed_tokens.weight": (32000, 4096),
    "lm_head.weight": (32000, 4096),
    **{f"model.layers.{n}.{name}.weight": shape for n in range(88) for name, shape in LAYER.items()},
}
"""A model of 7 billion parameters."""
LORA = {"sft": {role: {"lora": {"r": 16}} for role in ("evaluator", "formatter")}}


def run(**changes: Any) -> config.Run:
    return config.Run.model_validate({"name": "x", **changes})


def bounds(shapes: memory.Shapes, **changes: Any) -> dict[str, float]:
    """Lower bounds in bytes a parameter of the base, by stage."""
    count = 7e9 if shapes is SEVEN else 1e9
    return {need.stage: round(need.bytes / count, 1) for need in memory.needs(shapes, run(**changes))}


ONE = {"layers.0.q_proj.weight": (10_000, 100_000)}
"""A billion parameters in one matrix."""


@pytest.mark.parametrize(
    ("changes", "expected", "why"),
    [
        ({}, (16, 16, 20), "fp32 weights, gradients, two moments; GRPO measures KL against a copy"),
        ({"grpo": {"beta": 0.0}}, (16, 16, 16), "no KL, no copy"),
        ({"grpo": {"steps": 0}}, (16, 16), "no GRPO, nothing to fit"),
        ({"sft": {"evaluator": {"optimizer": "muon"}}}, (12, 16, 20), "muon keeps one moment for matrices"),
        ({"sft": {"evaluator": {"micro_batch": 4}}}, (18, 16, 20), "gradients stand beside copies in bfloat16"),
        ({"sft": {"evaluator": {"micro_batch": 4}}, "model": {"dtype": "float32"}}, (16, 16, 20), "no copies in fp32"),
        ({"grpo": {"micro_batch": 8}}, (16, 16, 22), "64 completions in eight passes"),
        ({"launch": {"processes": 2}}, (20, 20, 24), "DDP holds gradients in buckets as well"),
        ({"launch": {"processes": 2}, "sft": {"evaluator": {"micro_batch": 8}}}, (20, 20, 24), "one pass of each"),
        ({"launch": {"processes": 2, "sharding": "fsdp"}}, (8, 8, 10), "each holds half of all of it"),
        ({"launch": {"processes": 2, "sharding": "zero3"}}, (8, 8, 10), "and here"),
        ({"launch": {"processes": 2, "sharding": "zero2"}}, (10, 10, 14), "the weights are whole"),
        (LORA, (2, 2, 2), "a frozen base in bfloat16, and a small adapter"),
        ({**LORA, "launch": {"processes": 2, "sharding": "fsdp"}}, (1, 1, 1), "half of a frozen base"),
        ({**LORA, "model": {"dtype": "float32"}}, (4, 4, 4), "the base in fp32"),
        ({**LORA, "model": {"quantize": "8bit"}}, (1, 1, 1), "the base in 8 bits"),
        ({**LORA, "model": {"quantize": "4bit"}}, (0.5, 0.5, 0.5), "the base in 4 bits"),
    ],
)
def test_bytes_a_parameter(changes: dict[str, Any], expected: tuple[float, ...], why: str) -> None:
    assert tuple(bounds(ONE, **changes).values()) == pytest.approx(expected, abs=0.1), why


def test_seven_billion_parameters_trained_whole_are_refused_on_one_gpu_with_the_arithmetic() -> None:
    words = (
        r"sft.evaluator: needs at least 1\d\d\.\d GB on each GPU, which has 80.0 GB: "
        r"\d\.\d\d billion trained parameters, 16 bytes"
    )
    with pytest.raises(ConfigError, match=words) as refused:
        memory.check(SEVEN, run(), 80e9)
    assert "lora" in refused.value.hint
    memory.check(SEVEN, run(**LORA), 24e9)
    with pytest.raises(ConfigError, match="a frozen base of"):
        memory.check(SEVEN, run(**LORA), 12e9)
    memory.check(SEVEN, run(**LORA, model={"quantize": "4bit"}), 12e9)


def test_what_vllm_is_lent_is_not_there_for_grpo() -> None:
    colocated = {**LORA, "grpo": {"generation": {"engine": "vllm-colocate", "memory_share": 0.5}}}
    memory.check(SEVEN, run(**colocated), 32e9)
    with pytest.raises(
        ConfigError, match=r"grpo: needs at least 14\.\d GB on each GPU, which has 24.0 GB, 50% of it lent"
    ):
        memory.check(SEVEN, run(**colocated), 24e9)


def test_muon_keeps_two_moments_of_what_is_no_matrix() -> None:
    shapes = {"model.embed_tokens.weight": (1000, 100), "layers.0.q_proj.weight": (100, 100)}
    (evaluator, *_) = memory.needs(shapes, run(sft={"evaluator": {"optimizer": "muon"}}))
    assert evaluator.bytes == 100_000 * 16 + 10_000 * 12


def test_an_adapter_is_on_matrices_and_not_on_embeddings_or_norms() -> None:
    assert memory.adapter_parameters(SEVEN, 16) == 88 * 16 * (4096 + 4096 + 14336 + 4096)


def _safetensors(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    header = {name: {"dtype": "BF16", "shape": list(shape), "data_offsets": [0, 0]} for name, shape in shapes.items()}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def test_shapes_are_read_from_the_headers_of_every_shard(tmp_path: Path) -> None:
    _safetensors(tmp_path / "model-1-of-2.safetensors", {"a": (2, 3)})
    _safetensors(tmp_path / "model-2-of-2.safetensors", {"b": (4,)})
    assert memory.shapes_of(tmp_path) == {"a": (2, 3), "b": (4,)}


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, struct.pack("<Q", 3) + b"[1]", b"version https://git-lfs"])
def test_what_is_no_safetensors_file_is_refused_by_its_path(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(ConfigError, match=r"model\.safetensors is no safetensors file"):
        memory.shapes_of(tmp_path)


def test_the_memory_is_what_the_run_states_or_this_machine_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a cluster elsewhere nothing is known unless it is stated."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 81559\necho 24564\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert memory.gpu_bytes(run(launch={"gpu_memory_gb": 80.0}), here=False) == 80e9
    assert memory.gpu_bytes(run(), here=True) == 24564 * 2**20
    assert memory.gpu_bytes(run(), here=False) is None
    program.write_text("#!/bin/sh\necho no devices were found\nexit 9\n")
    assert memory.gpu_bytes(run(), here=True) is None
    monkeypatch.setenv("PATH", "/nowhere")
    assert memory.gpu_bytes(run(), here=True) is None
