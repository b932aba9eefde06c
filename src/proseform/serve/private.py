"""Files that a server keeps for itself: written whole or not at all, and readable for their owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file; a reader sees the old one or the new one.

    Args:
        path: The file.
        data: What it holds.
        durable: Whether the disk has it before this returns.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
