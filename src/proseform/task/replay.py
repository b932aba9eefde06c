"""The cases of a task without code: read from its ``cases.jsonl``, checked line by line, and given again by split.

A line has ``inputs`` and ``answer``, and may have ``id``, ``split``, ``groups`` and ``prose``. A case that states no
split takes that of an earlier line with which it shares a group or a text of its own; else it gets one by a hash of its
first group, or of all its inputs. A split that is stated stays, and ``proseform task new`` states that of each case.
The prose is the answer's, as the task's form writes it; where the lines state it, all of them do, and it is somebody's
own free text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zlib import crc32

from proseform import jsonl, leaks
from proseform.case import SPLITS, Case, Split, shaped
from proseform.errors import InputError, RowError
from proseform.schema import Schema
from proseform.strict import same
from proseform.verbal import Form

FILE = "cases.jsonl"
LEVEL = "own"
"""The one level of such a task."""
_HELD_OUT: Mapping[int, Split] = {0: "test", 1: "valid"}
"""Of ten parts by hash, which are held out."""
_REQUIRED = {"inputs": dict, "answer": dict}
_OPTIONAL = {"id": str, "split": str, "groups": list, "prose": str}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file.

    Attributes:
        number: Of the line, from 1.
        inputs: Texts by name.
        answer: The gold JSON.
        id: Empty where the line states none.
        split: None where the line states none.
        groups: Identities that may not cross splits.
        prose: The evaluation in free prose; empty where the line states none.
    """

    number: int
    inputs: Mapping[str, str]
    answer: Mapping[str, Any]
    id: str = ""
    split: Split | None = None
    groups: tuple[str, ...] = ()
    prose: str = ""


def rows(path: Path) -> list[Row]:
    """The lines of a file, each of the right shape.

    Raises:
        RowError: Not JSON Lines in UTF-8, no line at all, or the first line of another shape; line and field are named.
    """
    name, read = path.name, []
    for number, line in enumerate(jsonl.read(path), start=1):
        if line.strip():
            read.append(_row(jsonl.parse(line, f"{name}, line {number}"), number, f"{name}, line {number}"))
    if not read:
        raise RowError(f"{name}: there is no case in it.", hint='A line is {"inputs": {…}, "answer": {…}}.')
    return read


def free(rows: Sequence[Row]) -> bool:
    """Whether the prose of some rows is somebody's own free text."""
    return any(row.prose for row in rows)


def cases(
    rows: Sequence[Row], inputs: Sequence[str], schema: Schema, form: Form | None, name: str = FILE
) -> list[leaks.Placed]:
    """The cases of some rows, with prose and splits.

    Args:
        rows: As :func:`rows` reads them.
        inputs: The names of the task's inputs.
        schema: The task's.
        form: The form of the schema; None where the rows state their prose.
        name: What to call the file.

    Raises:
        RowError: Inputs that are not the task's, blank ones, or answers that do not conform or cannot be written; the
            first lines are named, each with its field.
    """
    faults = [(row.number, words) for row in rows for words in islice(_faults(row, inputs, schema, form), 1)]
    if faults or (faults := [*_ambiguous(rows)]):
        raise jsonl.refusal(name, faults)
    return [(row.number, _case(row, form, split)) for row, split in zip(rows, _splits(rows), strict=True)]


def replay(cases: Sequence[Case]) -> Callable[[str, str, int, int], Iterator[Case]]:
    """The generator of a task that has these cases: the first ones of a split, whatever the seed."""
    by_split: dict[str, list[Case]] = {split: [case for case in cases if case.split == split] for split in SPLITS}

    def generate(level: str, split: str, _seed: int, count: int) -> Iterator[Case]:
        if level != LEVEL:
            raise InputError(f"A task of data alone has no level '{level}'; there is: {LEVEL}.")
        return islice(iter(by_split[split]), count)

    return generate


def _row(table: Mapping[str, Any], number: int, where: str) -> Row:
    """A line as a row; see :func:`rows`."""
    shaped(table, where, _REQUIRED, _OPTIONAL)
    for name, text in table["inputs"].items():
        if not isinstance(text, str):
            raise RowError(f"{where}: field 'inputs.{name}' is {jsonl.kind(text)}, expected text.")
    groups = table.get("groups", [])
    if not all(isinstance(group, str) for group in groups):
        raise RowError(f"{where}: field 'groups' is a list of texts.")
    split = table.get("split")
    if split is not None and split not in SPLITS:
        raise RowError(f"{where}: field 'split' is '{split}', expected one of {', '.join(SPLITS)}.")
    identity, prose = table.get("id", ""), table.get("prose", "")
    return Row(number, table["inputs"], table["answer"], identity, split, tuple(groups), prose)


def _faults(row: Row, inputs: Sequence[str], schema: Schema, form: Form | None) -> Iterator[str]:
    """What is wrong with a row, in words."""
    if set(row.inputs) != set(inputs):
        yield f"field 'inputs': it has {', '.join(sorted(row.inputs)) or 'none'}, expected {', '.join(inputs)}"
        return
    for name, text in row.inputs.items():
        if not text.strip():
            yield f"field 'inputs.{name}': the input is blank"
    if fault := schema.fault(row.answer):
        yield f"field 'answer{fault[0].rstrip('/').replace('/', '.')}': {fault[1]}"
        return
    if form is None:
        if not row.prose.strip():
            yield "field 'prose': there is none, and other lines state theirs"
        return
    verdict = form.read(form.write(row.answer), {})
    if not verdict.ok or not same(verdict.value, dict(row.answer)):
        yield f"field 'answer': it cannot be read back from its prose ({verdict})"


def _ambiguous(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Free prose that stands beside two answers, which nobody could tell from it."""
    said: dict[str, Row] = {}
    for row in rows:
        first = said.setdefault(row.prose, row) if row.prose else row
        if not same(dict(first.answer), dict(row.answer)):
            yield row.number, f"field 'prose': line {first.number} has the same, and another answer"


def _splits(rows: Sequence[Row]) -> list[Split]:
    """The split of each row.

    No hash is of what other rows decide, and a row follows earlier ones alone: rows at the end move none before them,
    unless they change which inputs identify a case.
    """
    watched = sorted(leaks.identifying([row.inputs for row in rows]))
    taken: dict[tuple[str, str], Split] = {}
    splits: list[Split] = []
    for row in rows:
        whole = "\n".join(row.inputs[name] for name in sorted(row.inputs))
        shared = [
            *(("groups", group) for group in row.groups),
            *((f"inputs.{name}", row.inputs[name]) for name in watched),
            ("inputs", whole),
        ]
        marks = [(kind, leaks.plain(text)) for kind, text in shared]
        known = next((taken[mark] for mark in marks if mark in taken), None)
        split = row.split or known or _hashed(row.groups[0] if row.groups else whole)
        for mark in marks:
            taken.setdefault(mark, split)
        splits.append(split)
    return splits


def _hashed(key: str) -> Split:
    """A split by a hash: a tenth each is held out for test and for valid."""
    return _HELD_OUT.get(crc32(leaks.plain(key).encode()) % 10, "train")


def _case(row: Row, form: Form | None, split: Split) -> Case:
    """A row as a case."""
    return Case(
        id=row.id or f"{row.number:06d}",
        level=LEVEL,
        split=split,
        inputs=row.inputs,
        prose=row.prose if form is None else form.write(row.answer),
        answer=row.answer,
        groups=row.groups,
    )
