"""The head of a language model on a CPU: logits only where a token is scored.

TRL's fused head saves memory by scoring in tiles and again in the backward pass, and off Triton it scores every
position, prompts too. On a CPU with a vocabulary of 49,152 that was half of each step (SmolLM2, 2 cores); with logits
at completions alone the same losses come in less time. GPUs keep TRL's own.

Under autocast PEFT's own cast of what an adapter is given, to the dtype of its weights, is undone by the next
operation: without it the bits are the same, and come sooner.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.helpers import disable_input_dtype_casting
from torch.nn import functional

from proseform.train.rows import IGNORED


def loss(
    model: Any, inputs: dict[str, torch.Tensor], tokens: torch.Tensor | int | None = None
) -> tuple[torch.Tensor, float]:
    """The negative log-likelihood of labelled tokens, and the share of them that the model thinks likeliest.

    Args:
        model: A causal LM, wrapped or not.
        inputs: ``input_ids``, ``attention_mask`` and ``labels``, each of shape (rows, length), padded on the right; or
            all rows in one, of shape (1, tokens), with ``position_ids`` that begin anew with each row, and no mask.
        tokens: What the sum is divided by; the labelled tokens that are here by default.

    Returns:
        A scalar, 0 where nothing is labelled; and a number from 0 to 1.
    """
    labels = inputs["labels"][:, 1:]
    scored = labels != IGNORED
    first = int(scored.any(dim=0).int().argmax())
    kept = torch.arange(first, labels.shape[1], device=labels.device)
    apart = "position_ids" if "position_ids" in inputs else "attention_mask"
    logits = _logits(model, kept, input_ids=inputs["input_ids"], **{apart: inputs[apart]})
    mask = scored[:, first:]
    logits, labelled = logits[mask].float(), labels[:, first:][mask]
    total = functional.cross_entropy(logits, labelled, reduction="sum")
    likeliest = (logits.detach().argmax(-1) == labelled).float().mean().nan_to_num().item()
    return total / torch.as_tensor(mask.sum() if tokens is None else tokens).clamp(min=1), likeliest


def log_probabilities(
    model: Any, ids: torch.Tensor, attention: torch.Tensor, length: int, temperature: float, *, entropy: bool,
) -> tuple[torch.Tensor, torch.Tensor | None]:  # fmt: skip
    """Log-probabilities of the last tokens of each row, and the entropies they were drawn at.

    Args:
        model: A causal LM, wrapped or not.
        ids: Token ids of shape (rows, prompt + length), prompts padded on the left.
        attention: The same shape.
        length: Tokens of a completion.
        temperature: What logits are divided by.
        entropy: Whether to compute entropies too.

    Returns:
        Two tensors of shape (rows, length); the second is None without ``entropy``.
    """
    logits = _logits(model, length + 1, input_ids=ids, attention_mask=attention)[:, :-1]
    logs = functional.log_softmax(logits.float() / temperature, dim=-1)
    chosen = logs.gather(-1, ids[:, -length:, None]).squeeze(-1)
    with torch.no_grad():
        spread = -(logs.exp() * logs).sum(-1) if entropy else None
    return chosen, spread


def _logits(model: Any, kept: torch.Tensor | int, **inputs: torch.Tensor) -> torch.Tensor:
    """Logits at the positions to keep; under autocast adapters take what they are given as it is."""
    with disable_input_dtype_casting(model, active=torch.is_autocast_enabled("cpu")):
        return model(**inputs, logits_to_keep=kept, use_cache=False).logits
