"""A child process that answers in lines of JSON, and is killed where an answer is overdue.

For a task's own code, which may never return or may take its process down: neither can be stopped from within. Where
memory and processor time are to be limited as well, see :mod:`proseform.confined`.

The child is a module that is run as ``python -m MODULE``, calls :func:`answers` first, reads lines from standard
input and prints its own to what it got. It ends when its parent does.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from proseform import lifetime


class Child:
    """The parent's side.

    Args:
        module: The dotted name of the module to run.
        hash_seed: Of the child's hashes of text, on which the order of sets depends; None takes the parent's own way.
    """

    def __init__(self, module: str, hash_seed: int | None = None) -> None:
        seed = {} if hash_seed is None else {"PYTHONHASHSEED": str(hash_seed)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **seed},
        )
        self._read = b""

    def send(self, value: Mapping[str, Any]) -> None:
        """Write one line. A child that has ended is noticed by :meth:`receive`."""
        stream = self._process.stdin
        if stream is None:
            raise RuntimeError("the child has no standard input")
        data = memoryview(json.dumps(value).encode() + b"\n")
        try:
            while data:
                data = data[stream.write(data) or 0 :]
        except BrokenPipeError:
            return

    def receive(self, limit_s: float) -> dict[str, Any]:
        """The next line.

        Args:
            limit_s: Longest wait for it, in seconds by the wall clock.

        Raises:
            TimeoutError: It did not come in time.
            EOFError: The child has ended.
        """
        stream = self._process.stdout
        if stream is None:
            raise RuntimeError("the child has no standard output")
        until = time.monotonic() + limit_s
        while b"\n" not in self._read:
            ready, _, _ = select.select([stream], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(stream.fileno(), 1 << 16)
            if not part:
                raise EOFError
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        row: dict[str, Any] = json.loads(line)
        return row

    def ending(self) -> str:
        """How the child ended, in words; "it hung" where it still runs."""
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "it hung"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End the child at once."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def answers() -> TextIO:
    """The child's side: the stream for its answers. Whatever else prints goes to standard error from now on."""
    lifetime.end_with_parent()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream
