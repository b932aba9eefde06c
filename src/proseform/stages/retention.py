"""Retention: what models wrote of a user's own cases, and were given, is deleted once its date has come.

Not a stage. Such texts lie in payloads of their own in the store (``texts/``, see :mod:`proseform.records`); copies lie
below the home folder, where a store was fetched from or a measurement was interrupted. Every such file names its date
itself. Records, with digests in the place of texts, and reports stay. Left out: datasets, which hold the cases
themselves for as long as who gave them wants, and homes on other machines, whose own runs look after them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from proseform import records
from proseform.stages.cache import Home

STAGE = "texts"
"""Under which name the store keeps texts."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """Texts that were deleted: where they lay, and the date from which on they were to go."""

    uri: str
    delete_after: dt.date


def prune(home: Home, today: dt.date) -> list[Deleted]:
    """Delete every text of a user's own cases whose date has come.

    Args:
        home: Its store and its folders are looked through.
        today: Texts whose date is today or before are deleted.

    Returns:
        What was deleted; empty where nothing was due.
    """
    deleted = []
    for result in home.store.results(STAGE):
        until = dt.date.fromisoformat(str(result.figures["delete_after"]))
        if until <= today:
            home.store.delete(result)
            deleted.append(Deleted(result.ref.uri, until))
    for path in _copies(home):
        copy_until = records.delete_after(path)
        if copy_until is not None and copy_until <= today:
            with suppress(FileNotFoundError):  # another run deletes it too
                path.unlink()
            deleted.append(Deleted(str(path), copy_until))
    return deleted


def tidy(home: Home) -> None:
    """:func:`prune` at the beginning of a pipeline run; what was deleted stands in the run's table."""
    deleted = prune(home, today())
    if deleted:
        last = max(one.delete_after for one in deleted).isoformat()
        key = f"own texts deleted at {len(deleted)} places, due by {last}"
        home.tell(stage="retention", state="done", seconds=0.0, figures={"key": key})


def today() -> dt.date:
    """The date, in UTC."""
    return dt.datetime.now(dt.UTC).date()


def _copies(home: Home) -> Iterator[Path]:
    """Files that no commit of the store names and that may hold texts: fetched, or left by what was interrupted."""
    folders = [home.root / "fetched", home.root / "work"]
    if home.store.local:
        folders.append(Path(home.store.root) / STAGE)
    for folder in folders:
        yield from sorted(folder.rglob("*.parquet"))
