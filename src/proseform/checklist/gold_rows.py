"""The cases of a function of one's own: JSON Lines of a prompt, a gold completion, and the columns of the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import jsonl
from proseform.errors import RowError

_GIVEN = ("prompt", "completion", "completion_ids")
"""Columns that TRL hands over under names of its own, or not at all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a cases file.

    Attributes:
        prompt: A text, or the messages of a conversation.
        gold: The gold completion, as text.
        columns: All other columns.
    """

    prompt: Any
    gold: str
    columns: Mapping[str, Any]

    @property
    def conversational(self) -> bool:
        """Whether prompt and completion are messages."""
        return isinstance(self.prompt, list)


def read(path: Path) -> list[Row]:
    """The rows of a cases file: JSON Lines with ``prompt``, ``completion`` (the gold one), and the function's columns.

    Raises:
        RowError: Fewer than two rows, a row that lacks one of the two or has it in another shape, or other columns or
            another form than the first row's; the line is named.
    """
    rows = [
        _row(jsonl.parse(line, where), where)
        for number, line in enumerate(jsonl.read(path), start=1)
        if line.strip()
        for where in [f"{path.name}, line {number}"]
    ]
    if len(rows) < 2:  # noqa: PLR2004 - one case cannot show that the reward tells cases apart
        raise RowError(f"{path.name}: has {len(rows)} rows, expected at least 2.", hint="A dozen show more.")
    for number, row in enumerate(rows, start=1):
        if row.columns.keys() != rows[0].columns.keys() or row.conversational != rows[0].conversational:
            raise RowError(
                f"{path.name}, row {number}: has other columns or another form than row 1.",
                hint="A dataset has the same columns in every row, and prompts are all texts or all conversations.",
            )
    return rows


def _row(value: Mapping[str, Any], where: str) -> Row:
    """A row of a file."""
    for name in ("prompt", "completion"):
        if name not in value:
            hint = "prompt is what the model is asked, completion a gold answer; other columns go to the function."
            raise RowError(f"{where}: field '{name}' is missing.", hint=hint)
    prompt, completion = value["prompt"], value["completion"]
    if not isinstance(prompt, str) and not _is_conversation(prompt):
        raise RowError(f"{where}: field 'prompt' is {jsonl.kind(prompt)}, expected text or a list of messages.")
    if isinstance(completion, list) and _is_conversation(completion) and isinstance(prompt, list):
        completion = completion[-1]["content"]
    if not isinstance(completion, str) or not completion.strip():
        raise RowError(f"{where}: field 'completion' is no text, and no messages beside a prompt of messages.")
    return Row(prompt, completion, {key: column for key, column in value.items() if key not in _GIVEN})


def _is_conversation(value: Any) -> bool:
    """Messages with a role and a text each."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
            for turn in value
        )
    )
