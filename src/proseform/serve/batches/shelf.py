"""Files and batches on disk, a folder for each key: nobody reads what another key has sent.

Ids are 128 random bits. What is older than it may be is deleted, and what a key keeps is bounded. A record is written
whole or not at all, and what depends on a key's other files is decided and written by one thread of one process at a
time. All of it blocks: on an event loop, call it in a thread. Left out: object stores.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform.errors import InputError
from proseform.serve import private
from proseform.serve.faults import BusyError, NotFoundError, TooLargeError

FILE_BYTES = 100 << 20
"""The largest file that is taken."""
WINDOW_S = 24 * 3600
"""How long a batch may take, in seconds: OpenAI's only completion window."""
MOST_OPEN = 100
"""Batches of one key that may be open at a time."""
MOST_KEPT = 3000
"""Files and batches of one key that are kept at a time: every one of them is looked at again and again."""
_ID = re.compile(r"(file-|batch_)[0-9a-f]{32}")
_NOBODY = "anybody"
OPEN = frozenset({"validating", "in_progress", "cancelling"})
"""States of a batch that has not ended."""
GOING = OPEN - {"cancelling"}
"""States of a batch that is to be answered."""
_AGAIN_S = 60.0
"""When to come again with one more batch, in seconds."""


@dataclass(frozen=True)
class Shelf:
    """What was sent, and what came of it.

    Attributes:
        root: The folder.
        quota_bytes: What the files of one key may have.
        keep_s: How long files and batches are kept, in seconds.
        clock: Seconds since 1970.
    """

    root: Path
    quota_bytes: int = 1 << 30
    keep_s: float = 7 * 24 * 3600.0
    clock: Callable[[], float] = time.time

    def put(self, owner: str, data: bytes, filename: str, purpose: str) -> dict[str, Any]:
        """Keep a file; gives its record.

        Raises:
            TooLargeError: The key keeps too much.
        """
        with self._alone(owner):
            self._few(owner)
            return self._put(owner, data, filename, purpose)

    def begin(self, owner: str, batch: dict[str, Any]) -> None:
        """Keep the record of a new batch.

        Raises:
            InputError: Its input is no file's id.
            NotFoundError: There is no such input, or it is another key's, or too old.
            BusyError: Too many batches of the key are open.
            TooLargeError: The key keeps too much.
        """
        with self._alone(owner):
            if self.record(owner, batch["input_file_id"])["object"] != "file":
                raise InputError("Field 'input_file_id' is no file's id.", hint="Upload the file first.")
            if sum(other["status"] in OPEN for other in self.records(owner, "batch")) >= MOST_OPEN:
                message, hint = f"{MOST_OPEN} batches of this key are open.", "Wait for the end of one, or cancel it."
                raise BusyError(message, hint=hint, retry_after_s=_AGAIN_S, status=429)
            self._few(owner)
            self._check(owner, len(_written(batch)))
            self.keep(owner, batch)

    def change(self, owner: str, number: str, states: Collection[str], fields: Mapping[str, Any]) -> dict[str, Any]:
        """Change a batch that is in one of some states, no other; gives its record as it is then.

        Raises:
            NotFoundError: As :meth:`record`.
        """
        with self._alone(owner):
            record = self.record(owner, number)
            changed = {**record, **fields}
            if record["status"] not in states or changed == record:
                return record
            self.keep(owner, changed)
            return changed

    def end(self, owner: str, number: str, data: bytes, fields: Mapping[str, Any]) -> None:
        """End a batch that is open: its output takes the place of its journal and of its draft.

        Raises:
            NotFoundError: As :meth:`record`.
            TooLargeError: The key keeps too much.
        """
        with self._alone(owner):
            record = self.record(owner, number)
            if record["status"] in OPEN:
                output = self._put(owner, data, f"{number}_output.jsonl", "batch_output", instead=number)
                self.keep(owner, {**record, "output_file_id": output["id"], **fields})
            self.clear(owner, number)

    def keep(self, owner: str, record: dict[str, Any]) -> None:
        """Write a record."""
        private.write(self._folder(owner) / f"{record['id']}.json", _written(record))

    def record(self, owner: str, number: str) -> dict[str, Any]:
        """A file's or a batch's record.

        Raises:
            NotFoundError: There is none of that id, or it is another key's, or too old.
        """
        record = _read(self._folder(owner) / f"{number}.json") if _ID.fullmatch(number) else None
        if record is None or not self._young(record):
            raise NotFoundError("No file or batch of this id.", hint="It may have expired.")
        return record

    def records(self, owner: str, kind: str) -> list[dict[str, Any]]:
        """A key's files (``file``) or batches (``batch``), the newest first."""
        found = [_read(path) for path in self._folder(owner).glob(f"{kind}[-_]*.json")]
        kept = [record for record in found if record is not None and self._young(record)]
        return sorted(kept, key=lambda record: (record["created_at"], record["id"]), reverse=True)

    def data(self, owner: str, number: str) -> Path:
        """Where a file's data stand, or a batch's results while they are made."""
        return self._folder(owner) / f"{number}.jsonl"

    def delete(self, owner: str, number: str) -> None:
        """Delete a file.

        Raises:
            InputError: An open batch needs it.
            NotFoundError: As :meth:`record`, or it is a batch.
        """
        with self._alone(owner):
            if self.record(owner, number)["object"] != "file":
                raise NotFoundError("No file of this id.", hint="It is a batch's.")
            batches = self.records(owner, "batch")
            if any(batch["status"] in OPEN and batch["input_file_id"] == number for batch in batches):
                raise InputError("An open batch needs the file.", hint="Cancel it first.")
            _delete(self._folder(owner), {number})

    def clear(self, owner: str, number: str) -> None:
        """Delete a batch's journal, and the draft of its results."""
        _clear(self._folder(owner), {number})

    def used(self, owner: str, without: str = "") -> int:
        """The bytes of a key's files, journals and records included, but for those of one batch's work."""
        found = self._folder(owner).iterdir()
        return sum(_size(path) for path in found if not without or _data_of(path) != without)

    def open(self) -> list[tuple[str, dict[str, Any]]]:
        """The batches that have not ended, the oldest first, each with its key's id.

        What is too old is deleted, but for files that these batches need.
        """
        found, old = [], defaultdict[Path, set[str]](set)
        for path in self.root.glob("*/*.json"):
            record = _read(path)
            if record is None:
                continue
            if not self._young(record):
                old[path.parent].add(path.stem)
            elif record["object"] == "batch" and record["status"] in OPEN:
                found.append((record["created_at"], path.parent.name, record))
        needed = {record["input_file_id"] for _, _, record in found}
        for folder, numbers in old.items():
            _delete(folder, numbers - needed)
        ordered = sorted(found, key=lambda entry: entry[:2])
        return [("" if name == _NOBODY else name, record) for _, name, record in ordered]

    def _put(self, owner: str, data: bytes, filename: str, purpose: str, instead: str = "") -> dict[str, Any]:
        """Keep a file, in the place of a batch's journal and draft; gives its record."""
        self._check(owner, len(data), instead)
        number, now = f"file-{secrets.token_hex(16)}", int(self.clock())
        record = {
            "id": number,
            "object": "file",
            "bytes": len(data),
            "created_at": now,
            "expires_at": now + int(self.keep_s),
            "filename": filename[:200],
            "purpose": purpose,
            "status": "processed",
        }
        private.write(self.data(owner, number), data)
        self.keep(owner, record)
        return record

    def _few(self, owner: str) -> None:
        """Raise :class:`TooLargeError` where a key keeps as many files and batches as it may; outputs come on top."""
        if sum(path.suffix == ".json" for path in self._folder(owner).iterdir()) >= MOST_KEPT:
            message = f"{MOST_KEPT} files and batches of this key are kept."
            raise TooLargeError(message, hint="Delete files, or wait until some expire.")

    def _check(self, owner: str, size: int, instead: str = "") -> None:
        """Raise :class:`TooLargeError` where a key would keep too much with so many bytes more."""
        if self.used(owner, instead) + size > self.quota_bytes:
            message = f"The files of this key would have more than {self.quota_bytes} bytes."
            raise TooLargeError(message, hint="Delete some.")

    @contextmanager
    def _alone(self, owner: str) -> Iterator[None]:
        """Keep other threads and processes from a key's folder."""
        folder = os.open(self._folder(owner), os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _young(self, record: dict[str, Any]) -> bool:
        """Whether a record is still kept."""
        return bool(record["created_at"] + self.keep_s > self.clock())

    def _folder(self, owner: str) -> Path:
        """A key's folder."""
        folder = self.root / (owner or _NOBODY)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _written(record: Mapping[str, Any]) -> bytes:
    """A record as it is kept."""
    return json.dumps(record).encode()


def _read(path: Path) -> dict[str, Any] | None:
    """A record; None where it has gone, or a power failure has left none."""
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return record


def _size(path: Path) -> int:
    """A file's bytes; 0 where it has gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _data_of(path: Path) -> str:
    """The id of the file or the batch of which a path holds data, or a draft of them; empty for a record."""
    number, _, kind = path.name.lstrip(".").partition(".")
    return number if kind.startswith("jsonl") else ""


def _clear(folder: Path, numbers: Collection[str]) -> None:
    """Delete the data of files and batches, and drafts of them; one look through the folder for all."""
    for path in folder.iterdir():
        if _data_of(path) in numbers:
            path.unlink(missing_ok=True)


def _delete(folder: Path, numbers: Collection[str]) -> None:
    """Delete records, behind what belongs to them."""
    _clear(folder, numbers)
    for number in numbers:
        (folder / f"{number}.json").unlink(missing_ok=True)
