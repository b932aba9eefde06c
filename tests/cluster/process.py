"""A program in the background: started in its own session, known by a pid file, waited for, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.places import STATE

_LAST_LINES = 12


class CrashError(Exception):
    """A part of the cluster ended or never became ready; carries the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Process:
    """A part of the cluster.

    Attributes:
        name: The name of its pid file and its log.
        argv: Its command; needed only to start it.
        ready: Whether it is ready.
    """

    name: str
    argv: Sequence[str] = ()
    ready: Callable[[], bool] = lambda: True

    @property
    def log(self) -> Path:
        """The file of its output."""
        return STATE / "logs" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """The file with its process id and its start time, since process ids are reused."""
        return STATE / "run" / f"{self.name}.pid"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        try:
            pid, started = self.pid_file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _started(int(pid)) == started else None

    @property
    def crashed(self) -> bool:
        """Whether it ended although nothing has ended it by :meth:`down`."""
        return self.pid_file.exists() and self.pid is None

    def up(self, timeout_s: float = 120) -> None:
        """Start it unless it runs, and wait until it is ready.

        Raises:
            CrashError: It ended, or took too long.
        """
        if self.pid is None:
            self._start()
        until = time.monotonic() + timeout_s
        while not self.ready():
            if self.pid is None:
                raise CrashError(f"{self.name} has ended. {self.last_words()}")
            if time.monotonic() > until:
                raise CrashError(f"{self.name} is not ready after {timeout_s:.0f} s. {self.last_words()}")
            time.sleep(0.2)

    def down(self, grace_s: float = 15) -> None:
        """Terminate it; kill it after a grace period."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            until = time.monotonic() + grace_s
            while self.pid is not None and time.monotonic() < until:
                time.sleep(0.05)
            if self.pid is not None:
                os.kill(pid, signal.SIGKILL)
        self.pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The last lines of its log, with the log's path."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"The end of its log {self.log}:\n" + "\n".join(
            f"    {line}" for line in text.splitlines()[-_LAST_LINES:] or ["(empty)"]
        )

    def _start(self) -> None:
        """Start it in its own session, so that it outlives this command."""
        for folder in (self.log.parent, self.pid_file.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            began = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        self.pid_file.write_text(f"{began.pid} {_started(began.pid)}")


def _started(pid: int) -> str:
    """When the kernel started a process, in ticks since boot; empty if there is none, or only a zombie.

    Source: proc_pid_stat(5), fields 3 (state) and 22 (starttime), counted from the end of the name.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
