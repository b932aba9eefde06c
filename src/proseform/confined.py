"""Calls of one function in a process of its own, within limits of memory and time that hold.

For what a stranger's input can make arbitrarily dear inside a library: a thread cannot be stopped and memory cannot be
taken back, a process can be killed. The process stays for the next call; one that was killed is replaced. It ends when
its parent does. Arguments and results are JSON. Processor time is limited by the kernel, so that a busy machine
refuses nothing that a quiet one takes; the wall clock only stops what waits.

Run as ``python -m proseform.confined MODULE:FUNCTION BYTES SECONDS``, it is such a process.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import resource
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, Literal, NoReturn

from proseform.lifetime import end_with

Cause = Literal["time", "memory", "deadline"]

_PATIENCE = 5
"""Wall-clock seconds for each second of processor time."""

_START_S = 60.0
"""Longest wait for a process to import what it needs, in seconds."""


class Exceeded(Exception):  # noqa: N818 - a result of the call, turned into an error of the domain by whoever called
    """A call was stopped.

    Attributes:
        cause: ``time`` or ``memory`` (its limit), or ``deadline`` (the caller's).
    """

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause: Cause = cause


class Confined:
    """A function in processes of its own. Thread-safe; starts a process only when it is called.

    Args:
        function: ``package.module:name``; takes one JSON value and gives one.
        memory: Bytes that a call may need beyond what the process has after its imports.
        seconds: Processor time of a call.
        processes: How many calls run side by side; further ones wait.
    """

    def __init__(self, function: str, *, memory: int, seconds: float, processes: int = 2) -> None:
        self._function, self._memory, self._seconds = function, memory, seconds
        self._places = threading.BoundedSemaphore(processes)
        self._idle: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def call(self, value: Any, deadline: float | None = None) -> Any:
        """The function's result.

        Args:
            value: Its argument, as JSON.
            deadline: When to give up, on the clock of :func:`time.monotonic`; None waits for as long as it may take.

        Raises:
            Exceeded: It needed more than it may, or the deadline came first.
        """
        left_s = None if deadline is None else deadline - time.monotonic()
        if not self._places.acquire(timeout=left_s if left_s is None else max(0.0, left_s)):
            raise Exceeded("deadline")
        try:
            process = self._process()
            try:
                result = self._ask(process, value, deadline)
            except BaseException:
                _end(process)
                raise
            with self._lock:
                self._idle.append(process)
            return result
        finally:
            self._places.release()

    def close(self) -> None:
        """End the processes that wait for a call."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            _end(process)

    def _process(self) -> subprocess.Popen[bytes]:
        """A process that waits for a call: one from before, else a new one."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
        command = [sys.executable, "-m", "proseform.confined", self._function, str(self._memory), str(self._seconds)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def _ask(self, process: subprocess.Popen[bytes], value: Any, deadline: float | None) -> Any:
        """One call of one process."""
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018 - both are pipes
        if not hasattr(process, "ready"):
            if _read(process.stdout, time.monotonic() + _START_S) != b"ready\n":
                raise RuntimeError(f"A process for {self._function} did not start.")
            process.ready = True  # type: ignore[attr-defined]
        ends = time.monotonic() + _PATIENCE * self._seconds
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(value).encode() + b"\n")
            process.stdin.flush()
        line = _read(process.stdout, ends if deadline is None else min(ends, deadline))
        if line is None:
            raise Exceeded("time" if deadline is None or ends <= deadline else "deadline")
        if not line.endswith(b"\n"):
            raise Exceeded("time" if process.wait() in _OUT_OF_TIME else "memory")
        outcome = json.loads(line)
        if "memory" in outcome:
            raise Exceeded("memory")
        if "error" in outcome:
            raise RuntimeError(f"{self._function} failed: {outcome['error']}")
        return outcome["result"]


_OUT_OF_TIME = (-9, -24)
"""SIGKILL by the hard limit, SIGXCPU by the soft one."""


def _read(stream: IO[bytes], until: float) -> bytes | None:
    """One line; what came before the end of the stream, or None where time was up."""
    poll, line = select.poll(), b""
    poll.register(stream, select.POLLIN)
    while not line.endswith(b"\n"):
        if not poll.poll(max(0, math.ceil((until - time.monotonic()) * 1000))):
            return None
        piece = os.read(stream.fileno(), 1 << 20)
        if not piece:
            break
        line += piece
    return line


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and forget it."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _serve(function: str, memory: int, seconds: float) -> NoReturn:
    """The process: import, announce, answer calls until the parent is gone."""
    end_with(os.getppid())
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no answer
    module, _, name = function.partition(":")
    called = getattr(importlib.import_module(module), name)
    pages = Path("/proc/self/statm")
    if pages.exists():
        size = int(pages.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers.write(b"ready\n")
    for line in sys.stdin.buffer:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(usage.ru_utime + usage.ru_stime + seconds), hard))
        try:
            outcome = {"result": called(json.loads(line))}
        except MemoryError:
            outcome = {"memory": True}
        except Exception as error:  # noqa: BLE001 - the parent raises it
            outcome = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(outcome).encode() + b"\n")
        if "memory" in outcome:
            break
    raise SystemExit


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
