"""Grammars for engines: how constrained JSON is written, and the compiler with its limits.

The compiler is llguidance, also behind vLLM. What a stranger's schema can make it cost is found out in a process that
can be killed (:mod:`proseform.infer.grammars.examine`) before it is compiled here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from proseform.infer import FORM

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer

_MAX_LEXER_STATES = 50_000
"""Of one grammar, at 1-2 kB each."""

_SPELT = re.compile(r"[\x00-\x07\x0b\x0e-\x1f\x7f]")
"""Characters that JSON, or llguidance, writes only as a backslash, ``u`` and four digits."""


def form(document: Mapping[str, Any]) -> dict[str, Any]:
    r"""How documents of a grammar are written: :data:`proseform.infer.FORM`, and ``\u`` where a constant needs it.

    Elsewhere ``\u`` stays out: with it, names of open objects could be spelt so as to evade their own rules.

    >>> form({"const": "a"}) == FORM
    True
    >>> form({"const": "a\x01"})["json_allowed_escapes"][-1]
    'u'
    """
    return {**FORM, "json_allowed_escapes": FORM["json_allowed_escapes"] + "u"} if _spelt(_Same(document)) else FORM


def matcher(tokenizer: LLTokenizer, document: Mapping[str, Any]) -> LLMatcher:
    """A matcher at the beginning of a document of a grammar; its error, if any, is the matcher's own.

    The document is handed over as text: llguidance's reader of Python values refuses integers beyond 64 bits.
    """
    from llguidance import LLMatcher

    grammar = LLMatcher.grammar_from_json_schema(json.dumps(document), overrides=form(document))
    return LLMatcher(tokenizer, grammar, log_level=0, limits=limits())


def held(tokenizer: LLTokenizer, grammar: str) -> LLMatcher:
    """A matcher at the beginning of a text of a Lark grammar; its error, if any, is the matcher's own."""
    from llguidance import LLMatcher

    return LLMatcher(tokenizer, LLMatcher.grammar_from_lark(grammar), log_level=0, limits=limits())


def limits() -> LLParserLimits:
    """The limits inside llguidance: of the automata of one grammar, and of the work for one token."""
    from llguidance import LLParserLimits

    return LLParserLimits(max_lexer_states=_MAX_LEXER_STATES, verbose_errors=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A document, equal to itself alone: what is known of it is looked up without reading it.

    Attributes:
        document: The document, which nobody changes.
    """

    document: Mapping[str, Any]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.document is self.document

    def __hash__(self) -> int:
        return id(self.document)


@lru_cache(maxsize=16)
def _spelt(known: _Same) -> bool:
    """Whether a constant holds a character that has no short escape."""
    todo: list[tuple[Any, bool]] = [(known.document, False)]
    while todo:
        value, constant = todo.pop()
        if isinstance(value, str):
            if constant and _SPELT.search(value):
                return True
        elif isinstance(value, Mapping):
            todo += [(child, constant or key in {"const", "enum"}) for key, child in value.items()]
        elif isinstance(value, list):
            todo += [(child, constant) for child in value]
    return False
