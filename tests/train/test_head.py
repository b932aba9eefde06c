"""On a CPU the head scores what TRL would score, and nothing else."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch.nn import functional

from proseform.train import head
from proseform.train.rows import IGNORED


@pytest.fixture(scope="module")
def model():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape = LlamaConfig(vocab_size=97, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    return LlamaForCausalLM(shape).eval()


def right_padded(lengths: list[tuple[int, int]]) -> dict[str, torch.Tensor]:
    """Rows of (prompt, completion) lengths."""
    width = max(map(sum, lengths))
    ids = torch.randint(1, 97, (len(lengths), width), generator=torch.Generator().manual_seed(1))
    labels, mask = ids.clone(), torch.zeros_like(ids)
    for row, (prompt, completion) in enumerate(lengths):
        labels[row, :prompt] = IGNORED
        labels[row, prompt + completion :] = IGNORED
        mask[row, : prompt + completion] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@pytest.mark.parametrize("lengths", [[(5, 4)], [(5, 4), (2, 9)], [(1, 1), (30, 3), (7, 7)]])
def test_the_loss_and_its_gradient_are_the_models_own(model, lengths):
    batch = right_padded(lengths)
    own = model(**batch).loss
    ours, likeliest = head.loss(model, batch)
    assert ours.item() == pytest.approx(own.item(), rel=1e-5)
    assert 0 <= likeliest <= 1
    weight = model.model.layers[0].self_attn.q_proj.weight
    (expected,), (gradient,) = torch.autograd.grad(own, weight), torch.autograd.grad(ours, weight)
    assert torch.allclose(expected, gradient, atol=1e-6)


def test_the_sum_is_divided_by_the_tokens_of_all_ranks(model):
    batch = right_padded([(5, 4), (2, 9)])
    assert head.loss(model, batch, 26)[0].item() == pytest.approx(head.loss(model, batch)[0].item() / 2)


def test_nothing_labelled_is_a_loss_of_nothing(model):
    batch = right_padded([(5, 4)])
    batch["labels"][:] = IGNORED
    loss, likeliest = head.loss(model, batch)
    assert (loss.item(), likeliest) == (0, 0)


def test_what_is_all_known_is_all_likeliest(model):
    batch = right_padded([(3, 5)])
    with torch.no_grad():
        for at in range(3, 8):  # a greedy completion
            batch["input_ids"][0, at] = batch["labels"][0, at] = (
                model(batch["input_ids"][:, :at]).logits[0, -1].argmax()
            )
    assert head.loss(model, batch)[1] == 1


def test_completions_have_the_log_probabilities_that_whole_logits_give(model):
    ids = torch.randint(1, 97, (3, 12), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[0, :4] = 0
    logits = model(input_ids=ids, attention_mask=mask).logits[:, 6:-1] / 0.7
    logs = functional.log_softmax(logits, -1)
    chosen, entropies = head.log_probabilities(model, ids, mask, 5, 0.7, entropy=True)
    assert torch.allclose(chosen, logs.gather(-1, ids[:, 7:, None]).squeeze(-1), atol=1e-5)
    assert torch.allclose(entropies, torch.distributions.Categorical(logits=logits).entropy(), atol=1e-5)
    assert head.log_probabilities(model, ids, mask, 5, 0.7, entropy=False)[1] is None


def test_an_adapter_under_autocast_gets_the_same_bits_without_a_cast_of_what_it_is_given(model, monkeypatch):
    half = copy.deepcopy(model).to(torch.bfloat16)
    adapted = get_peft_model(half, LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))
    trained = [weight for weight in adapted.parameters() if weight.requires_grad]
    for weight in trained:
        weight.data = weight.data.float()
    batch, given, casts = right_padded([(5, 4), (2, 9)]), [], BaseTunerLayer._cast_input_dtype

    def cast(layer, x, dtype):
        given.append((x.dtype, casts(layer, x, dtype).dtype))
        return casts(layer, x, dtype)

    monkeypatch.setattr(BaseTunerLayer, "_cast_input_dtype", cast)

    def told() -> tuple[list[torch.Tensor], set[tuple[torch.dtype, torch.dtype]]]:
        given.clear()
        with torch.autocast("cpu", torch.bfloat16):
            loss, _ = head.loss(adapted, batch)
        return [loss, *torch.autograd.grad(loss, trained)], set(given)

    ours, uncast = told()
    monkeypatch.setattr(head, "disable_input_dtype_casting", lambda *_, **__: contextlib.nullcontext())
    own, widened = told()
    assert (uncast, widened) == ({(torch.bfloat16, torch.bfloat16)}, {(torch.bfloat16, torch.float32)})
    assert all(torch.equal(one, other) for one, other in zip(ours, own, strict=True))
