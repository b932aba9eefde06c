"""Rewards: pure functions from texts and gold to numbers.

Two families. The *gated JSON reward* pays for form first and content only behind it. The *composite prose reward*
weighs the task's own terms by its rubric. Sources: power scaling and weights are the founding text's; that grading
alone does not rescue a policy which never opens a brace is measured in docs/results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proseform import verify

if TYPE_CHECKING:
    from proseform.case import Case
    from proseform.rubric import Rubric
    from proseform.schema import Schema
    from proseform.task import Task

ATTEMPTED = 0.1
"""What an opened brace is worth that never becomes a valid document."""


def gated_json(text: str, gold: Any, schema: Schema) -> float:
    """The gated reward of a JSON completion, 0, 0.1, or within [1, 2].

    0.0 for nothing, 0.1 for an attempt (a brace is opened), and for a document that the verifier accepts
    1.0 plus the share of the content that is right.

    >>> from proseform.schema import Schema
    >>> schema = Schema({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})
    >>> [gated_json(t, {"a": 1, "b": 2}, schema) for t in ("I think…", '{"a": ', '{"a": 1, "b": 3}', '{"a": 1, "b": 2}')]
    [0.0, 0.1, 1.5, 2.0]
    """
    verdict = verify.answer(text, schema)
    if verdict.ok:
        return 1.0 + content_share(verdict.value, gold)
    return ATTEMPTED if "{" in text else 0.0


def content_share(value: Any, gold: Any) -> float:
    """The share of leaves on which two JSON values agree, in [0, 1]; 1 exactly where they are equal.

    Leaves are compared by path, list items by position; a leaf that only one side has counts against.

    >>> content_share({"a": 1, "b": ["x", "y"]}, {"a": 1, "b": ["x", "z"]}) == 2 / 3
    True
    """
    ours, theirs = dict(_leaves(value, ())), dict(_leaves(gold, ()))
    paths = ours.keys() | theirs.keys()
    agreed = sum(path in ours and path in theirs and _same(ours[path], theirs[path]) for path in paths)
    return agreed / len(paths)


def powered(score: float, exponent: float) -> float:
    """A score in [0, 1] raised to a power: with 4, half right is worth .0625.

    >>> powered(0.5, 4), round(powered(0.8, 3), 3)
    (0.0625, 0.512)
    """
    return float(score**exponent)


def composite(scores: Mapping[str, float], rubric: Rubric) -> float:
    """The weighted sum of powered term scores, in [0, 1].

    Args:
        scores: Term name to score in [0, 1]; a term of the rubric that is absent is a ``KeyError``.
        rubric: Weights and exponents.
    """
    return sum(weight * powered(scores[term], rubric.exponents.get(term, 1)) for term, weight in rubric.weights.items())


def prose_terms(text: str, case: Case, task: Task, rubric: Rubric) -> dict[str, float]:
    """The raw score of each term of the rubric for one evaluation, each in [0, 1]."""
    return {term: task.terms[term](text, case) for term in rubric.weights}


def prose(text: str, case: Case, task: Task, rubric: Rubric) -> float:
    """The composite reward of one evaluation in prose, in [0, 1]."""
    return composite(prose_terms(text, case, task, rubric), rubric)


def zero_variance_share(rewards: Sequence[float], group_size: int) -> float:
    """The share of groups whose rewards are all exactly equal: groups that teach nothing, in [0, 1].

    Counted here by equality, because TRL's ``frac_reward_zero_std`` speaks of the whole batch under some of its
    settings.

    Raises:
        ValueError: The rewards do not divide into groups.

    >>> zero_variance_share([1, 1, 0, 1], group_size=2)
    0.5
    """
    if not rewards or group_size < 1 or len(rewards) % group_size:
        raise ValueError(f"{len(rewards)} rewards do not divide into groups of {group_size}")
    groups = [rewards[start : start + group_size] for start in range(0, len(rewards), group_size)]
    return sum(len(set(group)) == 1 for group in groups) / len(groups)


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every leaf with its path; an empty container is a leaf of its own."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    branches = list(items)
    if not branches:
        yield path, value
    for step, child in branches:
        yield from _leaves(child, (*path, step))


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON leaves: 1 and 1.0 are the same number, 1 and true are not."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)
