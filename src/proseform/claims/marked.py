"""An input with its quotes marked, for pages that show a case: pure data, nothing of HTML."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from proseform.schema import pointer
from proseform.verdict import Evidence


def pieces(text: str, spans: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """A text in pieces, each with the spans that cover it, by their places in the list from 1; in order, whole.

    >>> pieces("Ana Silva", [(0, 9), (4, 9)])
    [{'text': 'Ana ', 'marks': [1]}, {'text': 'Silva', 'marks': [1, 2]}]
    """
    edges = sorted({0, len(text), *(edge for span in spans for edge in span)})
    return [
        {
            "text": text[start:end],
            "marks": [place for place, (low, high) in enumerate(spans, 1) if low <= start and end <= high],
        }
        for start, end in itertools.pairwise(edges)
    ]


def marked(value: Any, evidence: Sequence[Evidence], inputs: Mapping[str, str]) -> dict[str, Any]:
    """A value's evidence, numbered through, beside the inputs in which it is marked.

    Args:
        value: The answer.
        evidence: Where its texts stand.
        inputs: The inputs as they were given.

    Returns:
        ``inputs``: name to :func:`pieces`, marks being numbers of ``quotes``. ``quotes``: each with ``number``,
        ``pointer``, ``input``, ``quote`` (as it stands there) and ``beside``: what else its object says, in words.
    """
    numbered = list(enumerate(evidence, 1))
    shown = {}
    for name, text in inputs.items():
        own = [(number, one) for number, one in numbered if one.input == name]
        rows = pieces(text, [(one.start, one.end) for _, one in own])
        shown[name] = [{"text": row["text"], "marks": [own[mark - 1][0] for mark in row["marks"]]} for row in rows]
    quotes = [
        {
            "number": number,
            "pointer": one.pointer,
            "input": one.input,
            "quote": inputs[one.input][one.start : one.end],
            "beside": _beside(value, one.pointer),
        }
        for number, one in numbered
    ]
    return {"inputs": shown, "quotes": quotes}


def _beside(value: Any, place: str) -> str:
    """The other simple fields of the object that a quote belongs to, empty texts aside; none of the root."""
    parent, _, last = place.rpartition("/")
    owner = pointer.at(value, parent)
    if not parent or not isinstance(owner, Mapping):
        return ""
    others = {
        key: other for key, other in owner.items() if key != last and other != "" and not isinstance(other, dict | list)
    }
    return ", ".join(f"{key} {other if isinstance(other, str) else json.dumps(other)}" for key, other in others.items())
