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
    """The digest of a folder: the digest of its :func:`listing`.

    Args:
        root: The folder.
        names: Relative names to include; all files below ``root`` by default.
    """
    return of_json(listing(root, names))


def listing(root: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """A folder's files by relative name: the sha256 of each one's bytes, as 64 hex digits.

    Args:
        root: The folder.
        names: Relative names to include; all files below ``root`` by default.
    """
    listed = {}
    for name in sorted(files(root) if names is None else names):
        with (root / name).open("rb") as file:
            listed[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return listed


def files(root: Path) -> list[str]:
    """Relative names of all files below a folder."""
    return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]


def short(digest: str) -> str:
    """The first twelve hex digits, for people and folder names.

    >>> short("sha256:0123456789abcdef")
    '0123456789ab'
    """
    return digest.removeprefix("sha256:")[:12]
