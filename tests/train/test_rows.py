"""Rows to token ids, and their order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.errors import ConfigError, RowError
from proseform.prompt import Rendered
from proseform.train import rows, weights


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("not json", "line 2: not a line of JSON"),
        ("[1]", "expected an object"),
        ('{"id": 1, "prompt": "a"}', "'completion' is missing"),
        ('{"id": 1, "prompt": "a", "completion": ""}', "'completion' is ''"),  # nothing to learn
        ('{"id": 1, "prompt": {"a": 1}, "completion": "b"}', "'prompt' is an object"),
        (
            '{"id": 1, "prompt": [{"content": "a"}], "completion": "b"}',
            "'prompt' is an array",
        ),  # a message without a role
    ],
)
def test_a_malformed_row_is_refused_with_its_line(tmp_path: Path, line: str, word: str) -> None:
    path = tmp_path / "evaluator-train.jsonl"
    path.write_text('{"id": 0, "prompt": "a", "completion": "b"}\n' + line + "\n")
    with pytest.raises(RowError, match=word):
        rows.read(path)


def test_a_missing_file_names_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "formatter-train.jsonl").write_text("")
    with pytest.raises(RowError, match=r"It has formatter-train\.jsonl"):
        rows.read(tmp_path / "evaluator-train.jsonl")
    with pytest.raises(RowError, match="no rows"):
        rows.read(tmp_path / "formatter-train.jsonl")


def test_the_loss_is_on_the_completion_and_its_end(tiny_base: Path) -> None:
    tokenizer = weights.tokenizer(tiny_base)
    columns, dropped = rows.encode(
        tokenizer, [rows.Row("a", Rendered.from_json([{"role": "user", "content": "amber"}]), "no tree")], "", 128
    )
    (ids,), (labels,) = columns["input_ids"], columns["labels"]
    learnt = [token for token in labels if token != rows.IGNORED]
    assert dropped == 0
    assert tokenizer.decode(learnt) == "no tree<|im_end|>"
    assert tokenizer.decode(ids).endswith("<|im_start|>assistant\nno tree<|im_end|>")


def test_a_row_that_is_too_long_is_left_out_and_never_cut(tiny_base: Path) -> None:
    tokenizer = weights.tokenizer(tiny_base)
    prompt = Rendered.from_json("x")
    short, long = rows.Row("a", prompt, "y"), rows.Row("b", prompt, "y" * 200)
    columns, dropped = rows.encode(tokenizer, [short, long], "", 20)
    assert (len(columns["input_ids"]), dropped) == (1, 1)
    with pytest.raises(RowError, match="rows: 1 of 1 rows are longer than the 20 tokens"):
        rows.encode(tokenizer, [long], "", 20)


def test_prefill_and_rest_are_tokenised_apart_as_at_inference(dataset: Path, tiny_base: Path) -> None:
    tokenizer = weights.tokenizer(tiny_base)
    row = rows.read(dataset / "formatter-train.jsonl")[0]
    (ids,) = rows.completion_ids(tokenizer, [row], '{"')
    head = tokenizer('{"', add_special_tokens=False)["input_ids"]
    assert ids[: len(head)] == head
    assert json.loads(tokenizer.decode(ids, skip_special_tokens=True)) == json.loads(row.completion)


def test_a_completion_without_the_prefill_is_refused(tiny_base: Path) -> None:
    with pytest.raises(RowError, match="Row 'a'"):
        rows.completion_ids(weights.tokenizer(tiny_base), [rows.Row("a", Rendered.from_json("x"), "[1]")], '{"')


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=60),
    batch=st.integers(1, 8),
    steps=st.integers(1, 20),
    seed=st.integers(0, 9),
)
def test_every_epoch_is_a_permutation(lengths: list[int], batch: int, steps: int, seed: int) -> None:
    """No row is seen a second time before every row is seen, but for the seam that a batch bridges."""
    order = rows.order(lengths, batch, steps, seed)
    assert len(order) == batch * steps
    counts = [order.count(index) for index in range(len(lengths))]
    assert max(counts) - min(counts) <= 2
    assert order == rows.order(lengths, batch, steps, seed)


def test_rows_of_like_length_go_together() -> None:
    lengths = [10, 200] * 64
    order = rows.order(lengths, 8, 16, 0)
    mixed = [len({lengths[i] for i in order[at : at + 8]}) > 1 for at in range(0, 128, 8)]
    assert sum(mixed) == 0


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match="a batch of 9 does not divide among 2"):
        rows.micro_batch(9, 4, 2, "sft.evaluator")
