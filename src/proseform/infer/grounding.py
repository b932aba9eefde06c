"""How much of an answer's free text stands in the prose it was made of; a report, never a reason to refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from proseform.schema import Schema


def grounding(value: Any, prose: str, schema: Schema) -> float:
    """The share of free strings of a JSON value that occur in the prose, case and white space aside, in [0, 1].

    Strings that the schema itself offers (enums, constants) are not free; without free strings it is 1.
    """
    offered = _offered(schema)
    free = [text for text in _strings(value) if text not in offered]
    flat = " ".join(prose.casefold().split())
    return sum(" ".join(text.casefold().split()) in flat for text in free) / len(free) if free else 1.0


@lru_cache(maxsize=16)
def _offered(schema: Schema) -> frozenset[str]:
    """The strings that a schema itself offers."""
    return frozenset(_strings(schema.document, keys=("enum", "const")))


def _strings(value: Any, keys: Sequence[str] | None = None, *, inside: bool = False) -> Iterator[str]:
    """Every string leaf; with ``keys`` only those below such a key."""
    if isinstance(value, str):
        if keys is None or inside:
            yield value
    elif isinstance(value, dict | Mapping):  # asking the abstract class alone takes longer
        for name, child in value.items():
            yield from _strings(child, keys, inside=inside or (keys is not None and name in keys))
    elif isinstance(value, list):
        for child in value:
            yield from _strings(child, keys, inside=inside)
