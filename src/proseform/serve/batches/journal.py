"""The journal of a batch: a line for each row that was answered, appended by one process at a time.

The first line says of which requests and bundles. A kill can cut off the last line alone, which is taken away when the
journal is opened again; a row that it was of is answered again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from proseform.errors import ConfigError


class Journal:
    """An open journal; close it to let others write.

    Args:
        path: The file, which is made where it is not there.
        about: What the batch is of: requests, task, bundles.

    Raises:
        ConfigError: Another process writes it, or it is of another batch.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self._places: dict[str, tuple[int, int]] = {}
        self._file: IO[bytes] = path.open("a+b", buffering=0)
        try:
            self._open(about)
        except BaseException:
            self._file.close()
            raise

    def __contains__(self, custom_id: str) -> bool:
        """Whether a row was answered."""
        return custom_id in self._places

    def __len__(self) -> int:
        """How many rows were answered."""
        return len(self._places)

    def add(self, result: Mapping[str, Any]) -> None:
        """Append a row's result; one that stands there already stays.

        Raises:
            OSError: The disk is full; the journal is as before.
        """
        if result["custom_id"] in self:
            return
        line = json.dumps(result).encode() + b"\n"
        start = os.fstat(self._file.fileno()).st_size
        if self._file.write(line) != len(line):  # the disk had room for its beginning alone
            self._file.truncate(start)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._places[result["custom_id"]] = (start, len(line))

    def result(self, custom_id: str) -> dict[str, Any]:
        """A row's result.

        Raises:
            KeyError: It was not answered.
        """
        start, size = self._places[custom_id]
        return dict(json.loads(os.pread(self._file.fileno(), size, start)))

    def sync(self) -> None:
        """Have the disk hold what was added."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let others write."""
        self._file.close()

    def _open(self, about: Mapping[str, Any]) -> None:
        """Lock it, and read what was answered."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"{self.path}: another process answers this batch.", hint="Wait for its end.") from error
        end = 0
        for start, line in self._lines():
            try:
                value = json.loads(line)
            except ValueError:
                break
            if not start:
                if value != about:
                    hint = "Take another --out, or delete the journal to answer all rows again."
                    raise ConfigError(f"{self.path}: is the journal of another file, task or bundle.", hint=hint)
            else:
                self._places[value["custom_id"]] = (start, len(line))
            end = start + len(line)
        self._file.truncate(end)
        if not end:
            self._file.write(json.dumps(about).encode() + b"\n")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """The whole lines, and where they begin."""
        start = 0
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield start, line
                start += len(line)
