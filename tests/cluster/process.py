"""A program that runs in the background: started apart, known by a pid file, waited for, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.places import STATE


class CrashError(Exception):
    """A part of the cluster ended or never became ready; carries the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Process:
    """A part of the cluster.

    Attributes:
        name: Of its pid file and log.
        argv: Its command.
    """

    name: str
    argv: Sequence[str] = ()

    @property
    def log(self) -> Path:
        """Where it writes."""
        return STATE / "logs" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """Where its process id stands, with the time the kernel started it: ids are used again."""
        return STATE / "run" / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Its process id while it runs."""
        try:
            pid, started = self.pid_file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _started(int(pid)) == started else None

    def start(self, env: Mapping[str, str] | None = None) -> None:
        """Start it apart from this process, unless it runs."""
        if self.pid() is not None:
            return
        for folder in (self.log.parent, self.pid_file.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            begun = subprocess.Popen(
                list(self.argv), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, env={**os.environ, **(env or {})},
            )  # fmt: skip
        self.pid_file.write_text(f"{begun.pid} {_started(begun.pid)}")

    def await_ready(self, ready: Callable[[], bool], timeout_s: float = 120) -> None:
        """Wait until it is ready.

        Raises:
            CrashError: It ended, or took too long.
        """
        until = time.monotonic() + timeout_s
        while not ready():
            if self.pid() is None:
                raise CrashError(f"{self.name} has ended. Its log {self.log} ends with:\n{self.tail()}")
            if time.monotonic() > until:
                raise CrashError(f"{self.name} is not ready after {timeout_s:.0f} s. Its log {self.log} ends with:\n{self.tail()}")
            time.sleep(0.3)

    def stop(self, grace_s: float = 15) -> None:
        """End it; by force after a while."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            until = time.monotonic() + grace_s
            while self.pid() is not None and time.monotonic() < until:
                time.sleep(0.1)
            if self.pid() is not None:
                os.kill(pid, signal.SIGKILL)
        self.pid_file.unlink(missing_ok=True)

    def tail(self, lines: int = 12) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else "(nothing)"


def _started(pid: int) -> str:
    """When the kernel started a process, in its ticks; empty where there is none, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
