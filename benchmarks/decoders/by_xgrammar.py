"""xgrammar, with one thread and without its cache of grammars."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import xgrammar

from benchmarks.decoders import walk

_VOCABULARY = walk.vocabulary()
_COMPILER = xgrammar.GrammarCompiler(
    xgrammar.TokenizerInfo(_VOCABULARY, xgrammar.VocabType.RAW, stop_token_ids=[walk.end_token()]),
    max_threads=1,
    cache_enabled=False,
)
_BITS = xgrammar.allocate_token_bitmask(1, len(_VOCABULARY))
_WORDS = _BITS.numpy()


class _Walker:
    """See :class:`benchmarks.decoders.walk.Walker`."""

    def __init__(self, begun: Any) -> None:
        self._matcher = begun

    def allows(self, token: int) -> bool:
        """See the protocol. A mask that holds everything is not written, and said so."""
        written = self._matcher.fill_next_token_bitmask(_BITS)
        return not written or bool(int(_WORDS[0, token >> 5]) >> (token & 31) & 1)

    def take(self, token: int) -> None:
        """See the protocol."""
        if not self._matcher.accept_token(token):
            raise ValueError(f"Token {token} stands in the mask and is not accepted.")

    def ends(self) -> bool:
        """See the protocol."""
        return self.allows(walk.end_token())


def _grammar(schema: Mapping[str, Any]) -> Callable[[], _Walker]:
    """The library's own reading of a schema."""
    grammar = _COMPILER.compile_json_schema(json.dumps(schema))
    return lambda: _Walker(xgrammar.GrammarMatcher(grammar))


def compile_it(asked: Mapping[str, Any]) -> dict[str, Any]:
    """See :func:`benchmarks.decoders.walk.compiled`."""
    return walk.compiled(_grammar, asked)


def walk_it(asked: Mapping[str, Any]) -> dict[str, Any]:
    """See :func:`benchmarks.decoders.walk.walked`."""
    return walk.walked(_grammar, asked)
