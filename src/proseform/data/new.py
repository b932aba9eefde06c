"""A task of one's own out of a schema and cases: a folder of data that trains, gates and serves.

Its ``cases.jsonl`` states the split of each case, which stays whatever is added.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proseform import jsonl, leaks, naming
from proseform import task as tasks
from proseform.data import bounding
from proseform.data.forms import Columns, rows
from proseform.errors import InputError
from proseform.schema import Schema
from proseform.task import known, plain, replay
from proseform.task.replay import Row
from proseform.verbal import Form


@dataclass(frozen=True, slots=True)
class New:
    """A folder that was written.

    Attributes:
        folder: The folder.
        cases: How many cases it has.
        bounds: Places of the schema that got a bound, each with what it lacked.
    """

    folder: Path
    cases: int
    bounds: tuple[str, ...]


def write(name: str, schema: Path, cases: Path, columns: Columns, into: Path | None = None) -> New:
    """Write a task's folder.

    Args:
        name: The task's name, which becomes the folder's.
        schema: A JSON schema of an object.
        cases: A file of cases, see :mod:`proseform.data.forms`.
        columns: Which of its columns are what.
        into: The folder that gets the task's; None takes the first that is looked into for tasks.

    Raises:
        InputError: No such file, a bad name or schema, or a folder that exists.
        RowError: The first cases that are none, with line and field.
    """
    target = (into or (known.places() or [Path(known.DEFAULT)])[0]) / name
    _free(name, target)
    document = _document(schema)
    given = rows(cases, Schema(document, schema.name), columns)
    bounded = bounding.bounded(document, [row.answer for row in given])
    fitting = _fits(given, Schema(bounded, schema.name), cases.name)
    lacking = Schema(document, schema.name).unbounded()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as work:
        folder = Path(work) / name
        folder.mkdir()
        (folder / plain.SCHEMA).write_text(json.dumps(bounded, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        with (folder / replay.FILE).open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(_line(row), ensure_ascii=False) + "\n" for row in fitting)
        plain.read(folder)
        folder.rename(target)
    return New(target, len(given), tuple(lacking))


def _free(name: str, target: Path) -> None:
    """Refuse a name that is none, or that is taken."""
    if fault := naming.fault(name):
        raise InputError(f"NAME: {fault}.")
    if name in tasks.installed():
        raise InputError(f"NAME: a task '{name}' is installed.", hint="Take another name.")
    if target.exists():
        raise InputError(f"{target} exists.", hint="Take another name, or remove it.")


def _document(path: Path) -> dict[str, Any]:
    """A schema's document."""
    if not path.is_file():
        raise InputError(f"--schema: there is no file {path}.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}).") from error
    if not isinstance(document, dict) or not isinstance(document.get("properties"), dict):
        raise InputError(f"{path}: expected a schema of an object with properties.")
    return document


def _fits(given: Sequence[Row], schema: Schema, name: str) -> list[Row]:
    """The rows with their splits; those that are no cases of the schema are refused by lines of the file given."""
    inputs = tuple(given[0].inputs)
    form = None if replay.free(given) else Form(schema, inputs)
    placed = replay.cases(given, inputs, schema, form, name)
    if faults := [*leaks.across(placed, ())]:
        raise jsonl.refusal(name, faults, hint="Name by --group the column of what belongs together.")
    return [replace(row, split=case.split) for row, (_, case) in zip(given, placed, strict=True)]


def _line(row: Row) -> Mapping[str, Any]:
    """A row as a line of the folder's cases.jsonl."""
    stated = {"id": row.id, "split": row.split, "groups": list(row.groups), "prose": row.prose}
    return {**{key: value for key, value in stated.items() if value}, "inputs": row.inputs, "answer": row.answer}
