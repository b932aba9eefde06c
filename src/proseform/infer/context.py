"""A role's prompts as the token ids that its model sees, and as a share of its context: without the model.

Needs the ``tokenizers`` library alone (:class:`~proseform.infer.bundled.BundleTokenizer`), so that the serve image
stays without torch. An engine by URL is sent the ids that training and the in-process engine use, and a completion is
fitted into the context that is left. Where the bundle's folder holds its manifest alone, as in a transformer's pod,
there is nothing to encode by, and a vLLM server is asked to count (:mod:`proseform.infer.http`).
"""

from __future__ import annotations

import json
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from proseform.bundle import Bundle, Role
from proseform.errors import StoreError
from proseform.infer import Request, calls, tokens
from proseform.prompt import Rendered

_END_OF_TURN = "<|im_end|>"
_KEPT = 256
"""Prompts whose ids are remembered: each is counted, then sent, and sent again after an error."""


class Encoder:
    """The prompts of one role as token ids. Thread-safe.

    Args:
        tokenizer: The role's; see :mod:`proseform.infer.tokens`.
        limit: Tokens that prompt and completion may have together.
    """

    def __init__(self, tokenizer: Any, limit: int) -> None:
        self.tokenizer = tokenizer
        self.limit = limit
        self._encoded = lru_cache(_KEPT)(self._encode)
        self._given = lru_cache(_KEPT)(partial(tokens.continuation, tokenizer))

    def ids(self, request: Request, *, prefill: bool = True) -> list[int]:
        """The ids of a request's prompt, and of the prefill behind it.

        Raises:
            ConfigError: The chat template refuses the conversation.
            InputError: Text of theirs cannot be kept apart from control tokens.
        """
        frame = calls.frame(self.tokenizer, request.prompt)
        given = frame.opening + (request.prefill if prefill else "")
        try:
            prompt = self._encoded(request.prompt)
        except _LongError as error:
            prompt = error.ids
        return [*prompt, *(self._given(given) if given else ())]

    def room(self, request: Request) -> int:
        """Tokens that are left for the completion; below 1 the prompt is too long."""
        return self.limit - len(self.ids(request))

    def bare(self, request: Request, text: str) -> str:
        """A completion's text without the end of a call's frame."""
        return calls.bare(text, calls.frame(self.tokenizer, request.prompt))

    def stop(self) -> list[int]:
        """The ids that end a completion: the tokenizer's, and the end of a ChatML turn."""
        named = (self.tokenizer.special_tokens_map.get("eos_token"), _END_OF_TURN)
        ids = (self.tokenizer.backend_tokenizer.token_to_id(token) for token in named if token)
        return sorted({number for number in ids if number is not None})

    def _encode(self, prompt: Rendered) -> tuple[int, ...]:
        """The ids of a prompt.

        Raises:
            _LongError: It will not be sent, and is not to be remembered: what is may be as large as a body.
        """
        ids = tuple(tokens.encode(self.tokenizer, prompt))
        if len(ids) > self.limit:
            raise _LongError(ids)
        return ids


class _LongError(Exception):
    """A prompt that the model has no room for.

    Attributes:
        ids: Its ids.
    """

    def __init__(self, ids: tuple[int, ...]) -> None:
        super().__init__()
        self.ids = ids


def encoders(folder: Path, bundle: Bundle) -> dict[Role, Encoder]:
    """An encoder for every role whose tokenizer lies in a bundle's folder; where only the manifest is there, none.

    Raises:
        StoreError: A tokenizer, or a model's configuration, that cannot be read.
    """
    known: dict[Role, Encoder] = {}
    loaded: dict[str, tokens.BundleTokenizer] = {}
    for role, part in bundle.parts.items():
        base = folder / part.base
        if (base / "tokenizer.json").is_file():
            own = _positions(base / "config.json")
            limit = min(own, part.generation.context_length or own)
            if part.base not in loaded:
                loaded[part.base] = tokens.BundleTokenizer.load(base)
                tokens.prepare(loaded[part.base])
            known[role] = Encoder(loaded[part.base], limit)
    return known


def _positions(path: Path) -> int:
    """How many positions a model has; without end where its configuration does not say."""
    try:
        stated = json.loads(path.read_text(encoding="utf-8")).get("max_position_embeddings") if path.is_file() else 0
    except (OSError, ValueError, AttributeError) as error:
        raise StoreError(f"{path}: no model's configuration ({error}).") from error
    return int(stated) if isinstance(stated, int) and stated > 0 else 1 << 20
