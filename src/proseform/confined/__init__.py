"""Calls of one function in a process of its own, within limits of memory and time that hold.

For what a stranger's input can make arbitrarily dear inside a library, or end the process with: a thread cannot be
stopped and memory cannot be taken back, a process can be killed. The process stays for the next call; one that was
killed, or that keeps what a call has used, is replaced. It ends when its parent does. Arguments and results are JSON;
bytes go in as they are. Processor time is limited by the kernel, so that a busy machine refuses nothing that a quiet
one takes; the wall clock only stops what waits.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from proseform.confined.process import Process
from proseform.confined.protocol import Cause, Exceeded

__all__ = ["Cause", "Confined", "Exceeded"]

_PATIENCE = 5
"""Wall-clock seconds for each second of processor time."""


class Confined:
    """A function in processes of its own. Thread-safe; starts a process only when it is called.

    Args:
        function: ``package.module:name``; takes one JSON value, and bytes where a call has any, and gives one value.
        memory: Bytes that a call may need beyond what the process has after its imports.
        seconds: Processor time of a call.
        processes: How many calls run side by side; further ones wait.
        idle: How many processes wait for a next call at most.
    """

    def __init__(self, function: str, *, memory: int, seconds: float, processes: int = 2, idle: int = 2) -> None:
        self._function, self._memory, self._seconds = function, memory, seconds
        self._places, self._most_idle = threading.BoundedSemaphore(processes), idle
        self._idle: list[Process] = []
        self._lock = threading.Lock()

    def call(self, value: Any, data: bytes | None = None, *, deadline: float | None = None) -> Any:
        """The function's result.

        Args:
            value: Its argument, as JSON.
            data: Its second argument; None where it takes one.
            deadline: When to give up, on the clock of :func:`time.monotonic`; None waits for as long as it may take.

        Raises:
            Exceeded: It needed more than it may, or the deadline came first.
        """
        left_s = None if deadline is None else deadline - time.monotonic()
        if (left_s is not None and left_s <= 0) or not self._places.acquire(timeout=left_s):
            raise Exceeded("deadline")
        try:
            process = self._process()
            stays = False
            try:
                process.start(deadline)
                outcome = process.ask(value, data, _PATIENCE * self._seconds, deadline)
                stays = outcome["stays"]
            except Exceeded as exceeded:
                stays = exceeded.cause == "deadline" and not process.asked
                raise
            finally:
                self._put_back(process, stays=stays)
        finally:
            self._places.release()
        if "memory" in outcome:
            raise Exceeded("memory")
        if "error" in outcome:
            raise RuntimeError(f"{self._function} failed: {outcome['error']}")
        return outcome["result"]

    def close(self) -> None:
        """End the processes that wait for a call."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def _process(self) -> Process:
        """A process that waits for a call: one from before, else a new one."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.runs():
                    return process
                process.end()
        return Process([self._function, str(self._memory), str(self._seconds)])

    def _put_back(self, process: Process, *, stays: bool) -> None:
        """Keep a process for the next call, or end it."""
        with self._lock:
            if stays and len(self._idle) < self._most_idle:
                self._idle.append(process)
                return
        process.end()
