"""Results as files: JSON Lines in OpenAI's form, or a table in Parquet or CSV; refusals stand in their places.

A cell of a CSV that begins as a formula would (``=``, ``+``, ``-``, ``@``, a tab or a carriage return) gets an
apostrophe before it, so that no spreadsheet computes what somebody wrote into an input.
"""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from proseform.errors import InputError

COLUMNS = ("custom_id", "status_code", "reason", "message", "verdict", "bundle", "answer", "prose")
"""The columns of a table: text, but for the status."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_GROUP = 1000
"""Rows of a Parquet group."""
_OK = 200


def cells(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result as the cells of a table; ``answer`` is JSON, and what does not apply is empty."""
    status, body = result["response"]["status_code"], result["response"]["body"]
    row = {**dict.fromkeys(COLUMNS, ""), "custom_id": result["custom_id"], "status_code": status}
    if status != _OK:
        error = body["error"]
        return {**row, "reason": error.get("reason") or error.get("code") or "", "message": error["message"]}
    about, answer = (body["proseform"], _content(body)) if "choices" in body else (body, _json(body["answer"]))
    shown = {name: about.get(name, "") for name in ("verdict", "bundle", "prose")}
    return {**row, **shown, "answer": answer}


def escaped(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula.

    >>> escaped("=1+1"), escaped("a map"), escaped(200)
    ("'=1+1", 'a map', 200)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def writer(path: Path) -> Callable[[Path, Iterable[Mapping[str, Any]]], None]:
    """What writes results into a file, by the ending of its name.

    Raises:
        InputError: Another ending, or Parquet where its library is not installed.
    """
    known = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
    if path.suffix not in known:
        raise InputError(f"--out {path}: results are written as {', '.join(known)}.")
    if path.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise InputError(f"--out {path}: Parquet needs pyarrow.", hint="Install proseform[registry], or take .csv.")
    return known[path.suffix]


def write(path: Path, results: Iterable[Mapping[str, Any]]) -> None:
    """Write a file whole, or not at all.

    Raises:
        InputError: As :func:`writer`.
    """
    draft = path.with_name(f".{path.name}")
    writer(path)(draft, results)
    draft.replace(path)


def _jsonl(path: Path, results: Iterable[Mapping[str, Any]]) -> None:
    """One line a row."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_json({**result, "error": None}) + "\n" for result in results)


def _csv(path: Path, results: Iterable[Mapping[str, Any]]) -> None:
    """A table for spreadsheets."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows({name: escaped(cell) for name, cell in cells(result).items()} for result in results)


def _parquet(path: Path, results: Iterable[Mapping[str, Any]]) -> None:
    """A table with types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.int32() if name == "status_code" else pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(path, schema) as file:
        for group in _groups(map(cells, results)):
            file.write_table(pa.Table.from_pylist(group, schema))


def _groups(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows, some at a time."""
    group: list[dict[str, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) == _GROUP:
            yield group
            group = []
    if group:
        yield group


def _content(body: Mapping[str, Any]) -> str:
    """The JSON of a completion of OpenAI's form."""
    choice = body["choices"][0]
    message = choice.get("message") or {}
    calls = message.get("tool_calls")
    return str(calls[0]["function"]["arguments"] if calls else message.get("content") or choice.get("text", ""))


def _json(value: Any) -> str:
    """A value as JSON in one line; a lone surrogate, which UTF-8 cannot hold, is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isascii() or text.encode(errors="ignore").decode() == text else json.dumps(value)
