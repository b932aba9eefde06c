"""Processes that are forked from one which has imported what they need, so that a start costs no imports."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path

from proseform.lifetime import end_with_parent


def forked(work: Callable[[], object], log_file: Path) -> int:
    """The id of a process that does some work; its words go to a file, and it ends when this process does."""
    process = os.fork()
    if process:
        return process
    with log_file.open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            end_with_parent()
            work()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent has to see that this process failed
            traceback.print_exc()
            log.flush()
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
