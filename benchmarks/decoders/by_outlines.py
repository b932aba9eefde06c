"""outlines-core: a schema becomes a regular expression, and that an index over the whole vocabulary."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from outlines_core import Guide, Index, Vocabulary
from outlines_core.json_schema import build_regex_from_schema

from benchmarks.decoders import walk


def _vocabulary() -> Any:
    """Its vocabulary: bytes to ids, without the end token, which it wants apart."""
    end, ids = walk.end_token(), dict[bytes, list[int]]()
    for number, piece in enumerate(walk.vocabulary()):
        if number != end:
            ids.setdefault(piece, []).append(number)
    return Vocabulary(end, ids)


_VOCABULARY = _vocabulary()
_BITS = np.zeros((1, (walk.tokenizer().get_vocab_size() + 31) // 32), dtype=np.int32)


class _Walker:
    """See :class:`benchmarks.decoders.walk.Walker`."""

    def __init__(self, guide: Any) -> None:
        self._guide = guide

    def allows(self, token: int) -> bool:
        """See the protocol."""
        self._guide.write_mask_into(_BITS.ctypes.data, _BITS.size, _BITS.itemsize)
        return bool(int(_BITS[0, token >> 5]) >> (token & 31) & 1)

    def take(self, token: int) -> None:
        """See the protocol."""
        self._guide.advance(token, return_tokens=False)

    def ends(self) -> bool:
        """See the protocol."""
        return self.allows(walk.end_token())


def _indexed(schema: Mapping[str, Any]) -> Callable[[], _Walker]:
    """The library's own reading of a schema."""
    index = Index(build_regex_from_schema(json.dumps(schema)), _VOCABULARY)
    return lambda: _Walker(Guide(index))


def compile_it(asked: Mapping[str, Any]) -> dict[str, Any]:
    """See :func:`benchmarks.decoders.walk.compiled`."""
    return walk.compiled(_indexed, asked)


def walk_it(asked: Mapping[str, Any]) -> dict[str, Any]:
    """See :func:`benchmarks.decoders.walk.walked`."""
    return walk.walked(_indexed, asked)
