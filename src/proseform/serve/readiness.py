"""Readiness: whether the engines answer.

A server that is not ready gets no traffic from its Service. Liveness asks no engine, since a restart of this process
would not help. An outcome is cached for some seconds, so that many probes cost an engine one request. A slow engine
does not count as away: without its servers, late answers would become errors.
"""

from __future__ import annotations

import asyncio
import time

from proseform.infer import Remote
from proseform.serve.router import Router


class Readiness:
    """Asks the engines that have traffic.

    Args:
        router: The engines; those in this process are always ready.
        holds_s: How long an outcome is cached, in seconds.
        limit_s: Longest wait for the engines, in seconds.
        patience_s: How long engines may stay silent, in seconds, before they count as away.
    """

    def __init__(self, router: Router, holds_s: float = 5.0, limit_s: float = 3.0, patience_s: float = 60.0) -> None:
        self._router = router
        self._holds_s, self._limit_s, self._patience_s = holds_s, limit_s, patience_s
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._trouble = "No engine has answered yet." if self._engines() else ""
        self._answered = time.monotonic()

    def _engines(self) -> list[Remote]:
        """Those that have traffic and do not run in this process."""
        engines = [weighted.engine for weighted in self._router.engines if weighted.weight]
        return [engine for engine in engines if isinstance(engine, Remote)]

    async def trouble(self) -> str:
        """Why no answer can be given now; empty if one can."""
        async with self._lock:  # concurrent probes wait for one request
            if time.monotonic() >= self._until:
                self._trouble = await self._asked()
                self._until = time.monotonic() + self._holds_s
        return self._trouble

    async def _asked(self) -> str:
        """The engines' trouble; while they are only slow, the last outcome."""
        try:
            async with asyncio.timeout(self._limit_s):
                troubles = await asyncio.gather(*(engine.trouble() for engine in self._engines()))
        except TimeoutError:
            silent_s = time.monotonic() - self._answered
            return self._trouble if silent_s < self._patience_s else f"No engine has answered for {silent_s:.0f} s."
        self._answered = time.monotonic()
        return next(filter(None, troubles), "")
