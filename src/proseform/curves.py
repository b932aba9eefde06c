"""What is watched of GRPO while it trains: each curve with what to do about it, and the alarms. Pure.

A row is a line of ``metrics.jsonl``: figures by name, beside ``step``. The report, MLflow and ``proseform watch`` show
the same rows; what a curve means is written down here alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from statistics import fmean
from typing import Any

Row = Mapping[str, Any]

RECENT = 5
"""Steps that an alarm averages over: fewer would make noise of a batch an alarm."""
SLIDE = 10
"""Steps of each of the two windows that reward and quality are compared over."""
FEW = 0.5
"""Share of right answers below which a policy that no longer explores is stuck."""
MOVED = 0.02
"""By how much both must have moved to have parted, as a share of the highest."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure over steps.

    Attributes:
        name: In the rows.
        title: For people.
        sentence: What it shows, and what to do.
        share: Whether it is a share from 0 to 1; else it is shown on a scale of its own.
    """

    name: str
    title: str
    sentence: str
    share: bool = True


@cache
def known() -> tuple[Curve, ...]:
    """The curves that are watched, in the order in which they are shown; they stand in ``curves.toml``."""
    table = tomllib.loads((resources.files("proseform") / "curves.toml").read_text(encoding="utf-8"))
    return tuple(
        Curve(name, about["title"], " ".join(about["sentence"].split()), about["share"])
        for name, about in table.items()
    )


def series(rows: Sequence[Row], name: str) -> list[tuple[int, float]]:
    """A curve as steps and values, without steps that lack it."""
    values = ((int(row.get("step", place)), row.get(name)) for place, row in enumerate(rows, start=1))
    return [(step, float(value)) for step, value in values if value is not None]


def alarms(rows: Sequence[Row]) -> list[str]:
    """What is wrong now and what to do, a sentence each; empty where nothing is.

    Args:
        rows: Of all steps so far, in order.
    """
    return [words for alarm in _ALARMS if (words := alarm(rows))]


def _recent(rows: Sequence[Row], name: str) -> float:
    """The mean of a figure over the last steps; NaN, which is in no range, where there are too few."""
    values = [value for _, value in series(rows, name)]
    return fmean(values[-RECENT:]) if len(values) >= RECENT else float("nan")


def _parted(rows: Sequence[Row]) -> str:
    """Reward up, quality down."""
    moved = []
    for name in ("reward", "right"):
        values = [value for _, value in series(rows, name)]
        if len(values) < 2 * SLIDE:
            return ""
        highest = max(1.0, *values)
        moved.append((fmean(values[-SLIDE:]) - fmean(values[-2 * SLIDE : -SLIDE])) / highest)
    if moved[0] > MOVED and moved[1] < -MOVED:
        return (
            f"Over {SLIDE} steps the reward rose by {moved[0]:.2f} and the share of wholly right answers fell by "
            f"{-moved[1]:.2f}: the reward is gamed. Stop, and run `proseform rewards explain` on the rollouts."
        )
    return ""


def _over(name: str, limit: float, words: str) -> Callable[[Sequence[Row]], str]:
    """An alarm where a figure is above a limit."""

    def alarm(rows: Sequence[Row]) -> str:
        value = _recent(rows, name)
        return words.format(value=value) if value > limit else ""

    return alarm


def _narrowed(rows: Sequence[Row]) -> str:
    """Entropy at a tenth of what it was, while the reward is no more than half."""
    values = [value for _, value in series(rows, "entropy")]
    if len(values) <= RECENT or _recent(rows, "entropy") >= 0.1 * values[0] or _recent(rows, "right") >= FEW:
        return ""
    return (
        f"Entropy fell from {values[0]:.2f} to {values[-1]:.2f} nats and few answers are right: raise "
        "grpo.temperature or grpo.beta."
    )


_ALARMS: tuple[Callable[[Sequence[Row]], str], ...] = (
    _parted,
    _over("all_zero", 0.8, "{value:.0%} of recent groups earn nothing: train SFT longer, or set [grpo.signal.gold]."),
    _over("all_best", 0.8, "{value:.0%} of recent groups earn the most there is: stop, or take harder cases."),
    _over("frac_cancelled", 0.3, "In {value:.0%} of recent groups terms differ and cancel: change a weight."),
    _over("repeated", 0.5, "{value:.0%} of recent completions repeat one of their group: raise grpo.temperature."),
    _over("kl", 1.0, "KL is {value:.2f}: lower grpo.learning_rate or raise grpo.beta."),
    _over("clipped", 0.3, "{value:.0%} of recent completions are cut: raise generation.evaluator.max_tokens."),
    _over("faulted", 0.05, "{value:.0%} of recent rollouts cannot be scored: run `proseform rewards check`."),
    _narrowed,
)
