"""Equal requests that are under way at the same time are answered once.

Whoever comes later waits for the answer of whoever came first. The work is counted by reference: a caller that leaves
ends only its own waiting, and the last one's leaving cancels the work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from proseform.errors import Refusal
from proseform.serve import notes
from proseform.serve.notes import Notes


@dataclass(slots=True, eq=False)
class _Flight:
    """Work that is under way.

    Attributes:
        task: The work.
        until: Its deadline.
        notes: What is noted of it, for each of its callers.
        waiting: Callers that wait for it.
    """

    task: asyncio.Future[Any]
    until: float
    notes: Notes
    waiting: int = 0


class Flights:
    """What is under way, by key."""

    def __init__(self) -> None:
        self._open: dict[str, _Flight] = {}

    def __len__(self) -> int:
        """Work that is under way."""
        return len(self._open)

    async def join(self, key: str, until: float, work: Callable[[], Awaitable[Any]]) -> tuple[Any, bool]:
        """What comes of the work, and whether somebody else had begun it.

        Args:
            key: Of what is equal.
            until: This caller's deadline, on the clock of :func:`time.monotonic`.
            work: Begins the work, with this caller's deadline.

        Raises:
            Refusal: ``deadline``, where this caller's is over.
            Exception: Whatever the work raises. A deadline of a caller that came first is no other's: the work is begun
                again for those that have time left.
        """
        while True:
            flight = self._open.get(key)
            joined = flight is not None
            notes.current().joined |= joined
            if flight is None:
                flight = self._begin(key, until, work)
            try:
                return await self._waited(key, flight, until), joined
            except Refusal as error:
                if error.reason != "deadline" or flight.until >= until or time.monotonic() >= until:
                    raise

    def _begin(self, key: str, until: float, work: Callable[[], Awaitable[Any]]) -> _Flight:
        """New work, which is forgotten when it ends."""
        with notes.taken(Notes()) as of_work:
            flight = self._open[key] = _Flight(asyncio.ensure_future(work()), until, of_work)

        def ended(_task: asyncio.Future[Any]) -> None:
            if self._open.get(key) is flight:
                del self._open[key]

        flight.task.add_done_callback(ended)
        return flight

    async def _waited(self, key: str, flight: _Flight, until: float) -> Any:
        """Wait as one of those who do."""
        flight.waiting += 1
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())) as own:
                return await asyncio.shield(flight.task)
        except TimeoutError as error:
            if not own.expired():
                raise
            raise Refusal("deadline", "Time was up before the answer.", hint="Allow more time, or retry.") from error
        finally:
            notes.current().add(flight.notes)
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                if self._open.get(key) is flight:
                    del self._open[key]
                flight.task.cancel()
                await asyncio.gather(flight.task, return_exceptions=True)
