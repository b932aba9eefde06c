"""llguidance: by itself, and as Proseform asks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import fill_next_token_bitmask

from benchmarks.decoders import walk
from proseform.infer.grammars.compile import matcher
from proseform.infer.grammars.widening import settle
from proseform.schema import Schema

_TOKENIZER = LLTokenizer(walk.path().read_text(encoding="utf-8"), eos_token=walk.end_token())
_BITS = np.zeros((1, (_TOKENIZER.vocab_size + 31) // 32), dtype=np.int32)


class _Walker:
    """See :class:`benchmarks.decoders.walk.Walker`."""

    def __init__(self, begun: LLMatcher) -> None:
        self._matcher = begun

    def allows(self, token: int) -> bool:
        """See the protocol."""
        fill_next_token_bitmask(self._matcher, _BITS, 0)
        return bool(int(_BITS[0, token >> 5]) >> (token & 31) & 1)

    def take(self, token: int) -> None:
        """See the protocol."""
        self._matcher.consume_token(token)

    def ends(self) -> bool:
        """See the protocol."""
        return bool(self._matcher.is_accepting())


def _plain(schema: Mapping[str, Any]) -> Callable[[], _Walker]:
    """The library's own reading of a schema."""
    return _begun(LLMatcher(_TOKENIZER, LLMatcher.grammar_from_json_schema(json.dumps(schema)), log_level=0))


def _ours(schema: Mapping[str, Any]) -> Callable[[], _Walker]:
    """Our grammar of a schema: what cannot be enforced is left to the verifier."""
    settled = settle({"grammar": Schema(schema).grammar})
    if "refused" in settled:
        raise ValueError(settled["refused"])
    return _begun(matcher(_TOKENIZER, settled["grammar"]))


def _begun(made: LLMatcher) -> Callable[[], _Walker]:
    """What begins documents."""
    if made.is_error():
        raise ValueError(made.get_error())
    return lambda: _Walker(made.deep_copy())


def compile_plain(asked: Mapping[str, Any]) -> dict[str, Any]:
    """See :func:`benchmarks.decoders.walk.compiled`."""
    return walk.compiled(_plain, asked)


def walk_plain(asked: Mapping[str, Any]) -> dict[str, Any]:
    """See :func:`benchmarks.decoders.walk.walked`."""
    return walk.walked(_plain, asked)


def compile_ours(asked: Mapping[str, Any]) -> dict[str, Any]:
    """See :func:`benchmarks.decoders.walk.compiled`."""
    return walk.compiled(_ours, asked)


def walk_ours(asked: Mapping[str, Any]) -> dict[str, Any]:
    """See :func:`benchmarks.decoders.walk.walked`."""
    return walk.walked(_ours, asked)


settle({"grammar": {"type": "null"}})  # its tokenizer is made once, before anything is measured
