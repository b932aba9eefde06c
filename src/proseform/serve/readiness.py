"""Whether this server can answer: its engines are asked, seldom and briefly.

Readiness takes a server off its Service where no engine stands behind it; liveness asks no engine, since a new start of
this process mends none. What was found holds for a while, so that many probes cost an engine one request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from proseform.infer import Remote
from proseform.serve.router import Weighted


class Readiness:
    """Asks the engines that take traffic.

    Args:
        engines: Those in this process are always there.
        holds_s: How long an outcome holds, in seconds.
        limit_s: Longest wait for the engines, in seconds.
    """

    def __init__(self, engines: Sequence[Weighted], holds_s: float = 5.0, limit_s: float = 3.0) -> None:
        self._engines = [
            weighted.engine for weighted in engines if weighted.weight and isinstance(weighted.engine, Remote)
        ]
        self._holds_s, self._limit_s = holds_s, limit_s
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._trouble = ""

    async def trouble(self) -> str:
        """Why no answer can be given now, in words; empty where one can."""
        async with self._lock:  # whoever comes meanwhile waits for the one request
            if time.monotonic() >= self._until:
                found = await asyncio.gather(*(engine.trouble(self._limit_s) for engine in self._engines))
                self._trouble = next(filter(None, found), "")
                self._until = time.monotonic() + self._holds_s
        return self._trouble
