"""One digest for everything: sha256 over canonical JSON or over files, written ``sha256:<64 hex>``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def of_json(value: Any) -> str:
    """The digest of a JSON value: keys sorted, no white space, UTF-8.

    >>> of_json({"b": 1, "a": 2}) == of_json({"a": 2, "b": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def of_files(root: Path, names: Iterable[str] | None = None) -> str:
    """The digest of a folder: the relative names and contents of its files, order-free.

    Args:
        root: The folder.
        names: Relative names to include; all files below ``root`` by default.
    """
    chosen = (
        sorted(names)
        if names is not None
        else sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    )
    listing = {}
    for name in chosen:
        with (root / name).open("rb") as file:
            listing[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return of_json(listing)


def short(digest: str) -> str:
    """The first twelve hex digits, for people and folder names.

    >>> short("sha256:0123456789abcdef")
    '0123456789ab'
    """
    return digest.removeprefix("sha256:")[:12]
