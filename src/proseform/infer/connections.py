"""Connections that are kept, but not for ever: a pool is replaced as a whole when it is old.

A Kubernetes Service chooses a replica by connection; one kept for ever would hold on to a replica that has been told to
go.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from proseform.errors import EngineError


@dataclass(slots=True)
class _Pool:
    """Connections of one age.

    Attributes:
        session: Holds them.
        loop: Whose they are.
        until: When they are old, on :func:`time.monotonic`'s clock.
        calls: How many calls use them.
    """

    session: aiohttp.ClientSession
    loop: asyncio.AbstractEventLoop
    until: float
    calls: int = 0


class Connections:
    """Kept connections to any number of servers.

    Args:
        headers: Sent with every request.
        life_s: Longest life of a connection, in seconds; a call that has begun is ended on it.
    """

    def __init__(self, headers: Mapping[str, str], life_s: float) -> None:
        self._headers = dict(headers)
        self._life_s = life_s
        self._pool: _Pool | None = None
        self._closed = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The session of this event loop; an old one is closed once nobody uses it.

        Raises:
            EngineError: They are closed.
        """
        if self._closed:
            raise EngineError("The engine by URL is closed.")
        pool = await self._current()
        pool.calls += 1
        try:
            yield pool.session
        finally:
            pool.calls -= 1
            if pool is not self._pool and not pool.calls:
                await pool.session.close()

    async def close(self) -> None:
        """Close them; calls that have begun break off."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None and pool.loop is asyncio.get_running_loop():
            await pool.session.close()

    async def _current(self) -> _Pool:
        """The pool that is young enough, of this event loop."""
        loop, now, old = asyncio.get_running_loop(), time.monotonic(), self._pool
        if old is not None and old.loop is loop and now < old.until:
            return old
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=self._life_s)
        timeout = aiohttp.ClientTimeout(total=None)  # every call has its own
        session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=timeout)
        young = self._pool = _Pool(session, loop, now + self._life_s)
        if old is not None and old.loop is loop and not old.calls:
            await old.session.close()
        return young
