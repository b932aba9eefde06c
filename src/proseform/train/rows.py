"""Dataset rows to token ids, and the order in which they are trained on.

The boundary trap: a BPE tokenizer may merge across the border of prompt and completion, so prompt, prefill and the
rest of the completion are tokenised apart here, exactly as they are at inference, and joined as ids.
The order trap: samplers that draw while training make a resumed run another run. Steps are known beforehand, so the
whole order is: shuffled epochs, batches of rows of similar length (little padding), batches shuffled again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import jsonl
from proseform.errors import ConfigError, RowError
from proseform.infer import calls, length, tokens
from proseform.prompt import Rendered

IGNORED = -100
"""The label of a token that carries no loss."""

_POOL = 16
"""Batches that are formed together, from rows of similar length."""


@dataclass(frozen=True, slots=True)
class Row:
    """One training row.

    Attributes:
        id: Of the case it came from.
        prompt: Its turns, ours and theirs apart.
        completion: What the model should write, prefill included.
    """

    id: str
    prompt: Rendered
    completion: str


def read(path: Path) -> list[Row]:
    """The rows of one ``.jsonl`` file.

    Raises:
        RowError: The file is missing or empty, or a row has the wrong shape; line and field are named.
    """
    if not path.is_file():
        files = sorted(p.name for p in path.parent.glob("*.jsonl"))
        raise RowError(f"{path.name}: the dataset has no such file.", hint=f"It has {', '.join(files) or 'none'}.")
    rows = [
        _row(line, f"{path.name}, line {number}")
        for number, line in enumerate(jsonl.read(path), start=1)
        if line.strip()
    ]
    if not rows:
        raise RowError(f"{path.name}: there are no rows in it.")
    return rows


def _row(line: str, where: str) -> Row:
    """One row of a file."""
    raw = jsonl.parse(line, where)
    for name in ("id", "prompt", "completion"):
        if name not in raw:
            raise RowError(f"{where}: field '{name}' is missing.", hint="A row has id, prompt and completion.")
    if not isinstance(raw["completion"], str) or not raw["completion"]:
        raise RowError(f"{where}: field 'completion' is {raw['completion']!r:.40}, expected text.")
    return Row(str(raw["id"]), Rendered.from_json(raw["prompt"], f"{where}: field 'prompt'"), raw["completion"])


def completion_ids(tokenizer: Any, rows: Sequence[Row], prefill: str = "") -> list[list[int]]:
    """Token ids of completions: prefill and rest tokenised apart, the end-of-turn token last.

    Where a function is to be called they are the whole call, whose frame the tokenizer's template gives.

    Raises:
        RowError: A completion that does not begin with the prefill.
    """
    for row in rows:
        if not row.completion.startswith(prefill):
            raise RowError(
                f"Row '{row.id}': the completion begins with {row.completion[:12]!r}, not with the prefill {prefill!r}."
            )
    frames = [calls.frame(tokenizer, row.prompt) for row in rows]
    heads = {text: tokens.continuation(tokenizer, text) for text in {frame.opening + prefill for frame in frames}}
    tails = {text: tokens.continuation(tokenizer, text) for text in {frame.closing for frame in frames}}
    rests = (tokens.continuation(tokenizer, row.completion.removeprefix(prefill)) for row in rows)
    return [
        [*heads[frame.opening + prefill], *rest, *tails[frame.closing], tokenizer.eos_token_id]
        for frame, rest in zip(frames, rests, strict=True)
    ]


def encode(
    tokenizer: Any,
    rows: Sequence[Row],
    prefill: str,
    max_length: int,
    gold: Mapping[str, str] | None = None,
    where: str = "rows",
) -> tuple[dict[str, list[list[int]]], int]:
    """Rows as ``input_ids`` and ``labels`` (loss on the completion only), and how many were too long and left out.

    A row is never cut: a cut completion would teach the model to stop early.

    Args:
        tokenizer: The base model's.
        rows: At least one.
        prefill: The beginning of every completion, given at inference.
        max_length: Tokens of prompt and completion together, at most.
        gold: Gold completions by row id, whose length counts where it is the greater: by it GRPO and measurement leave
            out the same cases, whatever annotators wrote.
        where: What to call the rows in an error.

    Raises:
        RowError: Most rows are longer than ``max_length``.
    """
    prompts = [tokens.encode(tokenizer, row.prompt) for row in rows]
    completions = completion_ids(tokenizer, rows, prefill)
    lengths = [
        len(prompt)
        + max(len(ids), length.completion(tokenizer, gold[row.id], prefill) if gold and row.id in gold else 0)
        for row, prompt, ids in zip(rows, prompts, completions, strict=True)
    ]
    length.check(lengths, max_length, where)
    kept = [place for place, count in enumerate(lengths) if count <= max_length]
    columns = {
        "input_ids": [prompts[place] + completions[place] for place in kept],
        "labels": [[IGNORED] * len(prompts[place]) + completions[place] for place in kept],
    }
    return columns, len(rows) - len(kept)


def order(lengths: Sequence[int], batch: int, steps: int, seed: int) -> list[int]:
    """The rows of every step, in order: ``steps * batch`` indices, each epoch a permutation.

    >>> order([5, 5, 5], batch=2, steps=3, seed=1) == order([5, 5, 5], batch=2, steps=3, seed=1)
    True
    >>> sorted(order([9, 1, 5, 3], batch=2, steps=2, seed=0))
    [0, 1, 2, 3]
    """
    rng = random.Random(f"order/{seed}")
    chosen: list[int] = []
    rest: list[int] = []
    while len(chosen) < steps * batch:
        epoch = list(range(len(lengths)))
        rng.shuffle(epoch)
        rest += epoch
        whole = len(rest) - len(rest) % batch
        for start in range(0, whole, _POOL * batch):
            pool = sorted(rest[start : min(start + _POOL * batch, whole)], key=lengths.__getitem__)
            batches = [pool[at : at + batch] for at in range(0, len(pool), batch)]
            rng.shuffle(batches)
            chosen += [index for one in batches for index in one]
        rest = rest[whole:]
    return chosen[: steps * batch]


def micro_batch(batch: int, limit: int, processes: int, where: str) -> int:
    """The rows of one forward pass: the largest divisor of a process's share that is at most ``limit``.

    Raises:
        ConfigError: The batch does not divide among the processes.

    >>> micro_batch(48, 16, 2, "sft.evaluator")
    12
    """
    if batch % processes:
        raise ConfigError(
            f"{where}: a batch of {batch} does not divide among {processes} processes.", hint="Choose a multiple."
        )
    share = batch // processes
    return max(size for size in range(1, min(share, limit) + 1) if share % size == 0)


def texts(rows: Iterable[Row]) -> Iterable[str]:
    """Every text of some rows, to train a tokenizer on."""
    for row in rows:
        if row.prompt.style == "plain":
            yield row.prompt.text
        else:
            for turn in row.prompt.turns:
                yield f"{turn.role}\n{turn.content}"
            yield "assistant\n"
        yield row.completion
