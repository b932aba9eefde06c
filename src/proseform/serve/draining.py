"""A server that leaves without losing a request.

At SIGTERM it says that it is not ready, goes on answering, and asks for each kept connection to be closed by its
response: a server that closed them by itself could do so while a request is on its way. Once no connection is open, or
after a while, it listens no more, and ends once what was begun is answered. SIGINT does not wait.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Sequence
from types import FrameType
from typing import Protocol, runtime_checkable

import uvicorn

from proseform.serve.app import App

_LOOK_S = 0.1
"""A second signal is looked for so often, in seconds."""


@runtime_checkable
class Beside(Protocol):
    """Goes on beside the server: another port, or work for it."""

    async def begin(self) -> None:
        """Begin."""

    async def end(self, grace_s: float) -> None:
        """Begin nothing more, and let what has begun end, for so many seconds; a second call with 0 ends the wait."""


class Server(uvicorn.Server):
    """uvicorn's, which drains.

    Args:
        config: uvicorn's.
        app: What is served.
        drain_s: How long it goes on after SIGTERM, in seconds, while connections are open.
        beside: What goes on beside it.

    Attributes:
        beside: What goes on beside it.
    """

    def __init__(self, config: uvicorn.Config, app: App, drain_s: float, beside: Sequence[Beside] = ()) -> None:
        super().__init__(config)
        self._app = app
        self.beside = beside
        self._drain_s = drain_s
        self._until: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin beside first: a port that is taken ends all before a request is taken."""
        for one in self.beside:
            await one.begin()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what has begun, and end: both doors close, and engines once nothing comes from either."""
        if self.beside:
            for server in self.servers:
                server.close()
            for connection in list(self.server_state.connections):
                connection.shutdown()
            await asyncio.gather(*map(self._ended, self.beside))
        await super().shutdown(sockets)

    async def _ended(self, beside: Beside) -> None:
        """Let what has begun beside end; a second signal does not wait."""
        ending = asyncio.ensure_future(beside.end(float(self.config.timeout_graceful_shutdown or 0)))
        while not ending.done() and not self.force_exit:
            await asyncio.wait({ending}, timeout=_LOOK_S)
        if not ending.done():
            await beside.end(0.0)
        await ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first SIGTERM; end at another signal."""
        if sig != signal.SIGTERM or self._app.draining:
            super().handle_exit(sig, frame)
            return
        self._captured_signals.append(sig)
        self._app.draining = True
        self._until = time.monotonic() + self._drain_s

    async def on_tick(self, counter: int) -> bool:
        """End once drained."""
        if self._until is not None and (time.monotonic() >= self._until or not self.server_state.connections):
            self.should_exit = True
        return await super().on_tick(counter)
