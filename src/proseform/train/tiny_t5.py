"""The tiny encoder-decoder: a T5 of about a million parameters, made from nothing, for the formatter.

As in :mod:`proseform.train.tiny`, heads look back a fixed number of tokens at the start, mimetic attention and silent
MLPs: what copies is there, and what is copied is learnt. T5 adds a learnt bias to attention by distance alone, which
all layers of a stack share, so that a head looks back by one number of that table.
"""

from __future__ import annotations

from typing import Any

from proseform import config
from proseform.errors import ConfigError

_LOOKS = 6.0
"""Bias of the one distance that a head looks back; attention scores are near 0 at the start."""
_EXACT = 7
"""Distances that T5's encoder tells apart one by one; larger ones fall into ranges."""


def build_model(shape: config.Tiny, tokenizer: Any) -> Any:
    """A T5 of that shape with fresh weights, the same for the same seed; encoder and decoder have ``layers`` each.

    Raises:
        ConfigError: The width does not divide among the heads, or a head would look too far back.
    """
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    if shape.width % shape.heads:
        raise ConfigError(f"model.tiny: a width of {shape.width} does not divide among {shape.heads} heads.")
    if max(shape.look_back, default=0) > _EXACT:
        raise ConfigError(f"model.tiny.look_back: heads of an encoder look back {_EXACT} tokens at most.")
    torch.manual_seed(shape.seed)
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=shape.width,
            d_kv=shape.width // shape.heads,
            d_ff=shape.feed_forward,
            num_layers=shape.layers,
            num_decoder_layers=shape.layers,
            num_heads=shape.heads,
            dropout_rate=0.0,
            feed_forward_proj="gated-silu",
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
        )
    )
    with torch.no_grad():
        model.shared.weight.normal_(0, shape.embedding_range)
        model.decoder.final_layer_norm.weight.fill_(shape.width**0.5)  # T5 divides by it before tied embeddings
        for stack in (model.encoder, model.decoder):
            if shape.mimetic:
                for index, block in enumerate(stack.block):
                    _mimic(block, first=index == 0)
            bias = stack.block[0].layer[0].SelfAttention.relative_attention_bias.weight.zero_()
            for head, distance in enumerate(shape.look_back[: shape.heads]):
                bias[distance, head] = _LOOKS  # both stacks have one bucket for each small distance back
    return model


def _mimic(block: Any, *, first: bool) -> None:
    """Mimetic attention, and an MLP that says nothing yet; cross-attention finds equals in every layer."""
    for layer in block.layer:
        attention = getattr(layer, "SelfAttention", None) or getattr(layer, "EncDecAttention", None)
        if attention is None:
            layer.DenseReluDense.wo.weight.zero_()
            continue
        attention.o.weight.copy_(attention.v.weight.T)
        if hasattr(layer, "EncDecAttention") or not first:
            attention.q.weight.mul_(attention.key_value_proj_dim**0.25)  # the root of T5's scale goes to each side
            attention.k.weight.copy_(attention.q.weight)
