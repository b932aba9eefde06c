"""On a CPU the head scores what TRL would score, and nothing else."""

from __future__ import annotations

import pytest
import torch
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
