"""Waiting for a caller's sake: no longer than its deadline, and not once it has disconnected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from proseform.errors import Refusal
from proseform.serve.admission import Admission
from proseform.serve.exchange import Exchange, GoneError
from proseform.serve.faults import BusyError

T = TypeVar("T")


def deadline(exchange: Exchange, admission: Admission) -> float:
    """A request's deadline by the server's time-out, which starts with the first bytes."""
    return exchange.began + admission.timeout_s


async def in_time(exchange: Exchange, admission: Admission, work: Coroutine[Any, Any, T], *, answers: bool = True) -> T:
    """What the work gives, or a refusal at the request's deadline; errors are counted.

    Args:
        exchange: The request.
        admission: Answers cases.
        work: What is done for it.
        answers: Whether that needs a place among those that are answered.

    Raises:
        BusyError: There is no place for the request, and nothing of it is read.
    """
    with admission.counted():
        try:
            if answers:
                admission.line.check(exchange.rank)
        except BusyError:
            work.close()
            raise
        try:
            async with asyncio.timeout(deadline(exchange, admission) - time.monotonic()) as whole:
                return await work
        except TimeoutError as error:
            if not whole.expired():
                raise
            hint = "Send the body at once, allow more time, or retry."
            raise Refusal("deadline", "Time was up before the answer.", hint=hint) from error


async def unless_gone(exchange: Exchange, work: Awaitable[T]) -> T:
    """The result of the work, which is cancelled if the caller disconnects.

    Raises:
        GoneError: The caller has disconnected.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(exchange.gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise GoneError
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
