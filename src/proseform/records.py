"""Records on disk: outcomes in Parquet, and the study of a dataset.

``records.parquet`` has a row for each outcome; ``records.json`` names the machine that generated them. If the cases are
a user's own, ``records.parquet`` holds digests in the place of texts. The texts are in ``texts.parquet``, a payload of
its own, which only its owner can read (on an object store the bucket's rules decide) and which is never registered; its
metadata states the date on which it is deleted (:mod:`proseform.stages.retention`). Records and report do not need it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from proseform import config, jsonl
from proseform.case import load_cases
from proseform.errors import RowError, StoreError
from proseform.outcome import Outcome
from proseform.schema import Schema
from proseform.suites import Strange, Study
from proseform.task import Task

RECORDS, ABOUT, TEXTS, APART = "records.parquet", "records.json", "texts.parquet", "texts"
DELETE_AFTER = "proseform.delete_after"
"""The key of the retention date in the metadata of a file that holds texts of a user's own, an ISO 8601 date."""
_TRAIN = 1000
"""Training cases that a study holds at most: examples and blind baselines need no more."""
_OWNER_ONLY = 0o600

_WORDS = pa.map_(pa.string(), pa.string())
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("suite", "subject", "decoding", "case", "level", "variant")),
        ("sample", pa.int64()),
        ("texts", _WORDS),
        ("verdicts", _WORDS),
        ("scores", pa.map_(pa.string(), pa.float64())),
        ("seconds", pa.float64()),
        ("tokens", pa.int64()),
    ]
)
_TEXT_SCHEMA = pa.schema([("id", pa.string()), ("texts", _WORDS)])


def write(path: Path, outcomes: Iterable[Outcome], until: str = "") -> None:
    """Write outcomes as Parquet; equal outcomes give equal bytes.

    Args:
        path: The file.
        outcomes: In any order.
        until: The date from which on the file is to be deleted, as ISO 8601, where it holds texts of a user's own.

    Raises:
        RowError: A text holds a lone surrogate, which is no text.
    """
    _write(path, [asdict(outcome) for outcome in outcomes], _dated(_SCHEMA, until))


def read(path: Path) -> list[Outcome]:
    """The outcomes that :func:`write` wrote.

    Raises:
        StoreError: No such file, or not records.
    """
    rows = _rows(path, _SCHEMA)
    return [Outcome(**{**row, **{name: dict(row[name]) for name in ("texts", "verdicts", "scores")}}) for row in rows]


def write_texts(path: Path, outcomes: Iterable[Outcome], until: str) -> None:
    """Write the texts of outcomes apart, for their owner alone.

    Args:
        path: The file.
        outcomes: With their texts.
        until: The date from which on they are to be deleted, as ISO 8601.
    """
    path.touch(mode=_OWNER_ONLY)
    path.chmod(_OWNER_ONLY)
    _write(path, [{"id": outcome.id, "texts": outcome.texts} for outcome in outcomes], _dated(_TEXT_SCHEMA, until))


def delete_after(path: Path) -> dt.date | None:
    """The date from which on a Parquet file is to be deleted; None where it has none, or is not whole."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    date = metadata.get(DELETE_AFTER.encode())
    return dt.date.fromisoformat(date.decode()) if date else None


def with_texts(outcomes: Sequence[Outcome], path: Path) -> list[Outcome]:
    """Sealed outcomes with their texts again."""
    texts = {row["id"]: dict(row["texts"]) for row in _rows(path, _TEXT_SCHEMA)}
    return [replace(outcome, texts=texts[outcome.id]) for outcome in outcomes]


def study(dataset: Path, task: Task, run: config.Run) -> Study:
    """What a run measures, from a dataset's folder: its ``evaluate.split``."""
    about = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
    knobs = run.evaluate
    strange = jsonl.rows(dataset / f"schemas-{knobs.split}.jsonl")[: knobs.schemas]
    return Study(
        task=task,
        rubric=task.rubric(run.grpo.rubric, run.grpo.accuracy_exponent),
        schema=Schema(about["schema"]),
        level=str(about["level"]),
        split=knobs.split,
        cases=tuple(load_cases(dataset / f"cases-{knobs.split}.jsonl", knobs.cases)),
        harder={
            level: tuple(load_cases(dataset / f"cases-{knobs.split}-{level}.jsonl", knobs.cases))
            for level in knobs.levels
        },
        strange=tuple(Strange(row["id"], Schema(row["schema"]), row["prose"], row["answer"]) for row in strange),
        train=tuple(load_cases(dataset / "cases-train.jsonl", _TRAIN)),
        samples=knobs.samples,
        temperature=run.grpo.temperature,
        shots=knobs.shots,
        blind=knobs.blind,
    )


def _dated(schema: pa.Schema, until: str) -> pa.Schema:
    """A schema with the date from which on its file is to be deleted; empty is none."""
    return schema.with_metadata({DELETE_AFTER: dt.date.fromisoformat(until).isoformat()}) if until else schema


def _write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows as one Parquet file."""
    try:
        table = pa.Table.from_pylist([{**row, **_pairs(row)} for row in rows], schema=schema)
    except UnicodeEncodeError as error:
        raise RowError(f"{path.name}: a text holds a lone surrogate ({error}).") from error
    pq.write_table(table, path, compression="zstd")


def _pairs(row: dict[str, Any]) -> dict[str, Any]:
    """The maps of a row as pairs, which is how Arrow takes them."""
    return {name: list(value.items()) for name, value in row.items() if isinstance(value, dict)}


def _rows(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    try:
        table = pq.read_table(path)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path}: no records can be read from here ({str(error).splitlines()[0]}).") from error
    if not table.schema.remove_metadata().equals(schema.remove_metadata()):
        raise StoreError(f"{path}: holds other columns than records have.", hint="Measure again.")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
