"""Works on the batches of a shelf, one after another, beside the server's other callers and behind them.

A batch whose server ended goes on when one begins again. Rows wait in the class of batches, and are asked again while
there is no place. They do not count against the rate of their key: they take what nobody else needs.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from proseform.errors import ConfigError, RowError
from proseform.serve.admission import Admission
from proseform.serve.app import App
from proseform.serve.batches import rows, tables
from proseform.serve.batches.file import ledger
from proseform.serve.batches.journal import Journal
from proseform.serve.batches.shelf import WINDOW_S, Shelf
from proseform.serve.batches.work import Work
from proseform.serve.guard import Inside

_LOG = logging.getLogger("proseform.serve")
_LOOK_S = 5.0
"""The shelf is looked at so often, in seconds, for what another process left."""


class Clerk:
    """Answers batches.

    Args:
        shelf: Where they are.
        admission: Answers cases.
        concurrency: Rows that are answered at a time.
    """

    def __init__(self, shelf: Shelf, admission: Admission, concurrency: int) -> None:
        self._shelf = shelf
        self._admission = admission
        self._concurrency = concurrency
        self._wake = asyncio.Event()
        self._inside = Inside()
        self._app = App(admission, admission.task.name, self._inside)
        self._current = ""
        self._work: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def cancel(self, number: str) -> None:
        """End a batch's work, if it is the one that is worked on; its record says ``cancelling`` already."""
        if self._current == number and self._work is not None:
            self._work.cancel()
        self.wake()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            for owner, batch in list(self._shelf.open()):
                try:
                    await self._batch(owner, batch)
                except ConfigError as error:  # another process answers it
                    _LOG.info("a batch waits: %s", error)
                except OSError as error:
                    _LOG.error("a batch waits: %s", error.strerror)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()

    async def _batch(self, owner: str, batch: dict[str, Any]) -> None:
        """Take one batch to its end."""
        shelf, task = self._shelf, self._admission.task
        source = shelf.data(owner, batch["input_file_id"])
        try:
            todo = await asyncio.to_thread(rows.read, source, task)
        except RowError as error:
            fault = {"code": "invalid_request", "message": error.message.replace(source.name, "the file")}
            errors = {"object": "list", "data": [fault]}
            shelf.keep(owner, {**batch, "status": "failed", "failed_at": self._now(), "errors": errors})
            return
        results = shelf.data(owner, batch["id"])
        journal = Journal(ledger(results), {"requests": rows.digest(source), "task": task.contract})
        counts = {"total": len(todo), "completed": 0, "failed": 0}
        for row in todo:
            if row.custom_id in journal:
                _count(counts, journal.result(row.custom_id))
        record = {**batch, "request_counts": counts, "in_progress_at": batch["in_progress_at"] or self._now()}
        try:
            if batch["status"] != "cancelling":
                record["status"] = "in_progress"
                shelf.keep(owner, record)
                record["status"] = await self._answered(owner, record, journal, todo)
            ended = {"cancelling": "cancelled"}.get(record["status"], record["status"])
            found = [row.custom_id for row in todo if row.custom_id in journal]
            await asyncio.to_thread(tables.write, results, map(journal.result, found))
            output = shelf.put(owner, results.read_bytes(), f"{batch['id']}_output.jsonl", "batch_output")
            shelf.keep(owner, {**record, "status": ended, "output_file_id": output["id"], f"{ended}_at": self._now()})
            journal.path.unlink()
            results.unlink()
        finally:
            journal.close()

    async def _answered(self, owner: str, record: dict[str, Any], journal: Journal, todo: list[rows.Row]) -> str:
        """Answer the rows that are left; gives the state in which that ends."""

        def told(result: Any) -> None:
            _count(record["request_counts"], result)
            if self._shelf.record(owner, record["id"])["status"] == "in_progress":
                self._shelf.keep(owner, record)

        work = Work(self._app, journal, float(WINDOW_S), told)
        self._inside.owner, self._current = owner, record["id"]
        self._work = asyncio.create_task(work.done(todo, self._concurrency))
        try:
            async with asyncio.timeout(max(0.0, record["created_at"] + WINDOW_S - self._now())):
                await self._work
        except TimeoutError:
            return "expired"
        except asyncio.CancelledError:
            ours = asyncio.current_task()
            if ours is None or ours.cancelling():
                raise  # the server ends; the batch goes on with the next
            return "cancelling"
        finally:
            self._current = ""
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        return "completed"

    def _now(self) -> int:
        """Seconds since 1970."""
        return int(self._shelf.clock())


def _count(counts: dict[str, int], result: Any) -> None:
    """Count one more result."""
    counts["completed" if result["response"]["status_code"] == 200 else "failed"] += 1  # noqa: PLR2004 - OK
