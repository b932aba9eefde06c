"""Cases in the forms in which people have them, as rows of a task of data alone.

A file is JSON Lines, a JSON array, CSV or Parquet. Which form a record has is told by its columns:

    inputs, answer           a case as it is, with its ``prose`` where that is somebody's own
    messages                 Hugging Face: one user's turn, one assistant's, whose content is the answer
    prompt, completion       Hugging Face, as text or as messages
    conversations            ShareGPT: from and value; an answer may be a <tool_call>, in JSON or as Python prints it
    else                     a column for each field of the schema (a nested one by its path, ``customer.name``), or one
                             column ``answer`` of JSON; all other columns are inputs

``id``, ``split`` and ``groups`` are taken as they are. An input's name becomes lower-case letters and ``_``, which is
what a prompt's placeholder can have. A system's turn that differs from case to case is an input of
its own; one that is the same in all says nothing about a case, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proseform import jsonl
from proseform.case import SPLITS, Split
from proseform.data import tables, turns
from proseform.errors import RowError
from proseform.schema import Schema
from proseform.task.replay import Row

KNOWN = ("id", "split", "groups")
SPLITS_BY_NAME: Mapping[str, Split] = {
    **{name: name for name in SPLITS}, "validation": "valid", "val": "valid", "dev": "valid", "training": "train",
}  # fmt: skip
"""Splits by the names that people give them."""
_NO_NAME = re.compile("[^a-z_]+")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns are what, where the form does not tell.

    Attributes:
        inputs: Columns that are inputs; empty takes all that are nothing else.
        group: The column of what belongs together, such as a customer; a path as ``answer.customer.name`` too.
    """

    inputs: tuple[str, ...] = ()
    group: str = ""


def rows(path: Path, schema: Schema, columns: Columns) -> list[Row]:
    """The cases of a file.

    Args:
        path: The file.
        schema: What is answered, which tells fields from inputs and texts from numbers.
        columns: See :class:`Columns`.

    Raises:
        RowError: No such file, one of another kind, or records that are no cases; the first are named by line and
            field.
    """
    records = tables.read(path)
    if not records:
        raise RowError(f"{path.name}: there is no case in it.")
    read, faults = [], []
    for number, record in records:
        try:
            inputs, answer = _case(record, schema, columns)
            read.append(_row(number, record, inputs, answer, columns))
        except RowError as error:
            faults.append((number, error.message))
    if faults:
        raise jsonl.refusal(path.name, faults)
    return _named(_without_system(read), path.name)


def _case(record: Mapping[str, Any], schema: Schema, columns: Columns) -> tuple[dict[str, str], dict[str, Any]]:
    """Inputs and answer of a record.

    Raises:
        RowError: It is no case; the message is the fault in words, with the field.
    """
    if "messages" in record or "conversations" in record:
        name = "messages" if "messages" in record else "conversations"
        return turns.case(record[name], name, schema)
    if {"prompt", "completion"} <= record.keys():
        return turns.pair(record["prompt"], record["completion"], schema)
    if isinstance(record.get("inputs"), dict):
        if not isinstance(record.get("answer"), dict):
            raise RowError(f"field 'answer' is {jsonl.kind(record.get('answer'))}, expected an object")
        return _texts(record["inputs"], "inputs."), record["answer"]
    return tables.columns(record, schema, columns.inputs, (*KNOWN, columns.group))


def _texts(values: Mapping[str, Any], where: str) -> dict[str, str]:
    """Inputs, which are texts."""
    for name, value in values.items():
        if not isinstance(value, str):
            raise RowError(f"field '{where}{name}' is {jsonl.kind(value)}, expected text")
    return dict(values)


def _row(
    number: int, record: Mapping[str, Any], inputs: Mapping[str, str], answer: Mapping[str, Any], columns: Columns
) -> Row:
    """A case as a row."""
    split = _split(record.get("split"))
    groups = record.get("groups") or []
    if not isinstance(groups, list) or not all(isinstance(one, str) for one in groups):
        raise RowError("field 'groups' is a list of texts")
    if columns.group:
        groups = [f"{columns.group}:{_grouped(record, inputs, answer, columns.group)}", *groups]
    prose = record.get("prose") if isinstance(record.get("inputs"), dict) else None
    if prose is not None and not isinstance(prose, str):
        raise RowError(f"field 'prose' is {jsonl.kind(prose)}, expected text")
    identity = record.get("id")
    return Row(number, inputs, answer, "" if identity is None else str(identity), split, tuple(groups), prose or "")


def _split(stated: Any) -> Split | None:
    """A split by one of its names; None where none is stated."""
    if stated in (None, ""):
        return None
    named = SPLITS_BY_NAME.get(stated) if isinstance(stated, str) else None
    if named is None:
        raise RowError(f"field 'split' is {stated!r:.40}, expected {', '.join(SPLITS)}")
    return named


def _grouped(record: Mapping[str, Any], inputs: Mapping[str, str], answer: Mapping[str, Any], path: str) -> str:
    """The value of the column that groups."""
    value: Any = {**record, "inputs": inputs, "answer": answer}
    if path in value:
        value = value[path]
    else:
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, dict | list):
        raise RowError(f"field '{path}' is {jsonl.kind(value)}, and cannot say what belongs together")
    return str(value)


def _without_system(rows: list[Row]) -> list[Row]:
    """The rows without an input ``system`` that is the same in all of them."""
    texts = {row.inputs.get(turns.SYSTEM) for row in rows}
    if len(texts) != 1 or None in texts or len(rows[0].inputs) == 1:
        return rows
    return [
        replace(row, inputs={name: text for name, text in row.inputs.items() if name != turns.SYSTEM}) for row in rows
    ]


def _named(rows: list[Row], file: str) -> list[Row]:
    """The rows with names of inputs that placeholders can have: ``Letter (body)`` is ``letter_body``.

    Raises:
        RowError: A name without letters, or two that become one.
    """
    names: dict[str, str] = {}
    for name in dict.fromkeys(name for row in rows for name in row.inputs):
        short = _NO_NAME.sub("_", name.lower()).strip("_")
        if not short or short in names.values():
            other = next((known for known, taken in names.items() if taken == short), "")
            raise RowError(f"{file}: the input '{name}' {f'is named as {other!r}' if other else 'has no letters'}.")
        names[name] = short
    return [replace(row, inputs={names[name]: text for name, text in row.inputs.items()}) for row in rows]
