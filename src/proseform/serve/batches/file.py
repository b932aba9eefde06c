"""A batch from a file of requests to a file of results."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from proseform.errors import InputError
from proseform.infer import Engine
from proseform.serve.admission import Admission
from proseform.serve.app import App
from proseform.serve.batches import rows, tables
from proseform.serve.batches.journal import Journal
from proseform.serve.batches.rows import Row
from proseform.serve.batches.work import Work
from proseform.serve.router import Router, Weighted
from proseform.task import Task

Watched = Callable[[int, int], AbstractContextManager[Callable[[bool], None]]]
"""Watches a batch of so many rows, of which so many were answered before: told of each whether it was refused."""
_OK = 200


def requests(file: Path, out: Path, task: Task) -> list[Row]:
    """What is to be answered, once it is clear that results can be written.

    Raises:
        RowError: As :func:`proseform.serve.batches.rows.read`.
        InputError: The results are there already, or their name's ending is none of those that are written.
    """
    tables.writer(out)
    if out.exists() and not ledger(out).exists():
        raise InputError(f"{out}: is there already.", hint="Take another --out, or delete it.")
    return rows.read(file, task)


def ledger(out: Path) -> Path:
    """The journal of results that are being made."""
    return out.with_name(f"{out.name}.journal")


def run(
    engine: Engine,
    task: Task,
    file: Path,
    out: Path,
    *,
    concurrency: int,
    timeout_s: float,
    patience_s: float,
    watched: Watched = lambda _total, _done: nullcontext(lambda _refused: None),
) -> Counter[str]:
    """Answer what is left of a file, then write the results in the order of its rows.

    Args:
        engine: Runs a bundle of the task; it is closed at the end.
        task: The task.
        file: The requests.
        out: The results.
        concurrency: Rows that are answered at a time.
        timeout_s: Longest time for one answer, in seconds.
        patience_s: How long no row may be answered, in seconds.
        watched: Watches it; nobody unless stated.

    Returns:
        How many rows have each outcome: a verdict, or the reason of a refusal.

    Raises:
        ConfigError: Another process answers it, or the journal is another batch's.
        EngineError: No row was answered for too long; what was answered is kept.
    """
    todo = requests(file, out, task)
    about = {"requests": rows.digest(file), "task": task.contract, "bundle": engine.bundle.digest}
    journal = Journal(ledger(out), about)
    try:
        admission = Admission(
            Router([Weighted(engine)]), task, timeout_s=timeout_s, concurrency=concurrency, queue=concurrency
        )
        with watched(len(todo), len(journal)) as step:

            def told(result: Mapping[str, Any]) -> None:
                step(result["response"]["status_code"] != _OK)

            async def work() -> None:
                try:
                    await Work(App(admission, task.name), journal, patience_s, told).done(todo, concurrency)
                finally:
                    await engine.close()

            asyncio.run(work())
        tables.write(out, (journal.result(row.custom_id) for row in todo))
        cells = (tables.cells(journal.result(row.custom_id)) for row in todo)
        outcomes = Counter(row["reason"] or row["verdict"] for row in cells)
        journal.path.unlink()
    finally:
        journal.close()
    return outcomes
