"""The line before the engines: who waits, who is answered next, and who is turned away, with when to come again.

A request is turned away at once where it would wait in vain: the line is full for its class, or what is ahead of it
takes longer than it has time. So overload costs engines nothing, and they work only on what can still be in time.
``Retry-After`` is the length of the line over the measured rate. Classes: ``probe`` (whether a bundle answers) is
answered first and always finds a place; ``interactive``; ``batch``, which may take half of the line. Requests for
health and metrics never wait here.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal, Protocol

from proseform.errors import Refusal
from proseform.infer import spans
from proseform.serve.faults import BusyError

Kind = Literal["probe", "interactive", "batch"]
KINDS: tuple[Kind, ...] = ("probe", "interactive", "batch")
"""In the order in which they are answered."""
_EXTRA = 4
"""Places beyond the line for probes."""
_WEIGHT = 0.1
"""Of the newest of the times that the measured rate averages."""
_TOO_MANY, _UNAVAILABLE = 429, 503


class Gauge(Protocol):
    """Is told how the line stands."""

    def waited(self, kind: Kind, seconds: float) -> None:
        """A request got its place after so many seconds."""

    def stands(self, kind: Kind, waiting: int) -> None:
        """So many requests of a class wait."""

    def working(self, count: int) -> None:
        """So many requests are being answered."""


class Line:
    """Places, and the line before them.

    Args:
        places: Requests that are answered at once.
        length: Requests that may wait.
        gauge: Is told how it stands.
        clock: Seconds, which only grow; deadlines are on it.
    """

    def __init__(
        self, places: int, length: int, gauge: Gauge | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._places, self._length = places, length
        self._free = places
        self._gauge = gauge
        self._clock = clock
        self._number = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._held_s: float | None = None

    def rate(self) -> float | None:
        """Requests that are answered a second while all places are taken; None while nothing is known."""
        return self._places / self._held_s if self._held_s else None

    def wait_s(self, kind: Kind = "interactive") -> float:
        """How long a request of this class would wait now, in seconds; 0 while nothing is known."""
        rate = self.rate()
        return (self._ahead(kind) + 1) / rate if rate and not self._free else 0.0

    def check(self, kind: Kind = "interactive") -> None:
        """Refuse a request for which there is no place, before anything was read of it.

        Raises:
            BusyError: With when to come again.
        """
        waiting, limit = len(self._live()), self._limit(kind)
        if not self._free and waiting >= limit:
            raise self._busy(kind, f"{self._places - self._free} requests are being answered, {waiting} wait.")

    @asynccontextmanager
    async def place(self, kind: Kind, until: float) -> AsyncIterator[None]:
        """A place, waited for in line.

        Raises:
            BusyError: There is none, or not in time.
            Refusal: ``deadline``: time was up in the line.
        """
        self.check(kind)
        wait_s, left_s = self.wait_s(kind), until - self._clock()
        if wait_s and wait_s + (self._held_s or 0.0) > left_s:
            raise self._busy(kind, f"An answer would take {wait_s + (self._held_s or 0.0):.1f} s.")
        began = self._clock()
        with spans.span("queue", {"proseform.kind": kind}):
            await self._enter(kind, left_s)
        entered = self._clock()
        if self._gauge is not None:
            self._gauge.waited(kind, entered - began)
            self._gauge.working(self._places - self._free)
        try:
            yield
        finally:
            self._leave(self._clock() - entered)

    async def _enter(self, kind: Kind, left_s: float) -> None:
        """Take a place, or wait for one to be handed over."""
        if self._free:
            self._free -= 1
            return
        future = asyncio.get_running_loop().create_future()
        self._number += 1
        one = KINDS.index(kind), self._number, future
        heapq.heappush(self._waiting, one)
        self._tell()
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                await future
        except BaseException as error:
            if future.done() and not future.cancelled():
                self._next()  # the place came together with the end of the waiting
            elif one in self._waiting:
                self._waiting.remove(one)
                heapq.heapify(self._waiting)
            future.cancel()
            self._tell()
            if isinstance(error, TimeoutError):
                raise Refusal("deadline", "Time was up in the queue.", hint="Allow more time, or retry.") from error
            raise

    def _leave(self, held_s: float) -> None:
        """Give a place back, and remember how long it was held."""
        self._held_s = held_s if self._held_s is None else (1 - _WEIGHT) * self._held_s + _WEIGHT * held_s
        self._next()

    def _next(self) -> None:
        """Hand a place over to the first who still waits."""
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
                self._tell()
                return
        self._free += 1
        self._tell()

    def _live(self) -> list[int]:
        """The classes of those who still wait, as ranks."""
        return [rank for rank, _, future in self._waiting if not future.done()]

    def _ahead(self, kind: Kind) -> int:
        """Who would be answered before a request of this class."""
        return sum(rank <= KINDS.index(kind) for rank in self._live())

    def _limit(self, kind: Kind) -> int:
        """How long the line may be for a class."""
        return {"probe": self._length + _EXTRA, "interactive": self._length, "batch": self._length // 2}[kind]

    def _busy(self, kind: Kind, message: str) -> BusyError:
        """Why a request is turned away: 429 tells whoever sends batches to send less."""
        again_s = max(1, math.ceil(self.wait_s(kind)))
        status = _TOO_MANY if kind == "batch" else _UNAVAILABLE
        return BusyError(message, hint=f"Retry in {again_s} s.", retry_after_s=again_s, status=status)

    def _tell(self) -> None:
        """Tell the gauge."""
        if self._gauge is not None:
            live = self._live()
            for rank, kind in enumerate(KINDS):
                self._gauge.stands(kind, live.count(rank))
            self._gauge.working(self._places - self._free)
