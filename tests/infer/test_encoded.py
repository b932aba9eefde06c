"""Decoding by an encoder-decoder: rows of unequal lengths, tokens taken back, deadlines, and whoever leaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

from proseform.infer import decode, encoded

PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [12, 13], [14, 15, 16, 17]]
STOP = 2


def _t5() -> Any:
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=40,
            d_model=32,
            d_kv=8,
            d_ff=48,
            num_layers=2,
            num_heads=4,
            initializer_factor=1.5,
            pad_token_id=0,
            eos_token_id=STOP,
            decoder_start_token_id=0,
        )
    )


def _bart() -> Any:
    sizes = {f"{part}_{name}": size for part in ("encoder", "decoder") for name, size in _SIZES.items()}
    return BartForConditionalGeneration(
        BartConfig(
            vocab_size=40,
            d_model=32,
            max_position_embeddings=64,
            init_std=0.6,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=STOP,
            decoder_start_token_id=STOP,
            forced_eos_token_id=None,
            **sizes,
        )
    )


_SIZES = {"layers": 2, "attention_heads": 4, "ffn_dim": 48}


@pytest.fixture(params=[_t5, _bart], ids=["t5", "bart"])
def model(request: pytest.FixtureRequest) -> Any:
    """A model of random weights."""
    torch.manual_seed(3)
    made: Callable[[], Any] = request.param
    return made().eval()


def _rows(most: int, given: int = 0, **more: Any) -> list[decode.Row]:
    return [decode.Row([*prompt, *[20] * given], most, given=given, **more) for prompt in PROMPTS]


def _run(model: Any, rows: list[decode.Row], stop: frozenset[int] = frozenset({STOP})) -> int:
    return decode.run(model, rows, None, pad=0, stop=stop)


@pytest.mark.parametrize("given", [0, 3])
def test_a_batch_writes_what_transformers_writes_of_each_prompt_alone(model: Any, given: int) -> None:
    rows = _rows(12, given)
    passes = _run(model, rows)
    assert passes == max(len(row.ids) + (row.finish == "stop") for row in rows)
    start = model.config.decoder_start_token_id
    for prompt, row in zip(PROMPTS, rows, strict=True):
        written = model.generate(
            input_ids=torch.tensor([prompt]),
            decoder_input_ids=torch.tensor([[start, *[20] * given]]),
            max_new_tokens=12,
            do_sample=False,
        )[0].tolist()[1 + given :]
        assert row.ids == [token for token in written if token not in {STOP, 0}]


def test_rows_with_prefills_of_unequal_length_are_those_of_each_alone(model: Any) -> None:
    together = [decode.Row([*PROMPTS[at], *[20] * at], 9, given=at) for at in range(3)]
    alone = [decode.Row([*PROMPTS[at], *[20] * at], 9, given=at) for at in range(3)]
    _run(model, together)
    for row in alone:
        _run(model, [row])
    assert [row.ids for row in together] == [row.ids for row in alone]


def test_a_row_that_takes_tokens_back_goes_on_as_if_it_had_never_written_them(model: Any) -> None:
    """The others are not disturbed; what was taken back leaves no trace in the cache."""
    plain, disturbed = _rows(12), _rows(12)
    _run(model, plain, frozenset())
    batch = encoded.Batch(model, disturbed, 0)
    with torch.inference_mode():
        for step in range(40):
            if not batch.rows:
                break
            logits, drafts = batch.read()
            for row, scores in zip(batch.rows, logits[:, 0], strict=True):
                row.take(int(scores.argmax()), frozenset(), 0.0)
                if step == 5 and row is disturbed[1]:
                    del row.ids[2:]  # as a budget does where an ending would not fit
            batch.settle([0] * len(drafts))
    assert [row.ids for row in disturbed] == [row.ids for row in plain]
    assert all(row.finish == "length" for row in disturbed)


def test_a_deadline_ends_every_row(model: Any) -> None:
    rows = _rows(12, deadline=time.monotonic() - 1)
    _run(model, rows, frozenset())
    assert [(row.finish, len(row.ids)) for row in rows] == [("deadline", 1)] * 3


def test_a_row_that_nobody_waits_for_leaves_and_the_others_go_on(model: Any) -> None:
    plain, rows = _rows(12), _rows(12)
    rows[1].watch = lambda row: len(row.ids) < 3
    _run(model, plain, frozenset())
    _run(model, rows, frozenset())
    assert [row.finish for row in rows] == ["length", "left", "length"]
    assert [row.ids for row in rows] == [plain[0].ids, plain[1].ids[:3], plain[2].ids]


def test_sampled_rows_follow_from_their_seeds(model: Any) -> None:
    first, second = (_rows(12, temperature=1.0, seed=7) for _ in range(2))
    other = _rows(12, temperature=1.0, seed=8)
    for rows in (first, second, other):
        _run(model, rows)
    assert [row.ids for row in first] == [row.ids for row in second]
    assert [row.ids for row in first] != [row.ids for row in other]
