"""Which lines of the inputs bear on what is quoted at a place of a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proseform.claims import quotes
from proseform.claims.judged import at, lowered, terms
from proseform.claims.stated import Claims, Synonyms


def bearing(
    value: Any, place: str, claims: Claims, texts: Mapping[str, str], synonyms: Synonyms
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    r"""The lines that name the thing beside a quote, and its names as they stand there.

    Both are empty where it may be about anything, or nothing names its thing.

    Args:
        value: A value that conforms to the schema.
        place: JSON pointer of the quote.
        claims: What the schema states.
        texts: The inputs, or what is shown of them, by name.
        synonyms: Other names of things.

    >>> from proseform.schema import Schema
    >>> from proseform.claims import claims
    >>> shown = {"x-from": "note", "x-supports": {"names": "of"}}
    >>> stated = claims(Schema({"properties": {"of": {}, "shown": shown}}), ["note"])
    >>> bearing({"of": "map", "shown": "pen"}, "/shown", stated, {"note": "a pen\nan old Map"}, {})
    (('an old Map',), ('Map',))
    """
    for where, location, stated in claims.schema.annotations(value):
        source = claims.source(location, stated)
        if where != place or source is None or not source.names:
            continue
        names = terms(at(value, place)[1].get(source.names), source.split, synonyms)
        lines = (line for name in source.inputs for line in texts[name].split("\n"))
        bear = {line: found for line in lines if (found := tuple(_standing(line, names)))}
        return tuple(bear), tuple(dict.fromkeys(name for found in bear.values() for name in found))
    return (), ()


def _standing(line: str, names: Sequence[str]) -> Iterator[str]:
    """Names in a line, as they are written there."""
    for name in names:
        for start, end in quotes.places(lowered(name), lowered(line)):
            yield quotes.folded(line[start:end])
