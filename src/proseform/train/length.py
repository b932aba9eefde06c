"""Which cases fit the context: one rule for SFT, GRPO and measurement, so that all leave out the same.

A case fits where its prompt and its gold evaluation together take at most ``model.max_length`` tokens. Nothing is ever
cut: a cut prompt would be judged on what it does not show, and a cut completion would teach to stop short.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proseform.case import Case
from proseform.task import Task
from proseform.train import rows


def fitting(tokenizer: Any, task: Task, cases: Sequence[Case], max_length: int, where: str) -> list[Case]:
    """The cases that fit.

    Args:
        tokenizer: The base model's.
        task: Whose evaluator prompt is counted.
        cases: Any cases with gold.
        max_length: ``model.max_length``, in tokens.
        where: What to call the cases in an error, such as ``"grpo"``.

    Raises:
        RowError: Most of them do not fit; see :func:`proseform.train.rows.check_lengths`.
    """
    lengths = evaluator_lengths(tokenizer, task, cases)
    rows.check_lengths(lengths, max_length, where)
    return [case for case, length in zip(cases, lengths, strict=True) if length <= max_length]


def evaluator_lengths(tokenizer: Any, task: Task, cases: Sequence[Case]) -> list[int]:
    """Tokens of each case's prompt and gold evaluation, its end included."""
    asked = [rows.Row(case.id, task.evaluator.render(case.inputs), case.prose) for case in cases]
    return rows.gold_lengths(tokenizer, asked, task.evaluator.prefill) if asked else []
