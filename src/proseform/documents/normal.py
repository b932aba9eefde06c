"""The one normalisation that every kind of document goes through, with offsets into what was extracted.

Knowingly left out: indentation and aligned columns. A line is its words, so that it is the same out of a PDF, a DOCX
and a Markdown file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from proseform.input import COMPOSABLE, JOINERS, Finding, Input, Origin, clean, composed
from proseform.offsets import Offsets, substituted

_LIGATURES = {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
"""ff fi fl ffi ffl st st"""
_SPACES = re.compile("[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_BULLET = re.compile(
    "(?m)^ ?[•‣▪◦●○■□▸►∙·\u2043\u2013\u2014*\uf0b7\uf0a7\uf0d8] +(?=\\S)"
)  # \uf0..: Word's Symbol and Wingdings fonts


_STEPS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (COMPOSABLE, composed),
    (_SPACES, " "),
    (re.compile("\u00ad *\n *(?=\\w)|\u00ad"), ""),  # a word broken at a line's end becomes whole
    (re.compile("[\ufb00-\ufb06]"), lambda match: _LIGATURES[match[0]]),
    (JOINERS, ""),
    (_SPACES, " "),
    (COMPOSABLE, composed),  # again: what was removed may have stood between
    (_BULLET, "- "),
    (re.compile("(?m)^ +| +$"), ""),
    (re.compile("\n{3,}"), "\n\n"),
    (re.compile(r"\A\s+|\s+\Z"), ""),
)


def as_input(raw: str, origin: Origin, findings: Iterable[Finding] = ()) -> Input:
    """What was extracted from a document, as an input: normalised, with what was removed as findings."""
    text, offsets, cleaned = clean(raw)
    text, normal = _normalised(text)
    return Input(raw, text, offsets.then(normal), origin, (*findings, *cleaned))


def normalise(text: str) -> str:
    r"""The form that every document ends in; idempotent.

    NFC; ``\n`` newlines; ligatures spelled out; soft hyphens and invisible characters removed; every kind and run of
    blanks one space; no blanks at either end of a line; bullets of all shapes ``- ``; at most one blank line in a row,
    none at the ends.

    >>> normalise("of\ufb01ce\u00a0 work \r\n\r\n\r\n\u2022\tPython")
    'office work\n\n- Python'
    """
    return _normalised(clean(text)[0])[0]


def _normalised(text: str) -> tuple[str, Offsets]:
    """A cleaned text in the one form, with the offsets of all steps."""
    offsets = Offsets.same(len(text))
    for pattern, new in _STEPS:
        if pattern.search(text):
            text, step = substituted(pattern, new, text)
            offsets = offsets.then(step)
    return text, offsets
