"""The parent's side of one confined process."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

from proseform.confined.protocol import REPLY, REQUEST, Exceeded

_START_S = 300.0
"""Longest wait for a process to import what it needs, in seconds; a busy machine takes a minute for it."""

_OUT_OF_TIME = (-signal.SIGKILL, -signal.SIGXCPU)
"""By the hard limit, by the soft one."""


class Process:
    """A process that calls a function.

    Args:
        arguments: The function, its memory in bytes, and its processor time in seconds.

    Attributes:
        asked: Whether it has been called and has not replied.
    """

    def __init__(self, arguments: list[str]) -> None:
        self._running = subprocess.Popen(
            [sys.executable, "-m", "proseform.confined.inside", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._function, self._ready, self.asked = arguments[0], False, False

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._running.poll() is None

    def start(self, deadline: float | None) -> None:
        """Wait until it can be called.

        Raises:
            Exceeded: ``deadline``; it goes on starting.
        """
        if self._ready:
            return
        until = time.monotonic() + _START_S
        reply = self._read(until if deadline is None else min(until, deadline))
        if reply is None and deadline is not None and deadline < until:
            raise Exceeded("deadline")
        if not reply:
            raise RuntimeError(f"A process for {self._function} did not start.")
        self._ready = True

    def ask(self, value: Any, data: bytes | None, patience_s: float, deadline: float | None) -> dict[str, Any]:
        """One call: what the process replies.

        Raises:
            Exceeded: It took too long, or the process ended.
        """
        assert self._running.stdin is not None  # a pipe
        self.asked = True
        ends = time.monotonic() + patience_s
        argument = json.dumps({"value": value, "bytes": data is not None}).encode()
        with contextlib.suppress(BrokenPipeError):  # it has ended, which reading tells
            self._running.stdin.write(REQUEST.pack(len(argument), len(data or b"")))
            self._running.stdin.write(argument)
            self._running.stdin.write(data or b"")
            self._running.stdin.flush()
        reply = self._read(ends if deadline is None else min(ends, deadline))
        if reply is None:
            raise Exceeded("time" if deadline is None or ends <= deadline else "deadline")
        if not reply:
            raise Exceeded("time" if self._running.wait() in _OUT_OF_TIME else "crash")
        self.asked = False
        outcome: dict[str, Any] = json.loads(reply)
        return outcome

    def end(self) -> None:
        """Kill it and forget it."""
        self._running.kill()
        self._running.wait()
        for stream in (self._running.stdin, self._running.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _read(self, until: float) -> bytes | None:
        """One reply; empty where the process has ended, None where time was up."""
        assert self._running.stdout is not None  # a pipe
        stream = self._running.stdout
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        parts, have, need = [], 0, REPLY.size
        head = b""
        while have < need:
            if not poll.poll(max(0, math.ceil((until - time.monotonic()) * 1000))):
                return None
            piece = os.read(stream.fileno(), min(1 << 20, need - have))
            if not piece:
                return b""
            parts.append(piece)
            have += len(piece)
            if not head and have == need:
                head = b"".join(parts)
                parts, have, need = [], 0, REPLY.unpack(head)[0]
        return b"".join(parts)
