"""The batch as a model reads it: tokens, mask, positions and cache, one pass after another.

Imported by :mod:`proseform.infer.decode` only. A pass reads the last token of each row and the row's draft, filled up
on the right. What was read in vain is masked, and cut off where no row needs it. Rows that have ended leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from proseform.infer import cache as caches
from proseform.infer.drafts import Drafting, Drafts, useful

if TYPE_CHECKING:
    from proseform.infer.decode import Row
    from proseform.infer.grammars.constrain import Constraints


class Batch:
    """Rows that are decoded at once.

    Args:
        model: A causal language model, in evaluation mode.
        rows: At least one; prompts not empty.
        pad: A token id to fill with; it is masked.
        constraints: Over the model's tokenizer; needed where a row has a matcher.
        drafting: What is drafted. A model whose cache cannot take tokens back has no drafts.

    Attributes:
        rows: Those that are still in it.
        passes: How many there were.
    """

    def __init__(
        self, model: Any, rows: Sequence[Row], pad: int, constraints: Constraints | None, drafting: Drafting | None
    ) -> None:
        self.rows = list(rows)
        self.passes = 0
        self._model, self._pad = model, pad
        self._cache = caches.of(model.config)
        self._croppable = caches.croppable(model, self._cache)
        self._selectable = caches.selectable(self._cache)
        self._drafts = None
        if drafting is not None and self._croppable:
            self._drafts = [
                Drafts(drafting, row.prompt, constraints, greedy=row.temperature <= 0, expected=row.expected)
                for row in rows
            ]
        width = max(len(row.prompt) for row in rows)
        gaps = [width - len(row.prompt) for row in rows]
        self._fed = [[pad] * gap + row.prompt for gap, row in zip(gaps, rows, strict=True)]
        self._mask = self._of([[0] * gap + [1] * (width - gap) for gap in gaps])
        self._starts = [-gap for gap in gaps]  # the position of the first token that is fed
        self._lengths: list[int] = []  # of the drafts that were fed
        self._known: list[int] = []  # tokens that the cache holds of each row

    def read(self) -> tuple[torch.Tensor, list[list[int]]]:
        """One pass.

        Returns:
            Logits on the CPU, (rows, 1 + longest draft, vocabulary): behind what a row has written, and behind each
            token of its draft. And the drafts.
        """
        drafts = self._drafted()
        self._lengths = [len(draft) for draft in drafts]
        longest = max(self._lengths)
        gaps = [longest - length for length in self._lengths]
        for fed, draft, gap in zip(self._fed, drafts, gaps, strict=True):
            fed += [*draft, *[self._pad] * gap]
        if longest:
            filled = self._of([[1] * length + [0] * gap for length, gap in zip(self._lengths, gaps, strict=True)])
            self._mask = torch.cat([self._mask, filled], dim=1)
        tokens = self._of(self._fed)
        positions = self._of(self._starts)[:, None] + torch.arange(tokens.shape[1], device=tokens.device)
        output = self._model(
            input_ids=tokens,
            attention_mask=self._mask,
            position_ids=positions.clamp(min=0),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1 + longest,
        )
        self.passes += 1
        self._known = [start + len(fed) - gap for start, fed, gap in zip(self._starts, self._fed, gaps, strict=True)]
        return output.logits[:, -1 - longest :].float().cpu(), drafts

    def settle(self, taken: Sequence[int]) -> None:
        """Make ready for the next pass.

        Args:
            taken: Tokens of its draft that each row has taken.
        """
        if self._drafts is not None:
            for source, drafted, count in zip(self._drafts, self._lengths, taken, strict=True):
                source.judged(drafted, count)
        needed = [
            min(known, len(row.prompt) + len(row.ids) - (not row.finish))
            for known, row in zip(self._known, self.rows, strict=True)
        ]
        if needed != self._known:
            self._forget(needed)
        alive = [index for index, row in enumerate(self.rows) if not row.finish]
        if not alive or (self._selectable and len(alive) <= 3 * len(self.rows) // 4):
            needed = self._keep(alive, needed)
        self._starts = needed
        self._fed = [[(row.ids or row.prompt)[-1]] for row in self.rows]
        self._mask = torch.cat([self._mask, self._of([[int(not row.finish)] for row in self.rows])], dim=1)

    def _forget(self, needed: list[int]) -> None:
        """Mask all but the first so many tokens of each row, and cut off what no row needs."""
        self._mask = self._mask * (self._mask.cumsum(-1) <= self._of(needed)[:, None])
        tail = int(self._mask.any(0).flip(0).int().argmax())
        if tail and self._croppable:
            self._cache.crop(-tail)
            self._mask = self._mask[:, :-tail]

    def _keep(self, alive: list[int], needed: list[int]) -> list[int]:
        """Let all rows but some leave; what is needed of the others."""
        self.rows = [self.rows[index] for index in alive]
        if not alive:
            return []
        index = self._of(alive)
        self._cache.batch_select_indices(index)
        self._mask = self._mask[index]
        if self._drafts is not None:
            self._drafts = [self._drafts[index] for index in alive]
        return [needed[index] for index in alive]

    def _drafted(self) -> list[list[int]]:
        """A draft for each row, all of them as long as it pays."""
        if self._drafts is None:
            return [[] for _ in self.rows]
        drafts = [
            [] if row.finish else source.draft(row.ids, row.matcher, row.max_tokens - len(row.ids) - 1)
            for row, source in zip(self.rows, self._drafts, strict=True)
        ]
        most = useful([len(draft) for draft in drafts])
        return [draft[:most] for draft in drafts]

    def _of(self, values: list[Any]) -> torch.Tensor:
        """A tensor on the model's device."""
        return torch.tensor(values, device=self._model.device)
