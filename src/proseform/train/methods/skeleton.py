"""No gradient for the skeleton of a JSON document where a group's winners and losers share it.

Keys, punctuation, quotes and white space that stand in a completion above its group's mean and in one below it did not
make the difference. With a group's advantage on each of their tokens they are pushed up in the one and down in the
other, which teaches nothing and moves much: most of a document is skeleton. So their advantage is 0, and what was
chosen (values, which items, where it ends) carries all of it; the KL term goes on for every token.

Another number of items, other keys or another layout is another skeleton, and keeps its advantage as long as only one
side has it. A completion that is no whole document keeps it throughout: where it broke is what it has to learn. Pure,
but for the tensors of :func:`spared`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from proseform.train.methods.drawn import Drawn, Sample

_PARTS = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")(?P<key>\s*:)?|(?P<frame>[\s{}\[\],:]+)|[^\s{}\[\],:"]+')

Pieces = Callable[[Sequence[int]], Sequence[str]]
"""Gives the text of each token."""


def framed(text: str) -> list[bool] | None:
    """Whether each character of a document belongs to its skeleton; None for what is no JSON document.

    >>> "".join("_" if frame else char for char, frame in zip('{"a": [12, "b"]}', framed('{"a": [12, "b"]}')))
    '_______12___b___'
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    flags: list[bool] = []
    for part in _PARTS.finditer(text):
        size = part.end() - part.start()
        if part["text"] is None or part["key"] is not None:
            flags += [part["frame"] is not None or part["key"] is not None] * size
        else:
            flags += [True, *[False] * (size - 2), True]
    return flags


def shared(group: Drawn) -> list[list[bool] | None]:
    """For each completion of a group the characters that belong to a skeleton which both sides have, or None."""
    flags = [framed(sample.text) for sample in group.samples]
    shapes = {id(sample): _shape(sample, frame) for sample, frame in zip(group.samples, flags, strict=True)}
    winners, losers = ({shapes[id(one)] for one in side} for side in group.sides())
    both = (winners & losers) - {""}
    return [frame if shapes[id(one)] in both else None for one, frame in zip(group.samples, flags, strict=True)]


def tokens(sample: Sample, flags: Sequence[bool] | None, prefill: int, pieces: Pieces) -> list[bool]:
    """Which tokens of a completion lie within its skeleton.

    Args:
        sample: The completion.
        flags: Of its characters; None has no skeleton.
        prefill: How many characters of its text were given.
        pieces: Gives the text of each token. Where these are not the completion's text, as where a token is a part of a
            character, no token of it counts.
    """
    if flags is None:
        return [False] * len(sample.ids)
    texts = pieces(sample.ids)
    if "".join(texts) != sample.text[prefill:]:
        return [False] * len(sample.ids)
    ends = list(accumulate(map(len, texts), initial=prefill))
    return [start < end and all(flags[start:end]) for start, end in pairwise(ends)]


def spared(advantages: Any, within: Sequence[Sequence[bool]], width: int) -> Any:
    """Advantages by token, 0 within skeletons.

    Args:
        advantages: Of shape (rows,) or (rows, tokens).
        within: Of each row; see :func:`tokens`.
        width: Tokens of a row, padding included.

    Returns:
        A tensor of shape (rows, tokens).
    """
    import torch

    kept = [[not frame for frame in row] + [True] * (width - len(row)) for row in within]
    by_token = advantages.unsqueeze(1) if advantages.dim() == 1 else advantages
    return by_token * torch.tensor(kept, dtype=advantages.dtype, device=advantages.device)


def _shape(sample: Sample, flags: Sequence[bool] | None) -> str:
    """A document's skeleton without its values; empty where there is none."""
    return "" if flags is None else "".join(char for char, frame in zip(sample.text, flags, strict=True) if frame)
