"""The generation loop: a left-padded batch, a key-value cache, one mask a row.

Imported by :mod:`proseform.infer.local` only.

Shorter than ``transformers.generate`` with logits processors, and faster for small models: rows that have ended leave
the batch, and a matcher stops its row at the closing brace. A row with a
:class:`~proseform.infer.endings.budget.Budget` ends its document within ``max_tokens``; tokens that it takes back stay
in the cache, masked. One pass may judge several tokens of a row: what was drafted (:mod:`proseform.infer.drafts`) is
chosen token by token, as if each had had a pass of its own, for as long as what is chosen is what was drafted. Left
out: beam search, top-k/top-p.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

from proseform.errors import InputError, Refusal
from proseform.infer import encoded, passes
from proseform.infer.grammars.constrain import exhausted

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from proseform.infer.drafts import Drafting
    from proseform.infer.endings.budget import Budget
    from proseform.infer.grammars.both import Both
    from proseform.infer.grammars.constrain import Constraints

_RANKED = 4
"""So many of the model's likeliest tokens are tried where a budget is tight."""


@dataclass(slots=True)
class Row:
    """One completion in the making.

    Attributes:
        prompt: Token ids, prefill included.
        given: How many of them, the last ones, an encoder-decoder has as what it has written; nothing to others.
        max_tokens: The longest completion.
        temperature: 0 is greedy.
        seed: Of this row's own noise.
        matcher: What constrains it; None lets it run free.
        deadline: On :func:`time.monotonic`'s clock, in seconds.
        watch: Called after every token; False ends the row, because whoever asked has gone.
        budget: What ends its document in time; None cuts it where the tokens end.
        renew: Gives a matcher of the row's own, behind the prefill, or None, which lets it run free; asked once,
            where the other is used up.
        expected: What is probably generated; it may only save passes.
        ids: What was generated, stop tokens left out.
        finish: How it ended.
        fault: Why a constrained document did not come to its end, where time was left.
        noise: What it is sampled with.
    """

    prompt: list[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    matcher: LLMatcher | Both | None = None
    deadline: float | None = None
    given: int = 0
    watch: Callable[[Row], bool] | None = None
    budget: Budget | None = None
    renew: Callable[[], LLMatcher | None] | None = None
    expected: Sequence[int] = ()
    ids: list[int] = field(default_factory=list)
    finish: Literal["stop", "length", "deadline", "left", ""] = ""
    fault: Refusal | None = None
    noise: torch.Generator = field(init=False)
    _start: LLMatcher | Both | None = None

    def __post_init__(self) -> None:
        """Keep the matcher's first state: tokens may be taken back."""
        self.noise = torch.Generator().manual_seed(self.seed)
        self._start = self.matcher.deep_copy() if self.matcher is not None else None

    def take(self, token: int, stop: frozenset[int], now: float) -> int:
        """Append a token, or end; how many tokens are taken back so that an ending fits."""
        if token in stop:
            return self._stopped()
        self.ids.append(token)
        if self.matcher is not None and (not self.matcher.consume_token(token) or self.matcher.is_stopped()):
            return self._stopped(1)
        try:
            dropped = 0 if self.budget is None else self._back(self.budget.check(self.ids))
        except Refusal as refusal:  # time was up while the endings were compiled
            self.finish, self.fault = "deadline", refusal
            return 0
        if len(self.ids) >= self.max_tokens:
            whole = self.matcher is not None and self.matcher.is_accepting()
            self.finish = "stop" if whole else "length"
            self.fault = self.budget.refusal() if self.budget is not None and not whole else None
        elif self.deadline is not None and now > self.deadline:
            self.finish = "deadline"
        return dropped

    def _stopped(self, taken: int = 0) -> int:
        """End where the matcher has ended; behind a matcher that is used up go on with another, or freely.

        Args:
            taken: Tokens that were taken with the matcher's last word.
        """
        if self.matcher is None or self.renew is None or not exhausted(self.matcher):
            self._end_of(self.matcher)
            return 0
        renew, self.renew = self.renew, None
        try:
            self._start = renew()
        except InputError:  # as the schema was taken before, its compilation met a limit just now
            self._end_of(self.matcher)
            return 0
        self._restart(self._start, len(self.ids) - taken)
        return 1  # the last token is read by the model once more

    def _end_of(self, matcher: LLMatcher | Both | None) -> None:
        """End where the model or the matcher ends; a matcher may also have met a limit of its own, or a dead end."""
        if matcher is None or (not matcher.is_error() and matcher.is_accepting()):
            self.finish = "stop"
            return
        self.finish = "length"
        reason = (matcher.get_error().strip().splitlines() or ["no reason was given"])[0]
        if "NoExtension" in reason:
            self.fault = Refusal(
                "engine",
                "The schema has no document that the grammar engine could write.",
                hint="Check the schema for parts that contradict one another.",
            )
        else:
            self.fault = Refusal(
                "engine",
                f"The grammar engine gave up on the schema: {reason[:200]}",
                hint="Ask for a simpler schema; patterns, multiples and long lists of alternatives cost most.",
            )

    def _back(self, kept: int) -> int:
        """Take back all tokens but the first so many; how many that were."""
        dropped = len(self.ids) - kept
        if dropped and self._start is not None:
            self._restart(self._start, kept)
        return dropped

    def _restart(self, start: LLMatcher | Both | None, kept: int) -> None:
        """Keep the first so many tokens, and stand behind them with a copy of a matcher at the beginning, if any."""
        del self.ids[kept:]
        self.matcher = None if start is None else start.deep_copy()
        if self.matcher is not None:
            self.matcher.consume_tokens(self.ids)


def run(
    model: Any,
    rows: Sequence[Row],
    constraints: Constraints | None,
    *,
    pad: int,
    stop: frozenset[int],
    drafting: Drafting | None = None,
) -> int:
    """Complete the rows in place.

    Args:
        model: A causal language model or an encoder-decoder, in evaluation mode.
        rows: At least one; prompts not empty.
        constraints: Gives the masks; needed where a row has a matcher.
        pad: A token id to fill with; it is masked.
        stop: The ids that end a completion.
        drafting: What is drafted; None has a pass for each token, as an encoder-decoder always has. Changes no row but
            for the rounding of its logits.

    Returns:
        How many passes the model made.
    """
    batch = (
        encoded.Batch(model, rows, pad)
        if model.config.is_encoder_decoder
        else passes.Batch(model, rows, pad, constraints, drafting)
    )
    with torch.inference_mode():
        while batch.rows:
            logits, drafts = batch.read()
            batch.settle(_judge(batch.rows, logits, drafts, constraints, stop))
    return batch.passes


def _judge(
    rows: Sequence[Row],
    logits: torch.Tensor,
    drafts: Sequence[Sequence[int]],
    constraints: Constraints | None,
    stop: frozenset[int],
) -> list[int]:
    """Let rows choose and take tokens for as long as they are those of their drafts; how many of them each row took.

    Args:
        rows: The batch.
        logits: (rows, 1 + longest draft, vocabulary).
        drafts: A draft for each row.
        constraints: As for :func:`run`.
        stop: As for :func:`run`.
    """
    taken = [0] * len(rows)
    going = [index for index, row in enumerate(rows) if not row.finish]
    for ahead in range(logits.shape[1]):
        chosen = _choose(logits[going, ahead], [rows[index] for index in going], constraints)
        now = time.monotonic()
        agreed = []
        for index, token in zip(going, chosen, strict=True):
            row, draft = rows[index], drafts[index]
            dropped = row.take(token, stop, now)
            if row.watch is not None and not row.watch(row):
                row.finish = "left"
            if not row.finish and not dropped and draft[ahead : ahead + 1] == [token]:
                taken[index] += 1
                agreed.append(index)
        going = agreed
        if not going:
            break
    return taken


def _choose(logits: torch.Tensor, rows: Sequence[Row], constraints: Constraints | None) -> list[int]:
    """The next token of each row: the likeliest, or a sample by the exponential race p / Exp(1).

    Then the budget's word.
    """
    matchers = [row.matcher for row in rows]
    if constraints is not None and any(matcher is not None for matcher in matchers):
        logits = logits.masked_fill(~torch.from_numpy(constraints.allowed(matchers)), -torch.inf)
    chosen: list[int] = logits.argmax(-1).tolist()
    for index, row in enumerate(rows):
        if row.temperature > 0:
            race = torch.empty(logits.shape[1]).exponential_(generator=row.noise)
            chosen[index] = int((torch.softmax(logits[index] / row.temperature, -1) / race).argmax())
        if row.budget is not None:
            chosen[index] = _kept(logits[index], row.budget, row.ids, chosen[index])
    return chosen


def _kept(logits: torch.Tensor, budget: Budget, ids: list[int], token: int) -> int:
    """The token that the budget takes in the place of the one that was chosen, or that one itself."""

    def ranked(most: int) -> Iterator[int]:
        values, likeliest = logits.topk(min(most, len(logits)))
        return (int(other) for value, other in zip(values, likeliest, strict=True) if value > -torch.inf)

    token = budget.permitted(ids, token, lambda: ranked(len(logits)))
    if budget.tight:
        others = (other for other in ranked(_RANKED) if other != token and not budget.lapses.lapse(ids, other))
        token = budget.choose(ids, [token, *others])
    budget.lapses.take(token)
    return token
