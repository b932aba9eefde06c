"""The batch as an encoder-decoder reads it: prompts once, then what each row has written, token by token.

Imported by :mod:`proseform.infer.decode` only, as :mod:`~proseform.infer.passes` is for models that have a decoder
alone. Rows whose decoders have read equally much stand in one group with a cache of their own, so that no decoder ever
sees padding: T5 counts distances and BART positions by the cache's places, and neither can be told of others. A row
that takes tokens back goes on in a group of its own, read anew from its beginning. Left out: drafts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from proseform.infer import cache as caches

if TYPE_CHECKING:
    from proseform.infer.decode import Row


@dataclass
class _Group:
    """Rows whose decoders have read equally much.

    Attributes:
        rows: Them.
        states: What the encoder gives of their prompts, (rows, longest prompt, width).
        mask: Where a prompt has a token, (rows, longest prompt).
        cache: Of the decoder: keys and values of what it has read, and of ``states``.
        read: Tokens that it has read.
    """

    rows: list[Row]
    states: torch.Tensor
    mask: torch.Tensor
    cache: Any
    read: int = 0

    def only(self, kept: Sequence[int]) -> None:
        """Let all rows but some leave."""
        self.rows = [self.rows[index] for index in kept]
        index = torch.tensor(kept, device=self.mask.device)
        self.states, self.mask = self.states[index], self.mask[index]
        self.cache.batch_select_indices(index)


class Batch:
    """Rows that are decoded at once; see :class:`proseform.infer.passes.Batch`.

    Args:
        model: An encoder-decoder, in evaluation mode.
        rows: At least one; prompts not empty.
        pad: A token id to fill with; it is masked.

    Attributes:
        rows: Those that are still in it.
        passes: How many the decoder made.
    """

    def __init__(self, model: Any, rows: Sequence[Row], pad: int) -> None:
        self.passes = 0
        self._model, self._pad = model, pad
        self._start = int(model.config.decoder_start_token_id)
        self._groups: list[_Group] = []
        for given in sorted({row.given for row in rows}):
            self._groups.append(self._encoded([row for row in rows if row.given == given]))

    @property
    def rows(self) -> list[Row]:
        """See the class."""
        return [row for group in self._groups for row in group.rows]

    def read(self) -> tuple[torch.Tensor, list[list[int]]]:
        """One pass for each group: logits on the CPU, (rows, 1, vocabulary), and no drafts."""
        logits = torch.cat([self._pass(group) for group in self._groups])
        return logits.float().cpu(), [[] for _ in self.rows]

    def settle(self, taken: Sequence[int]) -> None:
        """Make ready for the next pass: rows that have ended leave, those that took tokens back go on alone."""
        del taken  # of drafts, which there are none of
        groups: list[_Group] = []
        for group in self._groups:
            going = [index for index, row in enumerate(group.rows) if not row.finish]
            level = [index for index in going if len(self._written(group.rows[index])) > group.read]
            for index in going:
                if index not in level:
                    alone = slice(index, index + 1)
                    fresh = caches.of_encoder_decoder(self._model.config)
                    groups.append(_Group([group.rows[index]], group.states[alone], group.mask[alone], fresh))
            if level:
                if len(level) < len(group.rows):
                    group.only(level)
                groups.append(group)
        self._groups = groups

    def _written(self, row: Row) -> list[int]:
        """What the decoder reads of a row: its start, the prefill, and what was generated."""
        return [self._start, *row.prompt[len(row.prompt) - row.given :], *row.ids]

    def _encoded(self, rows: list[Row]) -> _Group:
        """Rows whose prompts the encoder has read, padded on the right."""
        prompts = [row.prompt[: len(row.prompt) - row.given] for row in rows]
        longest = max(map(len, prompts))
        device = self._model.device
        ids = torch.tensor([ids + [self._pad] * (longest - len(ids)) for ids in prompts], device=device)
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in prompts], device=device)
        with torch.inference_mode():
            states = self._model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        return _Group(rows, states, mask, caches.of_encoder_decoder(self._model.config))

    def _pass(self, group: _Group) -> torch.Tensor:
        """The decoder reads what is new of each row; logits behind it, (rows, 1, vocabulary)."""
        new = [self._written(row)[group.read :] for row in group.rows]
        output = self._model(
            encoder_outputs=(group.states,),
            attention_mask=group.mask,
            decoder_input_ids=torch.tensor(new, device=self._model.device),
            past_key_values=group.cache,
            use_cache=True,
        )
        group.read += len(new[0])
        self.passes += 1
        return output.logits[:, -1:]
