"""Which cases GRPO asks next: a source of prompts that is told what they earned, and is kept with the checkpoint.

A source may choose by what it has seen (harder cases, cases that still differ); the first one, :class:`FixedOrder`,
does not. Every rank holds the same source and tells it the same, so that all of them draw the same prompts. Its state
is saved with each checkpoint: a resumed run asks exactly what it would have asked.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from proseform.case import Case


@dataclass(frozen=True, slots=True)
class Asked:
    """A case as the policy is asked it.

    Attributes:
        prompt: As text, for logs.
        ids: Its token ids, prefill included.
        case: The case, as a line of JSON.
    """

    prompt: str
    ids: list[int]
    case: str


@dataclass(frozen=True, slots=True)
class Group:
    """What the completions of one prompt earned.

    Attributes:
        id: The case's.
        rewards: Of each completion; None where the rollout is a fault.
    """

    id: str
    rewards: tuple[float | None, ...]


class Source(Protocol):
    """Gives the cases of each step."""

    def next(self, count: int) -> list[Case]:
        """The cases that are asked next."""

    def observe(self, groups: Sequence[Group]) -> None:
        """What they earned, in the order in which they were given."""

    def state(self) -> dict[str, Any]:
        """Everything that decides what comes next, as JSON."""

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same source."""


class FixedOrder:
    """Cases in an order that is drawn beforehand: shuffled epochs, whatever they earn.

    Args:
        cases: What may be asked; not empty.
        count: Prompts of the whole run.
        seed: Of the order.
    """

    def __init__(self, cases: Sequence[Case], count: int, seed: int) -> None:
        rng = random.Random(f"grpo/{seed}")
        self._order: list[Case] = []
        while len(self._order) < count:
            self._order += rng.sample(cases, min(len(cases), count - len(self._order)))
        self._given = 0

    def next(self, count: int) -> list[Case]:
        """The next cases; from the beginning again where the order ends."""
        places = range(self._given, self._given + count)
        self._given += count
        return [self._order[place % len(self._order)] for place in places]

    def observe(self, groups: Sequence[Group]) -> None:
        """Nothing is learnt from what was earned."""

    def state(self) -> dict[str, Any]:
        """How many cases were asked."""
        return {"given": self._given}

    def load(self, state: dict[str, Any]) -> None:
        """Continue after that many cases."""
        self._given = int(state["given"])
