"""The records of legs that are done: a line of JSON each, in one file of the study's folder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.study.arms import Plan
from proseform import jsonl
from proseform.errors import ConfigError

FILE = "legs.jsonl"
Record = dict[str, Any]
Records = dict[tuple[str, int], Record]


def read(path: Path, plan: Plan) -> tuple[Records, int]:
    """The records of a file that are of this study, by arm and seed, and how many are of another form of it.

    An arm that has changed since has another key, and an arm that the study no longer has is left out too.
    """
    rows = jsonl.rows(path)
    ours = {
        (row["arm"], row["seed"]): row
        for row in rows
        if row["arm"] in plan.arms and row["key"] == plan.arms[row["arm"]].key
    }
    return ours, len(rows) - len(ours)


def lines(records: Iterable[Mapping[str, Any]]) -> str:
    """Records as JSON Lines."""
    return "".join(f"{json.dumps(dict(record))}\n" for record in records)


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Keep one more record, durably; behind a line that a kill has cut short a new one begins."""
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(lines([record]).encode())
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within it, no other study works in the folder.

    Raises:
        ConfigError: Another does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"--out: another study works in {folder}.", hint="Wait for it, or give another folder."
            ) from error
        yield
