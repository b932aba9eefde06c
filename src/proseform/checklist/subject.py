"""What is checked, as a value: a reward, cases with gold completions, and what can be known of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from proseform import hostile
from proseform.checklist.exploits import Exploit
from proseform.reward import Score

Result = Literal["holds", "fails", "shown", "not tried"]

EXACT = 1e-9
"""What rounding may cost."""

_NAMED = 3
"""Faults that a row names; the rest are counted."""


@dataclass(frozen=True)
class Subject:
    """A reward and the cases that it is tried on.

    Attributes:
        golds: The gold completion of each case; at least two.
        inputs: The inputs of each case by name: what an exploit may copy from.
        asked: The prompt of each case as text.
        words: Names and choices of the schema; what keyword stuffing stuffs.
        score: Completions, and the case that each of them answers by its place, to what each earns.
        read: A completion of a case to the JSON value that it states; None where it states none.
        signature: What is wrong with how the reward can be called, in words; empty where nothing is.
        pickled: The reward as bytes; raises where no other process could have it.
        laws: Broken laws in words; None where nothing is owed but what is checked here.
        own: Exploits that only the domain can know, for each case; the same names in the same order. Empty where there
            are none.
        best: What gold earns; None where nobody says.
    """

    golds: Sequence[str]
    inputs: Sequence[Mapping[str, str]]
    asked: Sequence[str]
    words: Sequence[str]
    score: Callable[[Sequence[str], Sequence[int]], list[Score]]
    read: Callable[[str, int], Any]
    signature: Callable[[], str]
    pickled: Callable[[], bytes]
    laws: Callable[[], Sequence[str]] | None = None
    own: Sequence[Sequence[Exploit]] = ()
    best: float | None = None

    def one(self, text: str, case: int) -> Score:
        """What one completion earns by itself."""
        return self.score([text], [case])[0]

    def earned(self, text: str, case: int) -> float:
        """What one completion earns by itself; 0 where it cannot be scored, as a faulted rollout teaches nothing."""
        return self.one(text, case).composite or 0.0

    def mixed(self) -> list[tuple[str, int]]:
        """Completions of all kinds with the case that they answer: hostile ones, gold, and gold of another case."""
        count = len(self.golds)
        pairs = [(row.text, place % count) for place, row in enumerate(hostile.texts(self.golds[0]))]
        return pairs + [(text, (place + shift) % count) for place, text in enumerate(self.golds) for shift in (0, 1)]


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table.

    Attributes:
        check: Its name, one word.
        result: ``holds``, ``fails``, ``shown`` (a figure, no judgement) or ``not tried``.
        what: What was checked, with counts.
        reason: Why it fails, with what to change; a remark where it holds; may be empty.
    """

    check: str
    result: Result
    what: str
    reason: str = ""

    @classmethod
    def of(cls, check: str, what: str, faults: Sequence[str], remark: str = "") -> Check:
        """A row that fails where there are faults, and names the first of them."""
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        return (
            cls(check, "fails", what, "; ".join(faults[:_NAMED]) + more)
            if faults
            else cls(check, "holds", what, remark)
        )


def number(value: float | None) -> str:
    """A reward in words."""
    return "no number" if value is None else f"{value:.4g}"
