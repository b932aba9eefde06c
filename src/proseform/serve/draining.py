"""A server that leaves without losing a request.

At SIGTERM it says that it is not ready, goes on answering, and asks for each kept connection to be closed by its
response: a server that closed them by itself could do so while a request is on its way. Once no connection is open, or
after a while, it listens no more, and ends once what was begun is answered. SIGINT does not wait.
"""

from __future__ import annotations

import signal
import time
from types import FrameType

import uvicorn

from proseform.serve.app import App


class Server(uvicorn.Server):
    """uvicorn's, which drains.

    Args:
        config: uvicorn's.
        app: What is served.
        drain_s: How long it goes on after SIGTERM, in seconds, while connections are open.
    """

    def __init__(self, config: uvicorn.Config, app: App, drain_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_s = drain_s
        self._until: float | None = None

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
