"""A key-value cache with room to grow: a token is written into it, where transformers' own copies everything each time.

Left out: sliding windows, which keep transformers' layers.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import DynamicCache, EncoderDecoderCache
from transformers.cache_utils import DynamicLayer

_SPARE = 64
"""Tokens that room is made for at once."""


class _Layer(DynamicLayer):  # type: ignore[misc]
    """A layer whose ``keys`` and ``values`` are the filled part of a larger tensor."""

    keys: Any
    values: Any
    _rooms: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:  # noqa: ARG002
        """Append, and give everything so far: (rows, heads, tokens, width) each, a view."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        length = before + key_states.shape[-2]
        if self._rooms is None or self._rooms[0].shape[-2] < length:
            self._rooms = tuple(
                _roomy(*pair, length) for pair in ((self.keys, key_states), (self.values, value_states))
            )
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[..., before:length, :] = states
        self.keys, self.values = (room[..., :length, :] for room in self._rooms)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep some rows."""
        super().batch_select_indices(indices)
        self._rooms = None


def _roomy(filled: torch.Tensor, states: torch.Tensor, length: int) -> torch.Tensor:
    """A tensor for so many tokens and some more, with those that are there."""
    room = states.new_empty((*states.shape[:-2], length + _SPARE, states.shape[-1]))
    if filled.numel():
        room[..., : filled.shape[-2], :] = filled
    return room


def of(config: Any) -> DynamicCache:
    """An empty cache of a model, by its configuration."""
    cache = DynamicCache(config=config)
    cache.layers = [_Layer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def of_encoder_decoder(config: Any) -> EncoderDecoderCache:
    """An empty cache of an encoder-decoder's decoder; what it makes of the encoder's states is written once."""
    return EncoderDecoderCache(of(config.get_text_config(decoder=True)), DynamicCache())


def croppable(model: Any, cache: DynamicCache) -> bool:
    """Whether a cache may lose its last tokens, and have masked ones between others.

    Not with recurrent states or sliding windows (GPT-Neo's stand in no layer of the cache), and not where the model
    takes a token's position from its place in the cache.
    """
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    told = "position_ids" in inspect.signature(base.forward).parameters
    windowed = bool(getattr(model.config, "window_size", 0))
    return told and not windowed and bool(cache.layers) and all(type(layer) is _Layer for layer in cache.layers)


def selectable(cache: DynamicCache) -> bool:
    """Whether rows can be taken out of a cache; transformers' recurrent layers know no way to do it."""
    return all(hasattr(layer, "batch_select_indices") for layer in cache.layers)
