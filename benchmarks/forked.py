"""Processes that are forked from one which has imported what they need, so that a start costs no imports."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from proseform.lifetime import end_with_parent

Leg = TypeVar("Leg")

_LOOK_S = 0.5
"""Between two looks at what processes have done."""


def forked(work: Callable[[], object], log_file: Path) -> int:
    """The id of a process that does some work; its words go to a file, and it ends when this process does."""
    process = os.fork()
    if process:
        return process
    log = None
    try:
        log = log_file.open("a")
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        end_with_parent()
        work()
    except BaseException:  # noqa: BLE001 - whatever it is, the parent has to see that this process failed
        traceback.print_exc(file=log)
        (log or sys.stderr).flush()
        os._exit(1)
    os._exit(0)


def check(status: int) -> None:
    """Refuse a process that failed.

    Raises:
        RuntimeError: It did.
    """
    if status:
        raise RuntimeError(f"a worker failed with status {status}: see worker.log in its job's folder")


def wait(process: int) -> None:
    """Wait for a process to end well; raises as :func:`check` does."""
    check(os.waitpid(process, 0)[1])


def side_by_side(
    todo: Sequence[Leg],
    work: Callable[[Leg], object],
    log: Callable[[Leg], Path],
    *,
    workers: int,
    ends: float = float("inf"),
    look: Callable[[Sequence[Leg]], object] = lambda _: None,
    ended: Callable[[Leg, bool], object] = lambda _, __: None,
) -> list[Leg]:
    """Work off legs, each in a process of its own; those that did not end well.

    Args:
        todo: In the order in which they begin.
        work: Does one.
        log: The file for its words.
        workers: Legs at the same time, at most.
        ends: By the monotonic clock in seconds; no leg begins after it, and those that are waiting then are left.
        look: Is shown those that run, every half second.
        ended: Is told of one that has ended, and whether it failed.
    """
    waiting, running, failed = deque(todo), dict[int, Leg](), list[Leg]()
    try:
        while running or (waiting and time.monotonic() < ends):
            while waiting and len(running) < workers and time.monotonic() < ends:
                one = waiting.popleft()
                running[forked(partial(work, one), log(one))] = one
            look([*running.values()])
            for process in [*running]:
                gone, status = os.waitpid(process, os.WNOHANG)
                if not gone:
                    continue
                one = running.pop(process)
                failed += [one] if status else []
                ended(one, bool(status))
            time.sleep(_LOOK_S)
    finally:
        for process in running:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    return failed
