"""Constrained decoding by llguidance: at each step the tokens that keep a completion within a JSON schema.

llguidance never ignored a keyword that was tried; what it cannot enforce it refuses by name. Its masks are computed
through :mod:`llguidance.numpy` (0.1 ms a token; its torch helper took 652 ms). JSON is written in one form only, that
of :func:`json.dumps`: ``", "`` and ``": "``, no other white space, so that a model cannot fill its budget with blanks.
What is forced is drafted (:mod:`proseform.infer.drafts`), not taken unseen.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from proseform import bytewise, digest
from proseform.errors import InputError
from proseform.infer.endings.budget import Budget
from proseform.infer.endings.search import Endings
from proseform.infer.grammars.both import Both
from proseform.infer.grammars.compilations import Compilations
from proseform.infer.grammars.compile import held
from proseform.infer.grammars.compile import matcher as compiled
from proseform.infer.grammars.examine import checked

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from proseform.guided import Form

T = TypeVar("T")
_LOG = logging.getLogger("proseform.infer")

_KEPT_BYTES = 64 << 20
"""Compilations of so many bytes, about, are kept: of matchers, and of endings as many again."""
_LEAST_BYTES = 1 << 20
"""What a compilation counts as, at least: it tells no size, and its automaton grows while documents are read, by about
4 kB a character of a long text. A schema of 2 kB: 0.2 to 0.4 MB when it is new, 1 MB after one document."""
_GROWS = 100
"""Bytes of a compilation for each byte of a large schema's JSON, about: 200 fields, 10 kB, came to 0.9 MB."""


