"""Two matchers as one: what both of them allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llguidance import LLMatcher


class Both:
    """As an :class:`~llguidance.LLMatcher`, as far as decoding asks one.

    Attributes:
        one: Says where a text ends.
        other: Allows any end.
    """

    def __init__(self, one: LLMatcher, other: LLMatcher) -> None:
        self.one = one
        self.other = other

    def deep_copy(self) -> Both:
        """A copy that goes its own way."""
        return Both(self.one.deep_copy(), self.other.deep_copy())

    def consume_token(self, token: int) -> bool:
        """Take a token; whether both did."""
        return self.consume_tokens([token])

    def consume_tokens(self, tokens: Sequence[int]) -> bool:
        """Take tokens; whether both did."""
        taken = [matcher.consume_tokens(list(tokens)) for matcher in (self.one, self.other)]
        return all(taken)

    def try_consume_tokens(self, tokens: Sequence[int]) -> int:
        """Take as many of the first tokens as both allow; how many."""
        most = min(matcher.validate_tokens(list(tokens)) for matcher in (self.one, self.other))
        taken = int(self.one.try_consume_tokens(list(tokens[:most])))
        self.other.try_consume_tokens(list(tokens[:taken]))
        return taken

    def is_stopped(self) -> bool:
        """Whether the text has ended."""
        return bool(self.one.is_stopped())

    def is_accepting(self) -> bool:
        """Whether it may end here."""
        return bool(self.one.is_accepting() and self.other.is_accepting())

    def is_error(self) -> bool:
        """Whether one of them has met a limit, or was given what it does not allow."""
        return bool(self.one.is_error() or self.other.is_error())

    def get_error(self) -> str:
        """What it says of that."""
        return str(self.one.get_error() or self.other.get_error())

    def compute_ff_tokens(self) -> list[int]:
        """Nothing: what one forces the other may forbid."""
        return []

    def compute_ff_bytes(self) -> bytes:
        """Nothing, likewise."""
        return b""
