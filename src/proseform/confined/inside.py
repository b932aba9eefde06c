"""The process in which a confined function runs.

Run as ``python -m proseform.confined.inside MODULE:FUNCTION BYTES SECONDS`` by :class:`proseform.confined.Confined`.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import sys
from pathlib import Path
from typing import IO, Any, NoReturn

from proseform.confined.protocol import REPLY, REQUEST
from proseform.lifetime import end_with

_KEPT = 2
"""A process that keeps more than this part of its memory after a call ends."""


def _serve(function: str, memory: int, seconds: float) -> NoReturn:
    """The process: import, announce, answer calls until the parent is gone."""
    end_with(os.getppid())
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    module, _, name = function.partition(":")
    called = getattr(importlib.import_module(module), name)
    size = _size()
    if size:
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _reply(answers, {"ready": True})
    while head := sys.stdin.buffer.read(REQUEST.size):
        lengths = REQUEST.unpack(head)
        request, data = (sys.stdin.buffer.read(length) for length in lengths)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(usage.ru_utime + usage.ru_stime + seconds), hard))
        outcome = _outcome(called, json.loads(request), data)
        del request, data
        outcome["stays"] = "memory" not in outcome and _size() <= size + memory // _KEPT
        _reply(answers, outcome)
    raise SystemExit


def _outcome(called: Any, request: dict[str, Any], data: bytes) -> dict[str, Any]:
    """What a call comes to."""
    try:
        return {"result": called(request["value"], data) if request["bytes"] else called(request["value"])}
    except MemoryError:
        return {"memory": True}
    except Exception as error:  # noqa: BLE001 - the parent raises it
        return {"error": f"{type(error).__name__}: {error}"}


def _reply(answers: IO[bytes], outcome: dict[str, Any]) -> None:
    """Write an outcome."""
    line = json.dumps(outcome).encode()
    answers.write(REPLY.pack(len(line)) + line)
    answers.flush()


def _size() -> int:
    """Address space of this process in bytes; 0 where the kernel does not tell."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[0]) * resource.getpagesize() if pages.exists() else 0


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
