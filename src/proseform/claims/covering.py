"""What a value passes over of an input that it is meant to cover (``x-covers``)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from proseform.claims import keywords
from proseform.claims.judged import MOST_STEPS, goes_on
from proseform.claims.keywords import COVERS
from proseform.claims.stated import Claims
from proseform.input import Input
from proseform.verdict import Evidence

LEAST_WORDS = 2
"""Words of a sentence that may ask for something, unless it is an item of a list: a single one is a heading."""

_ITEM = re.compile(r"\s*(?:[-*+•‣▪·\u2013\u2014]|\(?(?:\d{1,2}|[^\W\d_])[.)])\s+")
"""The mark of an item of a list."""
_BETWEEN = re.compile(r"(?<=[.!?;])\s+(?=[^\W\d_a-zß-ÿ])")
"""What parts two sentences of a line."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence in its paragraph, or an item of a list.

    Attributes:
        start: Where it begins, in code points of the text as the model sees it.
        end: Where it ends.
        item: Whether it is an item of a list, all of it.
        heads: Whether it is all of a paragraph's first line, and other lines follow: a heading, as far as one can see.
    """

    start: int
    end: int
    item: bool
    heads: bool

    def asks(self, text: str, *, touched: bool) -> bool:
        """Whether something might have been taken from it.

        Args:
            text: The text that it stands in.
            touched: Whether something is taken from its paragraph.
        """
        said = text[self.start : self.end]
        if self.item:
            return any(map(str.isalnum, said))
        return touched and not self.heads and not said.endswith(":") and len(said.split(None, 2)) >= LEAST_WORDS


def uncovered(
    value: Any, claims: Claims, inputs: Mapping[str, Input], evidence: Collection[Evidence]
) -> Iterator[tuple[str, int, int]]:
    r"""The sentences of inputs that a value passes over: name of the input, start and end in it as it was given.

    An item of a list is one, and any sentence of a paragraph that something is taken from. What introduces them (a line
    ending in a colon, a paragraph's first line) is none, nor is a paragraph that nothing is taken from: an
    advertisement says much that asks for nothing.

    Args:
        value: A value that was judged.
        claims: What its schema states.
        inputs: The task's inputs, by name.
        evidence: Where its texts stand.

    >>> from proseform.claims import claims, judge
    >>> from proseform.schema import Schema
    >>> schema = Schema({"x-covers": "job", "items": {"x-from": "job"}})
    >>> job = Input.of("We need\n- Go and Rust\n- a driving licence\n\nWe are many.")
    >>> stated = claims(schema, ["job"])
    >>> judged = judge(["Go"], stated, {"job": job}, {})
    >>> [job.raw[start:end] for _, start, end in uncovered(["Go"], stated, {"job": job}, judged.evidence)]
    ['- a driving licence']
    """
    if COVERS not in claims.keywords or claims.schema.steps(value) > MOST_STEPS:
        return
    places: dict[str, set[str]] = {}
    for place, location, node in claims.schema.annotations(value):
        for name in keywords.covered(node[COVERS], location) if COVERS in node else ():
            places.setdefault(name, set()).add(place)
    for name, around in places.items():
        spans = [(one.start, one.end) for one in evidence if one.input == name and _beneath(one.pointer, around)]
        yield from ((name, *span) for span in _left(inputs[name], _joined(spans)))


def _beneath(place: str, around: Collection[str]) -> bool:
    """Whether a place is one of some, or lies in one."""
    steps = place.split("/")
    return any("/".join(steps[:count]) in around for count in range(1, len(steps) + 1))


def _left(given: Input, taken: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The sentences that might say something and that no taken span touches, in the input as it was given."""
    ends = [end for _, end in taken]
    for paragraph in _paragraphs(given.text):
        spans = [given.locate(one.start, one.end) for one in paragraph]
        touched = []
        for start, end in spans:
            after = bisect_right(ends, start)
            touched.append(after < len(taken) and taken[after][0] < end)
        of_it = any(touched)
        for one, span, covered in zip(paragraph, spans, touched, strict=True):
            if not covered and one.asks(given.text, touched=of_it):
                yield span


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that overlap as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _paragraphs(text: str) -> Iterator[list[_Sentence]]:
    """The sentences of each paragraph: of lines without a blank one between."""
    lines: list[tuple[int, int, bool]] = []
    start = 0
    for line in (*text.split("\n"), ""):
        item = _ITEM.match(line) is not None
        if not line.strip():
            if lines:
                yield [one for number in range(len(lines)) for one in _sentences(text, lines, number)]
            lines = []
        elif lines and not item and goes_on(line):
            lines[-1] = lines[-1][0], start + len(line), lines[-1][2]
        else:
            lines.append((start, start + len(line), item))
        start += len(line) + 1


def _sentences(text: str, lines: list[tuple[int, int, bool]], number: int) -> Iterator[_Sentence]:
    """The sentences of one line of a paragraph."""
    start, end, item = lines[number]
    begin = start + len(text[start:end]) - len(text[start:end].lstrip())
    inner = [] if item else [found.end() for found in _BETWEEN.finditer(text, begin, end)]
    heads = not (item or number or inner) and len(lines) > 1
    for first, last in pairwise([begin, *inner, end]):
        said = text[first:last]
        yield _Sentence(first, first + len(said.rstrip()), item, heads)