class Constraints:
    """Matchers over one tokenizer. Thread-safe.

    Args:
        tokenizer: A fast Hugging Face tokenizer.
        stop: The ids that end a completion.
        vocabulary: How many logits the model gives; may differ from the tokenizer's size, as embeddings are often
            padded.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[int], vocabulary: int) -> None:
        from llguidance.hf import from_tokenizer

        self._tokenizer = from_tokenizer(tokenizer, eos_token=list(stop))
        self._vocabulary = vocabulary
        self._stop = frozenset(stop)
        self._pieces: dict[int, bytes] = {}
        self._matchers: Compilations[LLMatcher] = Compilations(_KEPT_BYTES)
        self._endings: Compilations[Endings] = Compilations(_KEPT_BYTES)

    def matcher(
        self,
        schema: Mapping[str, Any],
        prefill: Sequence[int] = (),
        *,
        deadline: float | None = None,
        left: Future[None] | None = None,
        once: bool = False,
    ) -> LLMatcher:
        """A matcher at the beginning of a document, or behind a prefill.

        Args:
            schema: A JSON schema. Compiled once and copied afterwards.
            prefill: Token ids of the beginning of the document.
            deadline: When to give up, on the clock of :func:`time.monotonic`, in seconds.
            left: See :meth:`Compilations.get`.
            once: Whether nobody will ask for the schema again, so that it is not kept.

        Raises:
            InputError: A schema that cannot be enforced (what llguidance says is in the message), or a prefill that
                begins no document of it.
            Refusal: ``deadline``.
        """
        make = partial(self._compile, schema, self._tokenizer)
        matcher = _kept(self._matchers, schema, make, lambda matcher: matcher, deadline, left, once=once).deep_copy()
        if prefill and not matcher.consume_tokens(list(prefill)):
            raise InputError(
                "The prefill begins no document of the schema.",
                hint="Leave the prefill out for a schema of another shape.",
            )
        return matcher

    def held(self, form: Form, prefill: Sequence[int] = ()) -> LLMatcher | Both | None:
        """A matcher at the beginning of a text of a form, or behind a prefill; compiled for this text alone.

        None where llguidance cannot hold a text to it within its limits, or the prefill begins none: the text runs free
        then, and is judged all the same.
        """
        matcher = self._of(form.filled(), prefill)
        behind = self._of(form.behind) if form.behind and matcher is not None else None
        return matcher if matcher is None or behind is None else Both(matcher, behind)

    def _of(self, grammar: str, prefill: Sequence[int] = ()) -> LLMatcher | None:
        """A matcher of a Lark grammar; None where there is none."""
        matcher = held(self._tokenizer, grammar)
        if not matcher.is_error():
            matcher.consume_tokens(list(prefill))
        if matcher.is_error():
            _LOG.warning("an evaluation is written freely: llguidance does not take its grammar")  # which holds inputs
            return None
        return matcher

    def own(self, schema: Mapping[str, Any], prefill: Sequence[int]) -> LLMatcher:
        """A matcher behind a prefill that shares nothing with others, for a schema that :meth:`matcher` has taken.

        Raises:
            InputError: Its compilation meets a limit all the same.
        """
        matcher = self._compile(schema, self._tokenizer)
        matcher.consume_tokens(list(prefill))
        return matcher

    def endings(
        self,
        schema: Mapping[str, Any],
        *,
        deadline: float | None = None,
        left: Future[None] | None = None,
        once: bool = False,
    ) -> Endings:
        """The endings of a schema's documents. Compiled once; arguments and errors as of :meth:`matcher`."""

        def make() -> Endings:
            return Endings(schema, self._compile(schema, bytewise.tokenizer()))

        return _kept(self._endings, schema, make, lambda endings: endings.start().matcher, deadline, left, once=once)

    def budget(
        self,
        schema: Mapping[str, Any],
        prefill: Sequence[int],
        most: int,
        *,
        deadline: float | None = None,
        once: bool = False,
    ) -> Budget:
        """What ends a document of a schema within so many tokens.

        Args:
            schema: The schema.
            prefill: Token ids of the beginning of the document.
            most: Tokens of the longest completion, prefill not counted.
            deadline: On :func:`time.monotonic`'s clock, in seconds.
            once: See :meth:`matcher`.
        """
        endings = partial(self.endings, schema, deadline=deadline, once=once)
        return Budget(endings, self.decode(prefill), most, self.encode, self.decode, self._stop, deadline)

    def encode(self, text: bytes) -> list[int]:
        """Bytes as tokens of the tokenizer: its own where they say the same bytes, else the longest that fit."""
        tokens = list(self._tokenizer.tokenize_bytes(text))
        if self.decode(tokens) != text:
            tokens = list(self._tokenizer.greedy_tokenize(text.decode(errors="replace")))
        return tokens

    def decode(self, ids: Sequence[int]) -> bytes:
        """Exactly the bytes that a matcher accepts."""
        if len(ids) != 1:
            return bytes(self._tokenizer.decode_bytes(list(ids)))
        piece = self._pieces.get(ids[0])
        if piece is None:
            piece = self._pieces[ids[0]] = bytes(self._tokenizer.decode_bytes(list(ids)))
        return piece

    def allowed(self, matchers: Sequence[LLMatcher | Both | None]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which tokens may come next: a row for each matcher, a column for each logit. None allows all."""
        from llguidance.numpy import fill_next_token_bitmask

        words = (self._tokenizer.vocab_size + 31) // 32
        bits = np.full((len(matchers), words), -1, dtype=np.int32)
        for row, matcher in enumerate(matchers):
            if isinstance(matcher, Both):
                other = np.full((1, words), -1, dtype=np.int32)
                fill_next_token_bitmask(matcher.one, bits, row)
                fill_next_token_bitmask(matcher.other, other, 0)
                bits[row] &= other[0]
            elif matcher is not None:
                fill_next_token_bitmask(matcher, bits, row)
        allowed = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, : self._vocabulary].astype(np.bool_)
        beyond = self._vocabulary - allowed.shape[1]
        if beyond > 0:
            free = np.array([[matcher is None] for matcher in matchers])
            allowed = np.concatenate([allowed, np.repeat(free, beyond, axis=1)], axis=1)
        return allowed

    def text(self, ids: Sequence[int]) -> str:
        """The bytes that a matcher accepts, as text; a character that was cut becomes U+FFFD."""
        return self.decode(ids).decode(errors="replace")

    @staticmethod
    def _compile(schema: Mapping[str, Any], tokenizer: Any) -> LLMatcher:
        """Compile a schema, once its compilation is known to be bounded."""
        examination = checked(schema)
        if examination.refusal:
            raise InputError(f"The schema cannot be enforced, at {examination.place or '/'}: {examination.refusal}.")
        matcher = compiled(tokenizer, examination.grammar)
        if matcher.is_error():
            raise InputError(f"The schema cannot be enforced: {matcher.get_error().strip().splitlines()[0]}.")
        return matcher


def exhausted(matcher: LLMatcher | Both) -> bool:
    """Whether a matcher has met a limit of its automaton, which it shares with all of its copies.

    The automaton of a grammar is built while documents are read, and one document can use up what is allowed for all.
    """
    return matcher.is_error() and "lexer error" in matcher.get_error()


def _kept(
    kept: Compilations[T],
    schema: Mapping[str, Any],
    make: Callable[[], T],
    matcher_of: Callable[[T], LLMatcher],
    deadline: float | None,
    left: Future[None] | None,
    *,
    once: bool,
) -> T:
    """What is kept for a schema, or compiled now; what is used up is forgotten and compiled once more."""
    key = digest.of_json(schema)
    size = _KEPT_BYTES + 1 if once else max(_LEAST_BYTES, _GROWS * len(json.dumps(schema)))
    for _ in range(2):
        value = kept.get(key, lambda: (make(), size), deadline, left)
        probe = matcher_of(value).deep_copy()
        probe.compute_bitmask()
        if not exhausted(probe):
            break
        kept.forget(key, value)
    return value
