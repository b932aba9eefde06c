"""Which lines of the inputs bear on what is quoted at a place of a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proseform.claims import quotes
from proseform.claims.judged import at, terms
from proseform.claims.stated import Claims, Synonyms


def bearing(
    value: Any, place: str, claims: Claims, texts: Mapping[str, str], synonyms: Synonyms
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    r"""The lines that name the thing beside a quote, and its names; both empty where it may be about anything.

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
    (('an old Map',), ('map',))
    """
    for where, location, stated in claims.schema.annotations(value):
        source = claims.source(location, stated)
        if where != place or source is None or not source.names:
            continue
        names = terms(at(value, place)[1].get(source.names), source.split, synonyms)
        lines = (line for name in source.inputs for line in texts[name].split("\n"))
        bear = [line for line in lines if any(quotes.stands(name.casefold(), line.casefold()) for name in names)]
        return tuple(dict.fromkeys(bear)), tuple(names) if bear else ()
    return (), ()
