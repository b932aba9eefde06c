"""An event loop whose clock is virtual: where everything waits, time goes on to the next timer at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Waits by moving the clock."""

    clock: _Loop

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everything waits, and no timer is set: it would wait for ever"
        self.clock.now += timeout
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """See above; it serves no sockets and no threads."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Selector()
        selector.clock = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """:func:`asyncio.run` under a virtual clock that begins at 0."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(coroutine)
