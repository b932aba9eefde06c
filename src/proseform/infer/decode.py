"""The generation loop: a left-padded batch, a key-value cache, one mask a row. Imported by :mod:`proseform.infer.local` only.

Shorter than ``transformers.generate`` with logits processors, and faster for small models: rows that have ended leave
the batch, and a matcher stops its row at the closing brace. Left out: beam search, top-k/top-p, speculation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from proseform.infer.constrain import Constraints


@dataclass(slots=True)
class Row:
    """One completion in the making.

    Attributes:
        prompt: Token ids, prefill included.
        max_tokens: The longest completion.
        temperature: 0 is greedy.
        seed: Of this row's own noise.
        matcher: What constrains it; None lets it run free.
        deadline: On :func:`time.monotonic`'s clock, in seconds.
        watch: Called after every token; False ends the row, because whoever asked has gone.
        ids: What was generated, stop tokens left out.
        finish: How it ended.
    """

    prompt: list[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    matcher: LLMatcher | None = None
    deadline: float | None = None
    watch: Callable[[Row], bool] | None = None
    ids: list[int] = field(default_factory=list)
    finish: Literal["stop", "length", "deadline", "left", ""] = ""

    def take(self, token: int, stop: frozenset[int], now: float) -> None:
        """Append a token, or end."""
        if token in stop:
            self.finish = "stop"
            return
        self.ids.append(token)
        if self.matcher is not None:
            if not self.matcher.consume_token(token):
                self.finish = "length"  # a limit inside the matcher; what is there is a beginning only
                return
            if self.matcher.is_stopped():
                self.finish = "stop"
                return
        if len(self.ids) >= self.max_tokens:
            self.finish = "stop" if self.matcher is not None and self.matcher.is_accepting() else "length"
        elif self.deadline is not None and now > self.deadline:
            self.finish = "deadline"


def run(model: Any, rows: Sequence[Row], constraints: Constraints | None, *, pad: int, stop: frozenset[int]) -> None:
    """Complete the rows in place.

    Args:
        model: A causal language model, in evaluation mode.
        rows: At least one; prompts not empty.
        constraints: Gives the masks; wanted where a row has a matcher.
        pad: A token id to fill with; it is masked.
        stop: The ids that end a completion.
    """
    from transformers import DynamicCache

    device = model.device
    width = max(len(row.prompt) for row in rows)
    tokens = torch.tensor([[pad] * (width - len(row.prompt)) + row.prompt for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in rows], device=device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    noise = [torch.Generator().manual_seed(row.seed) for row in rows]
    cache = DynamicCache(config=model.config)
    places = list(range(len(rows)))  # which row stands at which place of the batch
    with torch.inference_mode():
        while True:
            output = model(
                input_ids=tokens, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1,
            )  # fmt: skip
            logits = output.logits[:, -1].float().cpu()
            chosen = _choose(logits, [rows[place] for place in places], [noise[place] for place in places], constraints)
            now = time.monotonic()
            for place, token in zip(places, chosen, strict=True):
                row = rows[place]
                if not row.finish:
                    row.take(token, stop, now)
                    if row.watch is not None and not row.watch(row):
                        row.finish = "left"
            alive = [index for index, place in enumerate(places) if not rows[place].finish]
            if not alive:
                return
            kept = torch.tensor(
                [pad if rows[place].finish else token for place, token in zip(places, chosen, strict=True)],
                device=device,
            )
            if len(alive) <= 3 * len(places) // 4:
                index = torch.tensor(alive, device=device)
                cache.batch_select_indices(index)
                mask, positions, kept = mask[index], positions[index], kept[index]
                places = [places[i] for i in alive]
            tokens, positions = kept[:, None], positions[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(places), 1)], dim=1)


def _choose(
    logits: torch.Tensor, rows: list[Row], noise: list[torch.Generator], constraints: Constraints | None
) -> list[int]:
    """The next token of each row: the likeliest, or a sample by the exponential race p / Exp(1)."""
    matchers = [None if row.finish else row.matcher for row in rows]
    if constraints is not None and any(matcher is not None for matcher in matchers):
        logits = logits.masked_fill(~torch.from_numpy(constraints.allowed(matchers)), -torch.inf)
    chosen: list[int] = logits.argmax(-1).tolist()
    for index, row in enumerate(rows):
        if row.temperature > 0 and not row.finish:
            race = torch.empty(logits.shape[1]).exponential_(generator=noise[index])
            chosen[index] = int((torch.softmax(logits[index] / row.temperature, -1) / race).argmax())
    return chosen
