"""An event loop in a thread of its own, for code that is not asynchronous."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Loop:
    """The loop and its thread; connections outlive each call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """A forked process has no such thread."""
        self._lock, self._loop = threading.Lock(), None

    def get(self) -> asyncio.AbstractEventLoop:
        """The loop; it is started with the first call."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="answers", daemon=True).start()
            return self._loop


_LOOP = _Loop()


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine and wait for what it gives; an interrupt cancels it.

    Raises:
        RuntimeError: Called by a coroutine of that very loop, which would wait for itself.
    """
    loop = _LOOP.get()
    if asyncio._get_running_loop() is loop:  # noqa: SLF001 - public in meaning: None outside of a loop
        coroutine.close()
        raise RuntimeError("A coroutine awaits; it does not wait.")
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
