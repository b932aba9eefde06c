"""A vocabulary of the 256 bytes, as llguidance takes it: for what is asked of a grammar whatever the tokenizer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from llguidance import LLTokenizer


@cache
def tokenizer() -> LLTokenizer:
    """The tokenizer over it."""
    from llguidance import LLTokenizer

    return LLTokenizer(_Bytes())


class _Bytes:
    """The 256 bytes and an end."""

    eos_token_id = 256
    bos_token_id = None
    tokens: ClassVar = [*(bytes((byte,)) for byte in range(256)), b"<end>"]
    special_token_ids: ClassVar = [256]
    is_tokenizer_wrapper = True

    def __call__(self, text: str | bytes) -> list[int]:
        """Text as tokens."""
        return list(text.encode() if isinstance(text, str) else text)
