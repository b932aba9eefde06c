"""How a forward pass is computed changes no weight: packed rows, activations that are computed again, attention."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from proseform import config
from proseform.errors import ConfigError
from proseform.launch import Job
from proseform.train import head, rows, sft, weights

ROWS = [([5, 6, 7, 8, 9], 2), ([10, 11, 12], 1), ([13, 14, 15, 16, 17, 18, 19], 4)]
"""Token ids of a row, and how many of them are its prompt."""


def _batch(*, packed: bool) -> dict[str, Any]:
    """The rows as TRL hands them to a forward pass."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    labelled = [{"input_ids": ids, "labels": [rows.IGNORED] * n + ids[n:]} for ids, n in ROWS]
    return dict(DataCollatorForLanguageModeling(pad_token_id=0, padding_free=packed)(labelled))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_rows_have_the_loss_and_gradients_of_padded_ones(tiny_base: Path, attention: str) -> None:
    """So none attends to another: its block of the mask is its own."""
    model = weights.load(tiny_base, config.Model(dtype="float32"), whole=True, attention=attention)
    gradients = []
    for packed in (False, True):
        batch = _batch(packed=packed)
        assert batch["input_ids"].shape == ((1, 15) if packed else (3, 7))
        model.zero_grad()
        loss, likeliest = head.loss(model, batch)
        loss.backward()
        gradients.append((loss.detach(), likeliest, [weight.grad.clone() for weight in model.parameters()]))
    (loss, likeliest, padded), (other, also, packed_) = gradients
    assert torch.allclose(loss, other, atol=1e-6)
    assert likeliest == also
    assert all(torch.allclose(one, two, atol=1e-6) for one, two in zip(padded, packed_, strict=True))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_packed_row_does_not_see_what_stands_before_it(tiny_base: Path, attention: str) -> None:
    model = weights.load(tiny_base, config.Model(dtype="float32"), whole=True, attention=attention)
    batch = _batch(packed=True)
    ids, positions = batch["input_ids"], batch["position_ids"]
    other = ids.clone()
    other[0, :5] = 42
    with torch.no_grad():
        here, there = (model(input_ids=one, position_ids=positions, use_cache=False).logits for one in (ids, other))
    assert torch.allclose(here[0, 5:], there[0, 5:], atol=1e-6)
    assert not torch.allclose(here[0, :5], there[0, :5], atol=1e-3)


@pytest.mark.parametrize(
    ("table", "knob", "value"),
    [("sft", "packing", True), ("launch", "recompute", "always"), ("launch", "attention", "eager")],
)
def test_sft_ends_with_the_same_weights_however_a_pass_is_computed(
    table: str, knob: str, value: Any, make_job: Callable[..., Job], dataset: Path, tiny_base: Path
) -> None:
    ends = []
    for name, more in (("plain", {}), ("other", {knob: value})):
        short = {"steps": 4, "save_every": 4, "micro_batch": 4, **(more if table == "sft" else {})}
        changes = {"sft": {"evaluator": short}, "launch": more if table == "launch" else {}}
        job = make_job("sft", name=name, dataset=dataset, base=tiny_base, changes=changes)
        sft.main(job)
        ends.append(load_file(next((Path(job.out) / weights.WEIGHTS).glob("*.safetensors"))))
    plain, other = ends
    assert all(torch.allclose(plain[name], other[name], atol=1e-4) for name in plain)


def test_flash_attention_without_a_gpu_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="wants a GPU; this machine shows none"):
        weights.check_attention("flash_attention_2", gpus=False)
    weights.check_attention("sdpa", gpus=False)
