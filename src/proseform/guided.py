r"""The form that an evaluation is held to while it is written, and what it may quote.

A task may state the form in ``evaluator.lark``, in llguidance's dialect of Lark. An input's name in capitals is a
terminal there: any whole words in a row of that input as the evaluator is shown it, read as quotes are
(:mod:`proseform.claims.quotes`)::

    quote: "\"" QUOTE "\""
    QUOTE: NOTE & /[^"\n]{1,120}/

So what stands between quotation marks stands in the input, since no other token can follow. Whether it bears on what it
is quoted for is the verifier's to say, as before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from proseform.claims import quotes
from proseform.input import Input


@dataclass(frozen=True, slots=True)
class Form:
    """A form with what the evaluator is shown; whoever holds a text to it fills it in.

    Attributes:
        grammar: As the task states it.
        values: What the evaluator is shown, by the names of the inputs.
    """

    grammar: str
    values: Mapping[str, Input | str]

    def filled(self) -> str:
        """See :func:`filled`."""
        return filled(self.grammar, self.values)


_TERMINAL = re.compile(r"(?<![A-Z_])[A-Z][A-Z_]*(?![A-Z_])")


def filled(grammar: str, values: Mapping[str, Input | str]) -> str:
    r"""A grammar with the terminals of the inputs that it names.

    Args:
        grammar: As the task states it.
        values: What the evaluator is shown, by the names of the inputs.

    >>> print(filled('start: "so " NOTE', {"note": "a\n map", "rule": "none"}))
    start: "so " NOTE
    NOTE: NOTE_0
    NOTE_0: %regex {"substring_chunks": ["a", " ", "map"]}
    """
    named = set(_TERMINAL.findall(grammar))
    lines = [grammar.rstrip()]
    for name, value in values.items():
        terminal = name.upper()
        if terminal not in named:
            continue
        texts = [text for text in quotes.readings(Input.of(value).text) if text] or [" "]
        parts = {f"{terminal}_{number}": text for number, text in enumerate(texts)}
        lines.append(f"{terminal}: {' | '.join(parts)}")
        for part, text in parts.items():
            words = json.dumps(quotes.pieces(text), ensure_ascii=False)
            lines.append(f'{part}: %regex {{"substring_chunks": {words}}}')
    return "\n".join(lines)
