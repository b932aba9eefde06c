"""Files of records: JSON Lines, a JSON array, CSV and Parquet; and a record with a column for each field as a case."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from proseform import jsonl
from proseform.errors import RowError
from proseform.schema import Schema
from proseform.strict import DECODER
from proseform.verbal.order import followed

Record = tuple[int, dict[str, Any]]
"""The number of a line (of Parquet and of an array: of a row), from 1, and its values by column."""
_LONGEST_CELL = 10_000_000
_CSV, _TSV = ".csv", ".tsv"


def read(path: Path) -> list[Record]:
    """The records of a file, by its suffix; what has none of them is JSON Lines.

    Raises:
        RowError: No such file, or one that is not what its suffix says.
    """
    if not path.is_file():
        raise RowError(f"{path}: there is no such file.")
    match path.suffix.lower():
        case ".csv" | ".tsv":
            return list(_separated(path))
        case ".parquet":
            return list(_parquet(path))
        case ".json":
            return list(_array(path))
        case _:
            lines = enumerate(jsonl.read(path), start=1)
            return [(at, jsonl.parse(line, f"{path.name}, line {at}")) for at, line in lines if line.strip()]


def columns(
    record: Mapping[str, Any], schema: Schema, inputs: Collection[str], others: Collection[str]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Inputs and answer of a record that has a column for each field, or one ``answer`` of JSON.

    Args:
        record: Values by column.
        schema: What is answered.
        inputs: Columns that are inputs; empty takes all that are nothing else.
        others: Columns that are neither.

    Raises:
        RowError: A column that is missing or holds another type; the message is the fault in words.
    """
    fields = {".".join(path): (path, node) for path, node in _fields(schema)}
    answer: dict[str, Any] = {}
    if "answer" in record and "answer" not in fields:
        whole = record["answer"]
        answer = _json(whole, "answer") if isinstance(whole, str) else whole
        if not isinstance(answer, dict):
            raise RowError(f"field 'answer' is {jsonl.kind(answer)}, expected an object")
    else:
        for name, (path, node) in fields.items():
            if name in record and name not in inputs:
                _put(answer, path, _cell(record[name], node, name))
    names = inputs or [name for name in record if name not in fields and name not in (*others, "answer")]
    texts: dict[str, str] = {}
    for name in names:
        if not isinstance(record.get(name), str):
            raise RowError(f"field '{name}' is {jsonl.kind(record.get(name))}, expected the text of an input")
        texts[name] = record[name]
    if not texts:
        raise RowError("no column is an input: each is a field of the schema")
    return texts, answer


def _fields(schema: Schema) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Every field that a column may name, with its path."""
    queue: list[tuple[tuple[str, ...], Any]] = [((), schema.document)]
    for path, stated in queue:
        if not isinstance(stated, Mapping):
            continue
        node = followed(stated, schema.document)
        if path:
            yield path, node
        properties = node.get("properties")
        if isinstance(properties, Mapping) and len(path) < 5:  # noqa: PLR2004 - no column has a longer path
            queue += [((*path, name), field) for name, field in properties.items()]


def _put(answer: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Put a value to its place, unless there is none."""
    if value is _NOTHING:
        return
    for step in path[:-1]:
        answer = answer.setdefault(step, {})
    answer[path[-1]] = value


_NOTHING = object()


def _cell(value: Any, node: Mapping[str, Any], name: str) -> Any:
    """A cell as the schema's type; an empty one of no text is absent."""
    kinds = node.get("type")
    kinds = {kinds} if isinstance(kinds, str) else {*(kinds or ())}
    choices = node.get("enum", [node["const"]] if "const" in node else None)
    texts = "string" in kinds or (not kinds and (not choices or any(isinstance(one, str) for one in choices)))
    if value is None:
        return None if "null" in kinds else _NOTHING
    if not isinstance(value, str) or (texts and (value or "null" not in kinds)):
        return value if value != "" or _may_be_empty(node) else _NOTHING
    if not value.strip():
        return None if "null" in kinds else _NOTHING
    lowered = value.strip().lower()
    return lowered == "true" if "boolean" in kinds and lowered in ("true", "false") else _json(value, name)


def _may_be_empty(node: Mapping[str, Any]) -> bool:
    """Whether an empty text is one of a field's."""
    choices = node.get("enum")
    return "" in choices if isinstance(choices, list) else int(node.get("minLength", 0)) == 0


def _json(text: str, name: str) -> Any:
    """JSON in a cell."""
    try:
        return DECODER.decode(text.strip())
    except (ValueError, RecursionError) as error:
        raise RowError(f"field '{name}' is {text!r:.40}, which is no JSON ({error})") from error


def _separated(path: Path) -> Iterator[Record]:
    """A CSV file, whose first line names the columns."""
    text = "\n".join(jsonl.read(path))
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter="\t" if path.suffix.lower() == _TSV else ",", strict=True
    )
    try:
        names = next(reader, [])
        if len({*names}) != len(names) or not all(names):
            raise RowError(f"{path.name}, line 1: columns need names, each its own.")
        start = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(names):
                raise RowError(f"{path.name}, line {start}: it has {len(cells)} cells, expected {len(names)}.")
            if cells:
                yield start, dict(zip(names, cells, strict=True))
            start = reader.line_num + 1
    except csv.Error as error:
        raise RowError(f"{path.name}, line {reader.line_num}: not CSV ({error}).") from error


def _parquet(path: Path) -> Iterator[Record]:
    """A Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise RowError(f"{path.name}: not Parquet ({error}).") from error
    for number, row in enumerate(rows, 1):
        yield number, {name: _plain(cell, f"{path.name}, row {number}: field '{name}'") for name, cell in row.items()}


def _plain(cell: Any, where: str) -> Any:
    """A cell of Parquet as JSON has it: dates as texts, nested values in their parts, absent parts left out.

    Raises:
        RowError: JSON has no such value.
    """
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    if isinstance(cell, dict):
        return {name: _plain(inner, where) for name, inner in cell.items() if inner is not None}
    if isinstance(cell, list | tuple):  # a pair of a map is a tuple
        return [_plain(inner, where) for inner in cell]
    if isinstance(cell, float) and not math.isfinite(cell):
        raise RowError(f"{where} is {cell}, which is no number in JSON.", hint="Leave the cell empty (null).")
    if cell is not None and not isinstance(cell, str | int | float):
        raise RowError(f"{where} is of the type {type(cell).__name__}, which JSON does not have.")
    return cell


def _array(path: Path) -> Iterator[Record]:
    """A JSON array of objects; what begins with an object instead is JSON Lines."""
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as error:
        raise RowError(f"{path.name}: not JSON ({error}).", hint="JSON Lines have the suffix .jsonl.") from error
    if not isinstance(rows, list):
        raise RowError(f"{path.name}: expected an array of records, found {jsonl.kind(rows)}.")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise RowError(f"{path.name}, row {number}: expected an object, found {jsonl.kind(row)}.")
        yield number, row
