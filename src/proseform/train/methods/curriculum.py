"""A curriculum: pools of prompts by difficulty, of which those are asked whose success rate is near the target.

Where a group is right or wrong with probability p, its rewards have the variance p(1 - p), which is greatest at one
half. So a pool's weight is a bell around the target of its success rate, with a floor. A pool that was never asked
counts as one on the target. A completion succeeds from :data:`proseform.train.stopping.NEAR` of the highest reward on.
Within a pool cases come in shuffled epochs.

Prime-RL and others keep each prompt's own rate; that needs prompts that come round. Pools know something of a case
that was never asked: its level, or how many leaves its answer has.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from proseform import config
from proseform.case import Case
from proseform.leaves import leaves
from proseform.train.prompts import Group
from proseform.train.stopping import NEAR

POOLS = 4
"""Pools by leaves, of which each spans about as many sizes."""
WIDTH = 0.2
"""How far from the target a rate may be, as the standard deviation of the bell."""
LEAST = 0.05
"""Weight of the pool farthest from the target, beside 1 on it: none is forgotten."""
MEMORY = 0.9
"""Weight of a pool's rate so far beside that of a new group."""


class Curriculum:
    """See the module. Its state is each pool's rate and place, and how many prompts were drawn.

    Args:
        knobs: Pools and target.
        cases: What may be asked; not empty.
        best: The highest reward there is.
        seed: Of the draws and of the order within pools.
        memory: Weight of a pool's rate so far beside that of a new group.
    """

    def __init__(
        self, knobs: config.Curriculum, cases: Sequence[Case], best: float, seed: int, *, memory: float = MEMORY
    ) -> None:
        self.knobs, self.bar, self.seed, self.memory = knobs, NEAR * best, seed, memory
        self.pools = pools(knobs, cases)
        self._pool = {case.id: name for name, pool in self.pools.items() for case in pool}
        self._rate: dict[str, float] = {}
        self._given = dict.fromkeys(self.pools, 0)
        self._drawn = 0
        self._order: dict[str, tuple[int, list[Case]]] = {}
        """Of each pool the epoch that it is in, shuffled."""

    def next(self, count: int) -> list[Case]:
        """The next prompts, each from a pool that is drawn by its weight."""
        return [self._one() for _ in range(count)]

    def _one(self) -> Case:
        """One prompt."""
        rng = random.Random(f"curriculum/{self.seed}/{self._drawn}")
        (name,) = rng.choices([*self.pools], [self.weight(name) for name in self.pools])
        self._drawn += 1
        epoch, place = divmod(self._given[name], len(self.pools[name]))
        self._given[name] += 1
        if self._order.get(name, (-1,))[0] != epoch:
            shuffled = random.Random(f"curriculum/{self.seed}/{name}/{epoch}")
            self._order[name] = epoch, shuffled.sample(self.pools[name], len(self.pools[name]))
        return self._order[name][1][place]

    def weight(self, name: str) -> float:
        """How much oftener than others a pool is asked, from :data:`LEAST` to 1."""
        away = (self._rate.get(name, self.knobs.target) - self.knobs.target) / WIDTH
        return max(LEAST, math.exp(-away * away / 2))

    def observe(self, groups: Sequence[Group]) -> None:
        """Move the rates of the pools that were asked."""
        for group in groups:
            scored = [one for one in group.rewards if one is not None]
            if not scored:
                continue
            name = self._pool[group.id]
            now = fmean(one >= self.bar for one in scored)
            before = self._rate.get(name)
            self._rate[name] = now if before is None else self.memory * before + (1 - self.memory) * now

    def figures(self) -> dict[str, float]:
        """The success rate of each pool that was asked."""
        return {f"pool/{name}": rate for name, rate in self._rate.items()}

    def state(self) -> dict[str, Any]:
        """Rates, places and draws."""
        return {"rate": self._rate, "given": self._given, "drawn": self._drawn}

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same pools."""
        self._rate, self._given = dict(state["rate"]), dict(state["given"])
        self._drawn = int(state["drawn"])


def pools(knobs: config.Curriculum, cases: Sequence[Case]) -> dict[str, list[Case]]:
    """The pools by name, the easiest first where they are told apart by leaves; none is empty."""
    if knobs.by == "level":
        levels: dict[str, list[Case]] = {}
        for case in cases:
            levels.setdefault(case.level, []).append(case)
        return levels
    sizes = {case.id: sum(1 for _ in leaves(case.answer)) for case in cases}
    ordered = sorted({*sizes.values()})
    many = min(POOLS, len(ordered))
    edges = [ordered[place * len(ordered) // many] for place in range(many)]
    named: dict[str, list[Case]] = {f"{edge}+": [] for edge in edges}
    for case in cases:
        named[f"{max(edge for edge in edges if edge <= sizes[case.id])}+"].append(case)
    return named
