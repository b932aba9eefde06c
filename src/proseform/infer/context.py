"""A role's prompts as the token ids that its model sees, counted and sent without the model.

Needs the ``tokenizers`` library alone (:class:`~proseform.infer.bundled.BundleTokenizer`), so that the serve image stays
without torch. Prompts are counted as training and the in-process engine tokenise them: :func:`proseform.infer.tokens.encode`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from proseform.bundle import Bundle, Role
from proseform.infer import Request, tokens
from proseform.prompt import Rendered

TOKENIZER = "tokenizer.json"
_KEPT = 256
"""Prompts whose ids are remembered: each is counted, then sent, and sent again after an error."""


class Encoder:
    """The prompts of one role as token ids. Thread-safe.

    Args:
        tokenizer: The role's; see :mod:`proseform.infer.tokens`.
        limit: Tokens that prompt and completion may have together; 0 where the bundle does not state it.
    """

    def __init__(self, tokenizer: Any, limit: int) -> None:
        self.tokenizer = tokenizer
        self._limit = limit
        self._encoded = lru_cache(_KEPT)(self._encode)

    def ids(self, request: Request, *, prefill: bool = True) -> list[int]:
        """The ids of a request's prompt, and of the prefill behind it.

        Raises:
            ConfigError: The chat template refuses the conversation.
            InputError: Text of theirs cannot be kept apart from control tokens.
        """
        prompt = self._encoded(request.prompt)
        return [*prompt, *tokens.continuation(self.tokenizer, request.prefill if prefill else "")]

    def room(self, request: Request) -> int | None:
        """Tokens that are left for the completion; below 1 the prompt is too long. None without a limit."""
        return self._limit - len(self.ids(request)) if self._limit else None

    def _encode(self, prompt: Rendered) -> tuple[int, ...]:
        """The ids of a prompt."""
        return tuple(tokens.encode(self.tokenizer, prompt))


def encoders(folder: Path, bundle: Bundle) -> dict[Role, Encoder]:
    """An encoder for every role whose tokenizer lies in a bundle's folder; where only the manifest is there, none.

    Raises:
        StoreError: A tokenizer that cannot be read.
    """
    return {
        role: Encoder(tokens.BundleTokenizer.load(folder / part.base), part.generation.context_length)
        for role, part in bundle.parts.items()
        if (folder / part.base / TOKENIZER).is_file()
    }
