"""Which replica has read the beginning of a prompt, so that its prefix cache may still hold it.

Engines keep what they computed for the beginnings of prompts. Where many cases have one text in common and it comes
first, a replica that has read it answers sooner. What is known is where a beginning went last, not whether it is still
kept. Hashes of some beginnings are remembered, and nothing else of a prompt.
"""

from __future__ import annotations

from collections import OrderedDict

from proseform.prompt import Rendered

MOST = 4096
"""Beginnings that are remembered, the last used."""


class Homes:
    """Where beginnings of prompts were read last."""

    def __init__(self) -> None:
        self._names: OrderedDict[int, str] = OrderedDict()

    def of(self, prompt: Rendered) -> str:
        """The replica that has read the longest beginning; empty where none is known to have read any."""
        known = (self._names[one] for one in reversed(beginnings(prompt)) if one in self._names)
        return next(known, "")

    def read(self, prompt: Rendered, name: str) -> None:
        """A replica reads a prompt."""
        for one in beginnings(prompt):
            self._names[one] = name
            self._names.move_to_end(one)
        while len(self._names) > MOST:
            self._names.popitem(last=False)


def beginnings(prompt: Rendered) -> list[int]:
    """A prompt from its start to the end of each text of theirs, as hashes, the shortest first.

    What precedes their first text is in every prompt, and tells no two apart.
    """
    found: list[int] = []
    so_far = 0
    for turn in prompt.turns:
        so_far = hash((so_far, turn.role))
        for segment in turn.segments:
            so_far = hash((so_far, segment.text))
            if not segment.ours:
                found.append(so_far)
    return found
