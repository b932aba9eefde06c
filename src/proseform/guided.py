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
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from proseform.claims import quotes
from proseform.input import Input


@dataclass(frozen=True, slots=True)
class Form:
    """A form with what the evaluator is shown; whoever holds a text to it fills it in.

    Attributes:
        grammar: As the task states it.
        values: What the evaluator is shown, by the names of the inputs.
        behind: What stands behind the prefill is of this grammar too (:func:`quoting`); empty where that is open.
    """

    grammar: str
    values: Mapping[str, Input | str]
    behind: str = ""

    def filled(self) -> str:
        """See :func:`filled`."""
        return filled(self.grammar, self.values)


BESIDE = 12
"""Characters of a quote that does not name its thing itself; :data:`proseform.claims.judged.LEAST_BESIDE` letters."""
_WORDS = r"/\S(?s:.*)/"
"""What begins with no blank; that it ends with none too would cost llguidance more states than it is allowed."""
_TERMINAL = re.compile(r"(?<![A-Z_])[A-Z][A-Z_]*(?![A-Z_])")


def filled(grammar: str, values: Mapping[str, Input | str]) -> str:
    r"""A grammar with the terminals of the inputs that it names.

    Args:
        grammar: As the task states it.
        values: What the evaluator is shown, by the names of the inputs.

    >>> print(filled('start: "so " NOTE', {"note": "a\n map", "rule": "none"}))
    start: "so " NOTE
    NOTE: (NOTE_0) & /\S(?s:.*)/
    NOTE_0: %regex {"substring_chunks": ["a", " ", "map"]}
    """
    named = set(_TERMINAL.findall(grammar))
    lines = [grammar.rstrip()]
    for name, value in values.items():
        terminal = name.upper()
        if terminal not in named:
            continue
        either, texts = _texts(terminal, [text for text in quotes.readings(Input.of(value).text) if text] or [" "])
        lines += [f"{terminal}: ({either}) & {_WORDS}", *texts]
    return "\n".join(lines)


def quoting(after: str, lines: Sequence[str], names: Collection[str]) -> str:
    r"""A grammar of texts that begin with a quote of some lines.

    Args:
        after: What closes the quote, one character.
        lines: The lines that may be quoted: words in a row of one of them, :data:`BESIDE` characters at least.
        names: What may be quoted however short it is, as it stands in one of them.

    >>> print(quoting('"', ["an old map"], ["map"]))
    start: TEXT
    TEXT: QUOTE "\"" /(?s:.*)/
    QUOTE: (LINES & /\S.{10,}\S/) | NAMES
    LINES: LINE_0
    LINE_0: %regex {"substring_chunks": ["an", " ", "old", " ", "map"]}
    NAMES: "map"
    """
    either, texts = _texts("LINE", [quotes.folded(line) for line in lines])
    return "\n".join(
        (
            "start: TEXT",
            f"TEXT: QUOTE {json.dumps(after)} /(?s:.*)/",
            rf"QUOTE: (LINES & /\S.{{{BESIDE - 2},}}\S/) | NAMES",
            f"LINES: {either}",
            *texts,
            f"NAMES: {' | '.join(json.dumps(name, ensure_ascii=False) for name in names)}",
        )
    )


def _texts(terminal: str, texts: Sequence[str]) -> tuple[str, list[str]]:
    """Words in a row of one of some folded texts, as an expression, and the terminals that it names."""
    words = (json.dumps(quotes.pieces(text), ensure_ascii=False) for text in texts)
    parts = {f"{terminal}_{number}": f'%regex {{"substring_chunks": {one}}}' for number, one in enumerate(words)}
    return " | ".join(parts), [f"{part}: {regex}" for part, regex in parts.items()]
