"""The cache with room holds what transformers' own holds, whatever is appended and whichever rows are kept."""

import pytest
import torch
from transformers import DynamicCache, Qwen3Config

from proseform.infer import cache

CONFIG = Qwen3Config(num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, hidden_size=8, head_dim=4)


def states(generator: torch.Generator, rows: int, tokens: int) -> torch.Tensor:
    return torch.randn(rows, 2, tokens, 4, generator=generator)


@pytest.mark.parametrize("lengths", [(1, 1, 1), (7, 1, 1, 70, 1), (200, 1, 64, 65)])
def test_it_holds_what_was_appended_and_the_rows_that_were_kept(lengths: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs, rows = cache.of(CONFIG), DynamicCache(config=CONFIG), 5
    for tokens in lengths:
        for layer in range(2):
            pair = states(generator, rows, tokens), states(generator, rows, tokens)
            for mine, other in zip(ours.update(*pair, layer), theirs.update(*pair, layer), strict=True):
                assert torch.equal(mine, other)
        assert ours.get_seq_length() == theirs.get_seq_length()
        rows -= 1
        kept = torch.randperm(rows + 1, generator=generator)[:rows]
        ours.batch_select_indices(kept)
        theirs.batch_select_indices(kept)


def test_a_token_is_written_beside_those_before_it_and_nothing_is_copied() -> None:
    made = cache.of(CONFIG)
    first, _ = made.update(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4), 0)
    second, _ = made.update(torch.ones(1, 2, 1, 4), torch.ones(1, 2, 1, 4), 0)
    assert first.data_ptr() == second.data_ptr()
    assert second.shape == (1, 2, 4, 4)


def test_layers_with_a_sliding_window_stay_transformers_own() -> None:
    config = Qwen3Config(num_hidden_layers=2, use_sliding_window=True, sliding_window=4, max_window_layers=1)
    sliding = [type(layer) for layer in DynamicCache(config=config).layers]
    assert len({*sliding}) == 2
    assert type(cache.of(config).layers[1]) is sliding[1]
