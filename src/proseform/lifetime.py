"""Processes that end when the one that started them ends (Linux), so that nothing writes beside a run that goes on."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def end_with(pid: int) -> None:
    """End when an ancestor process ends, whatever is in between (KFP's local runner puts a shell there).

    Args:
        pid: The ancestor; if it has ended already, this process ends at once.
    """
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        os.kill(os.getpid(), signal.SIGKILL)
        return

    def watch() -> None:
        select.select([watched], [], [])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def guarded(groups: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start a process that kills process groups once this one has ended, however it ended.

    For programs of others whose own children outlive them, and which a thread may start that ends before this process.

    Args:
        groups: Ids of process groups.

    Returns:
        That process; kill it once the groups are gone, for ids are given again.
    """
    command = [sys.executable, "-m", __name__, str(os.getpid()), *map(str, groups)]
    none = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=none, stdout=none, stderr=none, start_new_session=True)


def _guard(pid: int, groups: Sequence[int]) -> None:
    """Wait until a process has ended, then kill process groups."""
    with suppress(ProcessLookupError):  # it has ended already
        select.select([os.pidfd_open(pid)], [], [])
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _guard(int(sys.argv[1]), [int(word) for word in sys.argv[2:]])
