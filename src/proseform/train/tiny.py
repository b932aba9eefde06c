"""The tiny base: a tokenizer and a Qwen3 model of some hundred thousand parameters, made from nothing.

Mimetic initialisation after A. Trockman and J. Z. Kolter, "Mimetic Initialization of Self-Attention Layers" (2023), in
its simplest form; the heads that look back are this module's own, see :func:`_look_back`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from proseform import config
from proseform.errors import ConfigError

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""Padding, begin of turn, end of turn."""

PIECES = r"\p{L}+|\p{N}|\n|[^\p{L}\p{N}\n]+"
"""How text falls apart before BPE. A word is one piece wherever it stands, blanks go with punctuation: then ``Rust`` is
the same token in an input, in prose and in JSON, so that a small model copies it. A newline stands alone, so that a
prompt that ends with one and a completion that begins with ``{"`` never merge."""

_COMMON = 0.1
"""Standard deviation of the vector that is added to every embedding."""
_QUICK = 4
"""Pairs of dimensions that tell positions apart."""
_REST = 0.3
"""What is kept of the random weights of a head that looks back."""
_SHARP = 1.6
"""Initial weight of the first layer's query and key norms; at 1, attention over hundreds of tokens points at none."""


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer without a chat template, trained on texts; any text survives it.

    Args:
        texts: What it learns its merges from.
        vocabulary: Entries at most, the 256 bytes and three special tokens included.
    """
    from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers import models as kinds
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(kinds.BPE())
    pieces = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pieces, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    padding, _, end = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=padding, eos_token=end, clean_up_tokenization_spaces=False
    )


def build_model(shape: config.Tiny, tokenizer: Any, max_length: int) -> Any:
    """A Qwen3 of that shape with fresh weights, the same for the same seed.

    Raises:
        ConfigError: The width does not divide among the heads.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    if shape.width % shape.heads:
        raise ConfigError(f"model.tiny: a width of {shape.width} does not divide among {shape.heads} heads.")
    torch.manual_seed(shape.seed)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            head_dim=shape.width // shape.heads,
            intermediate_size=shape.feed_forward,
            initializer_range=shape.init_range,
            max_position_embeddings=max_length,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    with torch.no_grad():
        common = _COMMON * torch.randn(shape.width)
        model.get_input_embeddings().weight.normal_(0, shape.embedding_range).add_(common)
        if shape.mimetic:
            for index, layer in enumerate(model.model.layers):
                _mimic(layer, first=index == 0)
        _look_back(
            model.model.layers[0].self_attn,
            shape,
            common / common.norm(),
            float(model.config.rope_parameters["rope_theta"]),
        )
    return model


def _mimic(layer: Any, *, first: bool) -> None:
    """Mimetic attention, and an MLP that says nothing yet."""
    attention = layer.self_attn
    if not first:
        attention.k_proj.weight.copy_(attention.q_proj.weight)
    attention.o_proj.weight.copy_(attention.v_proj.weight.T)
    layer.mlp.down_proj.weight.zero_()


def _look_back(attention: Any, shape: config.Tiny, common: Any, theta: float) -> None:
    """Make the first heads look back a fixed number of tokens, whatever stands there.

    Qwen3 has no biases, so the pattern rides on what all embeddings have in common. With rotary embeddings a query q at
    m and a key k at n meet as qᵀ R(n - m) k, which is largest at n - m = -d where q = R(-d) k; k lies in the quickest
    rotations alone, which tell near positions apart.

    Args:
        attention: The first layer's.
        shape: Heads, and how far each looks back, in tokens.
        common: (width,), of length 1: the direction that all embeddings share.
        theta: Base of the rotations.
    """
    import torch

    if not shape.look_back:
        return
    size = shape.width // shape.heads
    half = size // 2
    quick = torch.arange(half) < _QUICK
    turn = theta ** (-torch.arange(half) / half)
    for head, distance in enumerate(shape.look_back[: shape.heads]):
        angle = 2 * math.pi * torch.rand(half)
        key = torch.cat([angle.cos() * quick, angle.sin() * quick])
        turned = angle - distance * turn
        query = torch.cat([turned.cos() * quick, turned.sin() * quick])
        rows_of_head = slice(head * size, (head + 1) * size)
        for weight, pattern in ((attention.q_proj.weight, query), (attention.k_proj.weight, key)):
            weight[rows_of_head] = _REST * weight[rows_of_head] + torch.outer(pattern, common)
    for norm in (attention.q_norm, attention.k_norm):
        norm.weight.fill_(_SHARP)
