"""How tests wait: for as long as what they wait for may still come, on the busiest machine.

A clock that runs out sooner makes a defect of a slow machine. What hangs for good is ended by pytest's own limit, which
says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_S = 600
"""Seconds for calls that want a number; below pytest's limit for a test, so that they fail where they wait."""


LIMITS = (0.05, 0.5, 5.0, 50.0)
"""Seconds to allow, one after the other, to what has to begin in time and not to end: on a busy machine it may not even
have begun within the first."""


def until(happened: Callable[[], Any], while_: Callable[[], bool] = lambda: True) -> Any:
    """Wait until something has happened, asking fifty times a second.

    Args:
        happened: Gives something true once it has.
        while_: Whether it may still happen.

    Returns:
        What is true, or the last that was not where nothing more can happen.

    Raises:
        AssertionError: It has not happened within :data:`PATIENCE_S`.
    """
    ends = time.monotonic() + PATIENCE_S
    while not (answer := happened()) and while_():
        assert time.monotonic() < ends, f"nothing happened in {PATIENCE_S} s"
        time.sleep(0.02)
    return answer or happened()


def waits_for_a_lock(pid: int) -> bool:
    """Whether the kernel lists a process among those that wait: ``1: -> FLOCK ADVISORY WRITE <pid> …``."""
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(lock[1:3] == ["->", "FLOCK"] and lock[5] == str(pid) for lock in locks)
