"""Skipping by history: a prompt whose last groups had no variance is passed over before anything is sampled for it.

Zheng and others, GRESO (arXiv 2506.02177): a prompt with k zero-variance groups in a row is asked with probability
``max(p**k, LEAST)``. One p is for prompts in which all succeed, another for the other zero-variance ones; each
is lowered by ``STEP`` where its share of a step's groups is above what is aimed at, and raised where it is below.

It pays where prompts come round: in a run that asks every case once, no case has a history.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from proseform import config
from proseform.case import Case
from proseform.train.prompts import Group, Source
from proseform.train.stopping import NEAR

LEAST, STEP, EASY, HARD = 0.01, 0.01, 0.083, 0.167
"""The least chance, by how much one moves after a step, and the shares of easy and hard groups that are aimed at."""
TRIES = 20
"""Prompts that are looked at for one that is asked, at most; then the last one is taken: a step always begins."""


class Skip:
    """A source that leaves out prompts of another.

    Args:
        knobs: The chance at first.
        source: Which gives the prompts.
        best: The highest reward there is.
        seed: Of the chances.
        step: By how much a chance moves after each step.
    """

    def __init__(self, knobs: config.Skip, source: Source, best: float, seed: int, *, step: float = STEP) -> None:
        self.source, self.best, self.seed, self.step = source, best, seed, step
        self._chance = {"easy": knobs.explore, "hard": knobs.explore}
        self._rows: dict[str, tuple[str, int]] = {}
        """Of each case whose last group had no variance: of which kind, and how many in a row."""
        self._looked = 0
        self._skipped = 0

    def next(self, count: int) -> list[Case]:
        """The next prompts that are not skipped."""
        return [self._one() for _ in range(count)]

    def _one(self) -> Case:
        """One prompt."""
        for left in range(TRIES - 1, -1, -1):
            (case,) = self.source.next(1)
            self._looked += 1
            chance = random.Random(f"skip/{self.seed}/{self._looked}").random()
            if left == 0 or chance < self.chance(case.id):
                return case
            self._skipped += 1
        raise AssertionError("the last try is taken")

    def chance(self, case: str) -> float:
        """The probability that a case is asked, when it is its turn."""
        if case not in self._rows:
            return 1.0
        kind, row = self._rows[case]
        return float(max(self._chance[kind] ** row, LEAST))

    def observe(self, groups: Sequence[Group]) -> None:
        """Note which groups had no variance, and move the chances."""
        self.source.observe(groups)
        kinds = [self._kind(group) for group in groups]
        for group, kind in zip(groups, kinds, strict=True):
            known, row = self._rows.pop(group.id, ("", 0))
            if kind:
                self._rows[group.id] = (kind, row + 1 if known == kind else 1)
        for kind, aimed in (("easy", EASY), ("hard", HARD)):
            down = kinds.count(kind) > aimed * len(kinds)
            moved = self._chance[kind] + (-self.step if down else self.step)
            self._chance[kind] = min(1.0, max(LEAST, moved))

    def _kind(self, group: Group) -> str:
        """``easy`` or ``hard`` for a zero-variance group, else the empty string."""
        earned = {one for one in group.rewards if one is not None}
        if len(earned) != 1:
            return ""
        return "easy" if earned.pop() >= NEAR * self.best else "hard"

    def figures(self) -> dict[str, float]:
        """The share of prompts that were passed over so far."""
        return {"skipped": self._skipped / max(1, self._looked)}

    def state(self) -> dict[str, Any]:
        """Histories, chances and counts, and the other source's state."""
        return {
            "source": self.source.state(),
            "chance": self._chance,
            "rows": self._rows,
            "looked": self._looked,
            "skipped": self._skipped,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same source."""
        self.source.load(state["source"])
        self._chance = dict(state["chance"])
        self._rows = {case: (kind, row) for case, (kind, row) in state["rows"].items()}
        self._looked, self._skipped = int(state["looked"]), int(state["skipped"])
