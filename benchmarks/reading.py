"""The documents of a folder, as `proseform read` reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from proseform import documents
from proseform.errors import DocumentError

Read = tuple[dict[Path, str], Counter[str]]
"""The texts of the documents that can be read, and how many others are not, by why."""


def files(folder: Path) -> list[Path]:
    """All files below a folder, by their paths."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def texts(paths: Iterable[Path]) -> Read:
    """Read some documents."""
    read, refused = dict[Path, str](), Counter[str]()
    for path in paths:
        try:
            read[path] = documents.read(path).text
        except DocumentError as error:
            refused[error.message] += 1
    return read, refused
