"""The rubric: which terms a piece of prose is scored on, and what each weighs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proseform.errors import ConfigError, TaskError

ACCURACY = "accuracy"
"""The term whose exponent a run may override."""


@dataclass(frozen=True, slots=True)
class Rubric:
    """Weighted terms, each in [0, 1]; the weights sum to 1, so the composite is in [0, 1] too.

    Attributes:
        weights: Term name to weight, each above 0.
        exponents: Term name to the power that its score is raised to, ≥ 1; absent means 1. The fourth
            power on accuracy makes a half-right evaluation worth .06 (the third would make it .125): guessing
            does not pay.
    """

    weights: Mapping[str, float]
    exponents: Mapping[str, float]

    @classmethod
    def from_toml(cls, table: Mapping[str, Any], variant: str, where: str = "rubric.toml") -> Rubric:
        """Read ``[variants.<variant>]`` (weights) and ``[exponents]``.

        Raises:
            TaskError: Unknown variant, a weight ≤ 0, weights that do not sum to 1, an exponent < 1 or of no term.
        """
        variants, exponents = (_table(table, name, where) for name in ("variants", "exponents"))
        if variant not in variants:
            raise TaskError(f"{where}: no rubric variant '{variant}'; there are: {', '.join(variants) or 'none'}.")
        variants = {name: _table(variants, name, f"{where}, variants") for name in variants}
        weights = variants[variant]
        for term, weight in weights.items():
            if not _number(weight) or weight <= 0:
                raise TaskError(f"{where}: variants.{variant}.{term} is {weight!r}, expected a number above 0.")
        if not math.isclose(sum(weights.values()), 1.0, abs_tol=1e-9):
            raise TaskError(f"{where}: the weights of variants.{variant} sum to {sum(weights.values()):g}, expected 1.")
        known = {term for terms in variants.values() for term in terms}
        for term, exponent in exponents.items():
            if term not in known:
                raise TaskError(f"{where}: exponents.{term} names no term; there are: {', '.join(sorted(known))}.")
            if not _number(exponent) or exponent < 1:
                raise TaskError(f"{where}: exponents.{term} is {exponent!r}, expected a number of at least 1.")
        return cls(weights, {term: exponents[term] for term in weights if term in exponents})

    def with_accuracy_exponent(self, exponent: float) -> Rubric:
        """This rubric with another power on :data:`ACCURACY`.

        Raises:
            ConfigError: The rubric does not weigh that term.
        """
        if ACCURACY not in self.weights:
            raise ConfigError(
                f"grpo.accuracy_exponent: the rubric has no term '{ACCURACY}'; it has {', '.join(self.weights)}."
            )
        return Rubric(self.weights, {**self.exponents, ACCURACY: exponent})


def _table(table: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """A table within a table; empty where it is missing."""
    inner = table.get(name, {})
    if not isinstance(inner, Mapping):
        raise TaskError(f"{where}: {name} is {inner!r}, expected a table.")
    return dict(inner)


def _number(value: Any) -> bool:
    """A finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
