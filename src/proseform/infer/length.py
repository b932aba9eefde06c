"""Which cases fit the context: one rule for SFT, GRPO and measurement, so that all leave out the same.

A case fits where its prompt and its gold evaluation together take at most ``model.max_length`` tokens. Nothing is ever
cut: a cut prompt would be judged on what it does not show, and a cut completion would teach to stop short.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proseform.case import Case
from proseform.errors import RowError
from proseform.infer import tokens
from proseform.task import Task

MOST_LEFT_OUT = 0.5
"""The share of rows that may be longer than the context and be left out; beyond it a run is refused."""


def fitting(tokenizer: Any, task: Task, cases: Sequence[Case], max_length: int, where: str) -> list[Case]:
    """The cases that fit.

    Args:
        tokenizer: The base model's: transformers' own, or a :class:`proseform.infer.tokens.BundleTokenizer`.
        task: Whose evaluator prompt is counted.
        cases: Any cases with gold.
        max_length: ``model.max_length``, in tokens.
        where: What to call the cases in an error, such as ``"grpo"``.

    Raises:
        RowError: Most of them do not fit; see :func:`check`.
    """
    lengths = evaluations(tokenizer, task, cases)
    check(lengths, max_length, where)
    return [case for case, length in zip(cases, lengths, strict=True) if length <= max_length]


def evaluations(tokenizer: Any, task: Task, cases: Sequence[Case]) -> list[int]:
    """Tokens of each case's prompt and gold evaluation, its end included."""
    return [
        len(tokens.encode(tokenizer, task.question(case.inputs)))
        + completion(tokenizer, case.prose, task.evaluator.prefill)
        for case in cases
    ]


def completion(tokenizer: Any, text: str, prefill: str) -> int:
    """Tokens of a completion, its end included; prose in a style of its own may lack the prefill, which is added."""
    rest = tokens.continuation(tokenizer, text.removeprefix(prefill))
    return (len(tokens.continuation(tokenizer, prefill)) if prefill else 0) + len(rest) + 1


def check(lengths: Sequence[int], max_length: int, where: str) -> None:
    """Refuse a run that would leave out most of its rows.

    Raises:
        RowError: More than :data:`MOST_LEFT_OUT` of the rows are longer than ``max_length``.
    """
    long = sum(length > max_length for length in lengths)
    if long > MOST_LEFT_OUT * len(lengths):
        raise RowError(
            f"{where}: {long} of {len(lengths)} rows are longer than the {max_length} tokens of model.max_length; "
            f"the longest has {max(lengths)}.",
            hint="Raise model.max_length, or shorten the inputs: a run without most of its data measures little.",
        )
