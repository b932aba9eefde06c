"""Rewards: pure functions from texts and gold to numbers.

Two families. The *gated JSON reward* pays for content only once the form is right (:mod:`proseform.direct`, with other
rewards of JSON). The *composite reward* is the sum of terms, each raised to the power and weighted as its rubric says;
they are the task's own, or those of JSON.

A term owes a number in [0, 1] for any text. One that gives something else, or raises, is a *fault* of the reward and
not a low score (-1 to the fourth power would earn full marks): :func:`score` says so in words. A term that never
returns is beyond pure functions; :mod:`proseform.train.scorer` ends it from outside.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proseform import direct
from proseform.direct import ATTEMPTED, JSON, gated_json
from proseform.leaves import content_share

if TYPE_CHECKING:
    from proseform.case import Case
    from proseform.rubric import Rubric
    from proseform.task import Task

__all__ = [
    "ATTEMPTED",
    "JSON",
    "Score",
    "composite",
    "content_share",
    "gated_json",
    "in_range",
    "powered",
    "prose",
    "prose_terms",
    "score",
    "zero_variance_share",
]

_ROUNDING = 1e-9
"""How far beyond [0, 1] a term may come out by rounding alone."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one completion earned.

    Attributes:
        terms: Term name to raw score, in [0, 1] for prose; empty where there is a fault.
        composite: Weighted sum of the terms, each to its power; None where there is a fault.
        fault: Why the reward could not score the completion; empty where it could.
        right: Whether it is right in every field, which no reward is paid for; None where nobody asked. Scores that
            differ in it alone are equal.
    """

    terms: Mapping[str, float] = field(default_factory=dict)
    composite: float | None = None
    fault: str = ""
    right: bool | None = field(default=None, compare=False)


def powered(score: float, exponent: float) -> float:
    """A score in [0, 1] raised to a power: with 4, half right is worth .0625.

    Raises:
        ValueError: A score outside of [0, 1]: an even power would make a penalty into full marks.

    >>> powered(0.5, 4), round(powered(0.8, 3), 3)
    (0.0625, 0.512)
    """
    return float(in_range(score) ** exponent)


def in_range(value: Any) -> float:
    """A term's result as a float in [0, 1]; rounding beyond the ends is cut off.

    Raises:
        ValueError: It is no number, not finite, below 0 or above 1.

    >>> in_range(True), in_range(1 + 1e-12)
    (1.0, 1.0)
    """
    if type(value) is float and 0.0 <= value <= 1.0:
        return value  # nearly all; asking for numbers.Real takes longer than many a term
    if not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"gave {value!r:.40}, expected a number in [0, 1]")
    number = float(value)
    if not -_ROUNDING <= number <= 1 + _ROUNDING:
        raise ValueError(f"gave {number:g}, expected a number in [0, 1]")
    return min(1.0, max(0.0, number))


def composite(scores: Mapping[str, float], rubric: Rubric) -> float:
    """The weighted sum of powered term scores, in [0, 1].

    Args:
        scores: Term name to score in [0, 1]; a term of the rubric that is absent is a ``KeyError``.
        rubric: Weights and exponents.

    Raises:
        ValueError: A score outside of [0, 1].
    """
    return sum(weight * powered(scores[term], rubric.exponents.get(term, 1)) for term, weight in rubric.weights.items())


def prose_terms(text: str, case: Case, task: Task, rubric: Rubric) -> dict[str, float]:
    """The raw score of each term of the rubric for one evaluation, each in [0, 1].

    Raises:
        ValueError: A term gave something else; the term is named. What a term raises itself passes through.
    """
    scores: dict[str, float] = {}
    for term in rubric.weights:
        value = (direct.term(term, task.schema) or task.terms[term])(text, case)
        try:
            scores[term] = in_range(value)
        except ValueError as error:
            raise ValueError(f"term '{term}' {error}") from None
    return scores


def prose(text: str, case: Case, task: Task, rubric: Rubric) -> float:
    """The composite reward of one evaluation in prose, in [0, 1]; raises as :func:`prose_terms` does."""
    return composite(prose_terms(text, case, task, rubric), rubric)


def score(text: str, case: Case, task: Task, rubric: Rubric | None) -> Score:
    """What one completion earns, faults included: the judgement of the report and of GRPO alike.

    Args:
        text: The completion, prefill included.
        case: With its gold.
        task: Reads and scores the text.
        rubric: The rubric in force, the run's exponent included (:meth:`proseform.task.Task.rubric`); None scores the
            text as JSON, by :func:`gated_json`.
    """
    try:
        if rubric is None:
            gated = gated_json(text, case.answer, task.schema)
            return Score({JSON: gated}, gated)
        terms = prose_terms(text, case, task, rubric)
        return Score(terms, composite(terms, rubric))
    except Exception as error:  # noqa: BLE001 - terms are a task's own code, which may raise anything
        words = str(error) if isinstance(error, ValueError) and str(error).startswith("term ") else repr(error)
        return Score(fault=words[:300])


def zero_variance_share(rewards: Sequence[float | None], group_size: int) -> float:
    """The share of groups whose rewards are all exactly equal: groups that teach nothing, in [0, 1].

    Counted here by equality, because TRL's ``frac_reward_zero_std`` speaks of the whole batch under some of its
    settings. A faulted rollout, whose reward is None, is left out of its group.

    Raises:
        ValueError: The rewards do not divide into groups.

    >>> zero_variance_share([1, 1, 0, 1, None, 0], group_size=2)
    0.6666666666666666
    """
    if not rewards or group_size < 1 or len(rewards) % group_size:
        raise ValueError(f"{len(rewards)} rewards do not divide into groups of {group_size}")
    groups = [{*rewards[start : start + group_size]} - {None} for start in range(0, len(rewards), group_size)]
    return sum(len(group) <= 1 for group in groups) / len(groups)
