"""Works on the batches of a shelf, one after another, beside the server's other callers and behind them.

A batch whose server ended goes on when one begins again. Rows wait in the class of batches, and are asked again while
there is no place. They do not count against the rate of their key: they take what nobody else needs. Whatever goes
wrong with one batch is logged, and the next are worked on; it is tried again until it ends or is too old.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from proseform.errors import ConfigError, RowError
from proseform.serve import faults
from proseform.serve.admission import Admission
from proseform.serve.app import App
from proseform.serve.batches import rows, tables
from proseform.serve.batches.file import ledger
from proseform.serve.batches.journal import Journal
from proseform.serve.batches.shelf import GOING, OPEN, WINDOW_S, Shelf
from proseform.serve.batches.work import Work
from proseform.serve.faults import NotFoundError, TooLargeError
from proseform.serve.guard import Inside

_LOG = logging.getLogger("proseform.serve")
_LOOK_S = 5.0
"""The shelf is looked at so often, in seconds, for what another process left."""
_NOTE_S = 1.0
"""A batch's record says so often, in seconds, how far it is, and is looked at for who has cancelled it."""


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
            for owner, batch in await self._open():
                await self._tried(owner, batch["id"])
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()

    async def _open(self) -> list[tuple[str, dict[str, Any]]]:
        """The batches that have not ended; none where the folder cannot be read."""
        try:
            return await asyncio.to_thread(self._shelf.open)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the folder, it is looked at again
            _log(error)
            return []

    async def _tried(self, owner: str, number: str) -> None:
        """Take one batch to its end, unless something goes wrong; it is tried again then."""
        try:
            await self._batch(owner, number)
        except ConfigError as error:  # another process answers it
            _LOG.info("a batch waits: %s", error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one batch, the next are worked on
            _log(error)

    async def _batch(self, owner: str, number: str) -> None:
        """Take one batch to its end; where its record has gone, what its work has left is deleted."""
        shelf = self._shelf
        try:
            source = shelf.data(owner, shelf.record(owner, number)["input_file_id"])
            try:
                digest = await asyncio.to_thread(rows.digest, source)
            except FileNotFoundError:
                await self._fail(owner, number, "invalid_request", "The input file has gone.")
                return
            about = {"requests": digest, "task": self._admission.task.contract}
            journal = Journal(ledger(shelf.data(owner, number)), about)
            try:
                await self._locked(owner, number, journal)
            except RowError as error:
                message = error.message.replace(str(source), "the file").replace(source.name, "the file")
                await self._fail(owner, number, "invalid_request", message)
            except TooLargeError as error:
                await self._fail(owner, number, faults.reason(error), str(error))
            finally:
                journal.close()
        except NotFoundError:
            await asyncio.to_thread(shelf.clear, owner, number)

    async def _locked(self, owner: str, number: str, journal: Journal) -> None:
        """Answer what is left of a batch, and end it; nothing where it has ended before it was locked."""
        shelf = self._shelf
        record = shelf.record(owner, number)
        if record["status"] not in OPEN:
            shelf.clear(owner, number)
            return
        todo = await asyncio.to_thread(rows.read, shelf.data(owner, record["input_file_id"]), self._admission.task)
        counts = {"total": len(todo), "completed": 0, "failed": 0}
        for row in todo:
            if row.custom_id in journal:
                _count(counts, journal.result(row.custom_id))
        fields = {"status": "in_progress", "in_progress_at": record["in_progress_at"] or self._now()}
        record = await asyncio.to_thread(shelf.change, owner, number, GOING, {**fields, "request_counts": {**counts}})
        status = record["status"]
        if status == "in_progress":
            status = await self._answered(owner, record, journal, todo, counts)
        ended = {"cancelling": "cancelled"}.get(status, status)

        def end() -> None:
            results = shelf.data(owner, number)
            found = [row.custom_id for row in todo if row.custom_id in journal]
            tables.write(results, map(journal.result, found))
            fields = {"status": ended, "request_counts": counts, f"{ended}_at": self._now()}
            shelf.end(owner, number, results.read_bytes(), fields)

        await _whole(end)

    async def _answered(
        self, owner: str, record: dict[str, Any], journal: Journal, todo: list[rows.Row], counts: dict[str, int]
    ) -> str:
        """Answer the rows that are left; gives the state in which that ends."""

        def told(result: Any) -> None:
            _count(counts, result)

        work = Work(self._app, journal, float(WINDOW_S), told)
        self._inside.owner, self._current = owner, record["id"]
        self._work = asyncio.create_task(work.done(todo, self._concurrency))
        noting = asyncio.create_task(self._noted(owner, record["id"], counts, self._work))
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
            noting.cancel()
            await asyncio.gather(self._work, noting, return_exceptions=True)
        return "completed"

    async def _noted(self, owner: str, number: str, counts: Mapping[str, int], work: asyncio.Task[None]) -> None:
        """Note how far a batch is, until cancelled; end its work where its record has gone or says that it ends."""
        while True:
            fields = {"request_counts": {**counts}}
            try:
                record = await asyncio.to_thread(self._shelf.change, owner, number, {"in_progress"}, fields)
                if record["status"] != "in_progress":
                    break
            except NotFoundError:
                break
            except Exception as error:  # noqa: BLE001 - the journal has the answers; the next look notes how many
                _log(error)
            await asyncio.sleep(_NOTE_S)
        work.cancel()

    async def _fail(self, owner: str, number: str, code: str, message: str) -> None:
        """End a batch that cannot be answered, or whose output cannot be kept."""
        errors = {"object": "list", "data": [{"code": code, "message": message}]}
        fields = {"status": "failed", "failed_at": self._now(), "errors": errors}
        await asyncio.to_thread(self._shelf.change, owner, number, OPEN, fields)
        await asyncio.to_thread(self._shelf.clear, owner, number)

    def _now(self) -> int:
        """Seconds since 1970."""
        return int(self._shelf.clock())


def _count(counts: dict[str, int], result: Any) -> None:
    """Count one more result."""
    counts["completed" if result["response"]["status_code"] == 200 else "failed"] += 1  # noqa: PLR2004 - OK


async def _whole(work: Callable[[], None]) -> None:
    """Call a function in a thread, and wait for its end even where the server ends: its files are closed then."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(working)
    finally:
        await asyncio.wait({working})


def _log(error: BaseException) -> None:
    """Log why a batch waits: without an error's words, which may quote a row."""
    for one in _single(error):
        if isinstance(one, OSError):
            _LOG.error("a batch waits: %s", one.strerror)
        else:
            _LOG.error("unforeseen, in a batch: %s", faults.traced(one))


def _single(error: BaseException) -> Iterator[BaseException]:
    """An error, or those of a group."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _single(one)
    else:
        yield error
