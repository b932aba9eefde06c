"""Tokens that a row probably writes next, so that one pass of the model judges several of them.

Three sources: what whoever asks expects, which the reader of the prose knows; what the grammar forces, in the
tokenizer's own pieces; and what stood behind the same tokens before, in the prompt or in what was written (prompt
lookup). A draft is a guess: :mod:`proseform.infer.decode` takes a token of it
only where it would have chosen the same, so that what is written does not depend on drafts. Left out: draft models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from proseform.infer.grammars.both import Both
    from proseform.infer.grammars.constrain import Constraints

GRAMS = (3, 2, 1)
"""So many last tokens are looked up, the longest first."""

_FIRST, _LEAST = 8, 2
"""Tokens that a lookup may draft at first, and after it was wrong."""

_PASS = 24
"""A pass costs as much as so many positions in it, beside those: 9 to 12 with SmolLM2-135M on a CPU, 45 to 60 with half
a million parameters, hundreds on a GPU. Decides only how far the drafts of a batch are followed."""


@dataclass(frozen=True, slots=True)
class Drafting:
    """What is drafted.

    Attributes:
        forced: What the grammar forces.
        lookup: What stood behind the same tokens before; of greedy rows only.
        longest: Tokens of a draft, at least 1.
        expected: Tokens of a draft of a row of which it is known what is expected, at least 1; 0 asks nobody. Of greedy
            rows only.
    """

    forced: bool = True
    lookup: bool = True
    longest: int = 16
    expected: int = 96


DRAFTING = Drafting()
"""What engines draft unless told otherwise."""


class Drafts:
    """The drafts of one row.

    Args:
        drafting: What is drafted.
        prompt: The row's prompt.
        greedy: Whether the row is.
        constraints: Over the row's tokenizer; needed where the row has a matcher.
        expected: What the row is expected to write.
    """

    def __init__(
        self,
        drafting: Drafting,
        prompt: Sequence[int],
        constraints: Constraints | None,
        *,
        greedy: bool,
        expected: Sequence[int] = (),
    ) -> None:
        self._forced = constraints if drafting.forced else None
        self._lookup = drafting.lookup and greedy
        self._expected = list(expected) if drafting.expected and greedy else []
        self._reached = 0
        self._longest = drafting.expected if self._expected else drafting.longest
        self._prompt = len(prompt)
        self._history = list(prompt)
        self._behind: dict[tuple[int, ...], int] = {}
        self._indexed = 0
        self._trust = self._longest if self._expected else _FIRST
        self._sure = 0

    def draft(self, ids: Sequence[int], matcher: LLMatcher | Both | None, most: int) -> list[int]:
        """A draft.

        Args:
            ids: What the row has written.
            matcher: Behind it; left as it is.
            most: Tokens that the row may still write.
        """
        most = min(self._longest, most)
        if most < 1:
            return []
        if self._lookup:
            self._extend(ids)
        agreed = (one == other for one, other in zip(ids, self._expected, strict=False))
        self._reached = sum(takewhile(bool, agreed))
        draft: list[int] = []
        self._sure = 0
        copy = matcher.deep_copy() if matcher is not None else None
        guessed = 0
        while len(draft) < most:
            guess = _allowed(copy, self._foretold([*ids, *draft])[: self._trust - guessed])
            forced = [] if guess else _allowed(copy, self._next_forced(copy))
            if not (guess or forced):
                guess = _allowed(copy, self._found(draft)[: self._trust - guessed])
            if not (guess or forced):
                break
            self._sure += 0 if guessed else len(forced)
            guessed += len(guess)
            draft += guess or forced
        return draft[:most]

    def judged(self, drafted: int, taken: int) -> None:
        """Tell how many tokens were drafted last and how many were taken: the next lookup is longer or shorter."""
        if taken == drafted > self._sure:
            self._trust = min(self._longest, 2 * self._trust)
        elif self._sure <= taken < drafted:
            self._trust = max(_LEAST, taken - self._sure)

    def _next_forced(self, matcher: LLMatcher | Both | None) -> list[int]:
        """What the grammar forces."""
        if self._forced is None or matcher is None or matcher.is_stopped():
            return []
        # llguidance keeps back a last piece that could be part of a longer token; as a guess it is good enough
        return list(matcher.compute_ff_tokens()) or self._forced.encode(matcher.compute_ff_bytes())

    def _foretold(self, written: Sequence[int]) -> list[int]:
        """What is expected behind what was written; from where the two agree again, where they have parted."""
        if not self._expected:
            return []
        if written == self._expected[: len(written)]:
            return self._expected[len(written) :]
        for size in GRAMS:
            for at in range(max(size, self._reached), len(self._expected)):
                if self._expected[at - size : at] == written[-size:]:
                    return self._expected[at:]
        return []

    def _found(self, draft: Sequence[int]) -> list[int]:
        """What stood behind the last tokens when they were last there."""
        if not self._lookup:
            return []
        last = (*self._history[-max(GRAMS) :], *draft)
        for size in GRAMS:
            at = self._behind.get(last[-size:])
            if at is not None and at < len(self._history):
                return self._history[at : at + self._longest]
        return []

    def _extend(self, ids: Sequence[int]) -> None:
        """Index what has been written since; the last token has nothing behind it yet."""
        self._history[self._prompt + min(len(ids), len(self._history) - self._prompt) :] = ()
        self._history += ids[len(self._history) - self._prompt :]
        for at in range(min(self._indexed, len(self._history)) + 1, len(self._history)):
            for size in GRAMS:
                if size <= at:
                    self._behind[tuple(self._history[at - size : at])] = at
        self._indexed = max(0, len(self._history) - 1)


def _allowed(matcher: LLMatcher | Both | None, piece: Sequence[int]) -> list[int]:
    """As much of a piece as the grammar allows; its matcher stands behind that."""
    return list(piece if matcher is None else piece[: matcher.try_consume_tokens(list(piece))])


def useful(lengths: Sequence[int]) -> int:
    """Tokens to which the drafts of a batch are followed: the width that gives most tokens for the pass's cost.

    >>> useful([16])
    16
    >>> useful([0] * 31 + [16])
    0
    """
    rows = len(lengths)
    widths = range(max(lengths) + 1)
    return max(
        widths,
        key=lambda most: (rows + sum(min(most, one) for one in lengths)) / (_PASS + rows * (1 + most)),
        default=0,
    )
