"""Compilations that are kept: made once each, some side by side, the ones used least lately forgotten first.

Whoever asks waits for their own schema and no longer than their own deadline: what is made, is made in other threads,
goes on where one who asked for it leaves, and is taken off the line where nobody waits for it any more. A compilation
has limits of its own and knows no deadline, so that whoever asks later is not refused by the haste of whoever asked
first. Left out: keeping failures.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from proseform.errors import Refusal

T = TypeVar("T")


@dataclass(slots=True)
class _Order(Generic[T]):
    """A compilation that is in line or under way.

    Attributes:
        key: Of what.
        make: Makes it, and tells its size in bytes.
        waiting: How many wait for it.
        future: Gets it.
    """

    key: str
    make: Callable[[], tuple[T, int]]
    waiting: int = 0
    future: Future[T] = field(default_factory=Future)


class Compilations(Generic[T]):
    """Compilations by key. Thread-safe.

    Args:
        most: Bytes of all that are kept, as their makers tell them; what is larger by itself is not kept.
        side_by_side: How many are made at a time; further ones wait in line.
    """

    def __init__(self, most: int, *, side_by_side: int = 2) -> None:
        self._most, self._side_by_side = most, side_by_side
        self._kept: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._bytes = self._threads = 0
        self._orders: dict[str, _Order[T]] = {}
        self._line: deque[_Order[T]] = deque()
        self._lock = threading.Lock()

    def get(
        self,
        key: str,
        make: Callable[[], tuple[T, int]],
        deadline: float | None = None,
        left: Future[None] | None = None,
    ) -> T:
        """What is kept under a key, or made now; all who ask for one key meanwhile get the same.

        Args:
            key: Says what it is made of.
            make: Makes it, and tells its size in bytes; called in another thread.
            deadline: When to give up, on the clock of :func:`time.monotonic`, in seconds; None waits.
            left: Is done once nobody wants it any more; None where that cannot be told.

        Raises:
            Refusal: ``deadline``.
            CancelledError: ``left`` is done; nobody is there to be told.
            Exception: Whatever ``make`` raises; the next who asks has it made again.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
            order = self._ordered(key, make)
            order.waiting += 1
        try:
            ends: list[Future[Any]] = [order.future] if left is None else [order.future, left]
            patience = None if deadline is None else max(0.0, deadline - time.monotonic())
            wait(ends, patience, return_when=FIRST_COMPLETED)
            if order.future.done():
                return order.future.result()
        finally:
            self._leave(order)
        if left is not None and left.done():
            raise CancelledError
        hint = "Allow more time, or ask for a smaller schema."
        raise Refusal("deadline", "Time was up while the schema was compiled.", hint=hint)

    def forget(self, key: str, value: T) -> None:
        """Forget a value that is of no use any more; another one that was made under its key meanwhile is kept."""
        with self._lock:
            if key in self._kept and self._kept[key][0] is value:
                _, freed = self._kept.pop(key)
                self._bytes -= freed

    def _ordered(self, key: str, make: Callable[[], tuple[T, int]]) -> _Order[T]:
        """The order for a key, put in line if there is none; called under the lock."""
        if key not in self._orders:
            self._orders[key] = _Order(key, make)
            self._line.append(self._orders[key])
            if self._threads < self._side_by_side:
                self._threads += 1
                threading.Thread(target=self._work, name="compile", daemon=True).start()
        return self._orders[key]

    def _leave(self, order: _Order[T]) -> None:
        """Wait no more; the last to leave takes an order that was not begun off the line."""
        with self._lock:
            order.waiting -= 1
            if not order.waiting and order.future.cancel():
                self._line.remove(order)
                del self._orders[order.key]

    def _work(self) -> None:
        """Make what is in line, in a thread of its own."""
        while True:
            with self._lock:
                if not self._line:
                    self._threads -= 1
                    return
                order = self._line.popleft()
                order.future.set_running_or_notify_cancel()
            try:
                value, size = order.make()
            except BaseException as error:  # noqa: BLE001 - those who wait raise it
                with self._lock:
                    del self._orders[order.key]
                order.future.set_exception(error)
            else:
                with self._lock:
                    del self._orders[order.key]
                    self._keep(order.key, value, size)
                order.future.set_result(value)

    def _keep(self, key: str, value: T, size: int) -> None:
        """Keep a value, and forget others where there are too many bytes; called under the lock."""
        if size > self._most:
            return
        self._kept[key] = value, size
        self._bytes += size
        while self._bytes > self._most:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed
