"""What callers cost: ``python -m benchmarks.serving.clients [REQUESTS]`` prints processor time by HTTP client.

It is why the load speaks HTTP by itself: the cheaper a caller, the less of the cores that it shares with a server.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import httpx

from benchmarks.serving import cases, http, subjects
from proseform.machine import machine

_AT_ONCE = 10


async def main() -> None:
    """Ask an engine without delay by each client."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    ask = cases.asks("direct", "one call", cases.drawn(1)[0])[0]
    folder = subjects.bundle(subjects.FOLDER / "bundle", 1)
    print(f"{machine()}; {count} requests, {_AT_ONCE} at once")
    with subjects.started("engine", subjects.module("engine", 0, 1, folder / "base"), read=True) as engine:
        port = int(subjects.first_line(engine))
        url, kind = f"http://127.0.0.1:{port}{ask.path}", {"content-type": "application/json"}
        lines = http.Lines(port)
        async with aiohttp.ClientSession() as session, httpx.AsyncClient() as client:

            async def by_aiohttp() -> None:
                async with session.post(url, data=ask.body, headers=kind) as response:
                    await response.read()

            await _spent("ours", count, lambda: lines.ask(ask.path, ask.body))
            await _spent("aiohttp", count, by_aiohttp)
            await _spent("httpx", count, lambda: client.post(url, content=ask.body, headers=kind))
        lines.close()


async def _spent(name: str, count: int, once: Callable[[], Awaitable[object]]) -> None:
    """Print the processor time of a request."""

    async def some() -> None:
        for _ in range(count // _AT_ONCE):
            await once()

    began = time.process_time()
    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
    print(f"{name:10}{1e6 * (time.process_time() - began) / count:8.0f} µs")


if __name__ == "__main__":
    http.run(main())
