"""Constrained decoding by llguidance: at each step the tokens that keep a completion within a JSON schema.

llguidance never ignored a keyword that was tried; what it cannot enforce it refuses by name. Its masks are computed
through :mod:`llguidance.numpy` (0.1 ms a token; its torch helper took 652 ms). JSON is written in one form only, that
of :func:`json.dumps`: ``", "`` and ``": "``, no other white space, so that a model cannot fill its budget with blanks.
Left out: fast-forwarding of forced tokens; at these lengths it saves less than it complicates.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from proseform import digest
from proseform.errors import InputError
from proseform.infer import FORM

if TYPE_CHECKING:
    from llguidance import LLMatcher

_CACHED = 256


class Constraints:
    """Matchers over one tokenizer. Thread-safe.

    Args:
        tokenizer: A fast Hugging Face tokenizer.
        stop: The ids that end a completion.
        vocabulary: How many logits the model gives; may differ from the tokenizer's size, as embeddings are often padded.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[int], vocabulary: int) -> None:
        from llguidance.hf import from_tokenizer

        self._tokenizer = from_tokenizer(tokenizer, eos_token=list(stop))
        self._vocabulary = vocabulary
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()
        self._lock = threading.Lock()

    def matcher(self, schema: Mapping[str, Any], given: Sequence[int] = ()) -> LLMatcher:
        """A matcher at the beginning of a document, or behind the beginning that is given.

        Args:
            schema: A JSON schema. Compiled once and copied afterwards (the last 256 are kept).
            given: Token ids of a prefill.

        Raises:
            InputError: A schema that cannot be enforced (what llguidance says is in the message), or a prefill that
                begins no document of it.
        """
        key = digest.of_json(schema)
        with self._lock:
            compiled = self._compiled.get(key) or self._compile(schema)
            self._compiled[key] = compiled
            self._compiled.move_to_end(key)
            if len(self._compiled) > _CACHED:
                self._compiled.popitem(last=False)
            matcher = compiled.deep_copy()
        if given and not matcher.consume_tokens(list(given)):
            raise InputError(
                "The prefill begins no document of the schema.",
                hint="Leave the prefill out for a schema of another shape.",
            )
        return matcher

    def allowed(self, matchers: Sequence[LLMatcher | None]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which tokens may come next: a row for each matcher, a column for each logit. None allows all."""
        from llguidance.numpy import fill_next_token_bitmask

        words = (self._tokenizer.vocab_size + 31) // 32
        bits = np.full((len(matchers), words), -1, dtype=np.int32)
        for row, matcher in enumerate(matchers):
            if matcher is not None:
                fill_next_token_bitmask(matcher, bits, row)
        allowed = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, : self._vocabulary].astype(np.bool_)
        beyond = self._vocabulary - allowed.shape[1]
        if beyond > 0:
            free = np.array([[matcher is None] for matcher in matchers])
            allowed = np.concatenate([allowed, np.repeat(free, beyond, axis=1)], axis=1)
        return allowed

    def text(self, ids: Sequence[int]) -> str:
        """Exactly the bytes that a matcher accepted, as text; a character that was cut becomes U+FFFD."""
        return self._tokenizer.decode_bytes(list(ids)).decode(errors="replace")

    def _compile(self, schema: Mapping[str, Any]) -> LLMatcher:
        """Compile a schema."""
        from llguidance import LLMatcher

        matcher = LLMatcher(
            self._tokenizer, LLMatcher.grammar_from_json_schema(dict(schema), overrides=FORM), log_level=0
        )
        if matcher.is_error():
            raise InputError(
                f"The schema cannot be enforced: {matcher.get_error().strip().splitlines()[0]}.",
                hint="State it as plain properties, enums and bounds.",
            )
        return matcher
