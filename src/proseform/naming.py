"""Names: what people may call runs, tasks and models, and the names of Kubernetes objects that are derived from them.

A name of ours is a word: letters, digits, ``.``, ``_`` and ``-``, a letter or digit at both ends. A word is a folder, a
segment of a URL, a name in MLflow (which refuses ``/`` and ``:``) and, up to 63 characters, the value of a label in
Kubernetes. Names of Kubernetes objects have neither capitals nor ``_``: :func:`dns` maps words to them, no two to the
same. Sources: RFC 1123; Kubernetes, "Object Names and IDs" and "Labels and Selectors"; MLflow's
``_validate_model_name``.
"""

from __future__ import annotations

import re

from proseform import digest

LONGEST = 63
"""Characters of a label's value, and of most names in Kubernetes."""
_WORD = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_DNS = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def fault(text: str, longest: int = LONGEST) -> str:
    """Why a text is no name, in words; empty if it is one.

    >>> fault("team/toy")
    "'team/toy' is no name: it may have letters, digits, '.', '_' and '-', with a letter or digit at both ends"
    >>> fault("cover_letter")
    ''
    """
    if len(text) > longest:
        return f"'{text[:20]}…' has {len(text)} characters; a name has at most {longest}"
    if not _WORD.fullmatch(text):
        return (
            f"'{text}' is no name: it may have letters, digits, '.', '_' and '-', with a letter or digit at both ends"
        )
    return ""


def label(text: str) -> str:
    """Any text as the value of a label: the text itself if possible, else a similar one with a digest of the whole.

    >>> label("toy-small-20260101-120000")
    'toy-small-20260101-120000'
    >>> label("a run / with blanks!")
    'a-run-with-blanks-cd3400d28b13'
    """
    if not text or (len(text) <= LONGEST and _WORD.fullmatch(text)):
        return text
    return _mapped(text, r"[^A-Za-z0-9_.]+", LONGEST)


def dns(text: str, longest: int = LONGEST) -> str:
    """Any text as an RFC 1123 label: the text itself if it is one and short enough, else a similar one with a digest.

    >>> dns("toy"), dns("cover_letter")
    ('toy', 'cover-letter-95e70a087020')
    """
    if len(text) <= longest and _DNS.fullmatch(text):
        return text
    return _mapped(text.lower(), r"[^a-z0-9]+", longest, of=text)


def _mapped(text: str, other: str, longest: int, of: str = "") -> str:
    """A text with all matches of a pattern replaced, cut, and the digest of the original."""
    short = digest.short(digest.of_json(ascii(of or text)))  # lone surrogates are text too
    kept = re.sub(other, "-", text)[: longest - len(short) - 1].strip("-_.")
    return f"{kept}-{short}" if kept else short
