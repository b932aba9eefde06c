"""Files and batches on disk, a folder for each key: nobody reads what another key has sent.

Ids are 128 random bits. What is older than it may be is deleted, and what a key keeps is bounded. A record is written
whole or not at all. Left out: object stores.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform.serve import private
from proseform.serve.faults import NotFoundError, TooLargeError

FILE_BYTES = 100 << 20
"""The largest file that is taken."""
WINDOW_S = 24 * 3600
"""How long a batch may take, in seconds: OpenAI's only completion window."""
_ID = re.compile(r"(file-|batch_)[0-9a-f]{32}")
_NOBODY = "anybody"
OPEN = frozenset({"validating", "in_progress", "cancelling"})
"""States of a batch that has not ended."""


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
        if self.used(owner) + len(data) > self.quota_bytes:
            message = f"The files of this key would have more than {self.quota_bytes} bytes."
            raise TooLargeError(message, hint="Delete some.")
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

    def keep(self, owner: str, record: dict[str, Any]) -> None:
        """Write a record."""
        private.write(self._folder(owner) / f"{record['id']}.json", json.dumps(record).encode())

    def record(self, owner: str, number: str) -> dict[str, Any]:
        """A file's or a batch's record.

        Raises:
            NotFoundError: There is none of that id, or it is another key's, or too old.
        """
        if _ID.fullmatch(number):
            try:
                record: dict[str, Any] = json.loads((self._folder(owner) / f"{number}.json").read_bytes())
            except FileNotFoundError:
                pass
            else:
                if self._young(record):
                    return record
        raise NotFoundError("No file or batch of this id.", hint="It may have expired.")

    def records(self, owner: str, kind: str) -> list[dict[str, Any]]:
        """A key's files (``file``) or batches (``batch``), the newest first."""
        found = [json.loads(path.read_bytes()) for path in self._folder(owner).glob(f"{kind}[-_]*.json")]
        kept = [record for record in found if self._young(record)]
        return sorted(kept, key=lambda record: (record["created_at"], record["id"]), reverse=True)

    def data(self, owner: str, number: str) -> Path:
        """Where a file's data stand, or a batch's results while they are made."""
        return self._folder(owner) / f"{number}.jsonl"

    def delete(self, owner: str, number: str) -> None:
        """Delete a file or a batch, with its data.

        Raises:
            NotFoundError: As :meth:`record`.
        """
        self.record(owner, number)
        self._delete(self._folder(owner) / f"{number}.json")

    def used(self, owner: str) -> int:
        """The bytes of a key's files, journals included."""
        return sum(path.stat().st_size for path in self._folder(owner).iterdir() if path.suffix != ".json")

    def open(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The batches that have not ended, the oldest first, each with its key's id; what is too old is deleted."""
        found = []
        for path in self.root.glob("*/*.json"):
            record = json.loads(path.read_bytes())
            if not self._young(record):
                self._delete(path)
            elif record["object"] == "batch" and record["status"] in OPEN:
                found.append((record["created_at"], path.parent.name, record))
        for _, name, record in sorted(found, key=lambda entry: entry[:2]):
            yield "" if name == _NOBODY else name, record

    def _young(self, record: dict[str, Any]) -> bool:
        """Whether a record is still kept."""
        return bool(record["created_at"] + self.keep_s > self.clock())

    def _delete(self, path: Path) -> None:
        """Delete a record, and what belongs to it."""
        for belonging in path.parent.glob(f"{path.stem}.jsonl*"):
            belonging.unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def _folder(self, owner: str) -> Path:
        """A key's folder."""
        folder = self.root / (owner or _NOBODY)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
