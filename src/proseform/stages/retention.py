"""Retention: what models wrote of a user's own cases, and were given, is deleted once its date has come.

Not a stage. Such texts lie in payloads of their own in the store (``texts/``, see :mod:`proseform.records`); copies lie
below the home folder, where a store was fetched from or a measurement was interrupted. Every such file names its date
itself. Checkpoints of training on such cases, which may hold cases and completions, go with the stage; those of a stage
that failed go ``evaluate.retention_days`` after its last sign of life. Records, with digests in the place of texts, and
reports stay. Left out: datasets, which hold the cases themselves for as long as who gave them wants, and homes on other
machines, whose own runs look after them.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from proseform import launch, records
from proseform.stages.cache import Home

STAGE = "texts"
"""Under which name the store keeps texts."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """Texts, or checkpoints, that were deleted: where they lay, and the date from which on they were to go."""

    uri: str
    delete_after: dt.date


def prune(home: Home, today: dt.date) -> list[Deleted]:
    """Delete every text of a user's own cases, and every checkpoint of training on them, whose date has come.

    Args:
        home: Its store and its folders are looked through.
        today: What has this date or one before is deleted.

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
    for path, left_until in _left(home):
        if left_until <= today:
            shutil.rmtree(path, ignore_errors=True)
            deleted.append(Deleted(str(path), left_until))
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


def _left(home: Home) -> Iterator[tuple[Path, dt.date]]:
    """Checkpoints of training on a user's own cases, each with its date."""
    for folder in sorted((home.root / "work").glob("*/checkpoints")):
        days = _days(folder.parent / launch.JOB)
        if days is None:
            continue
        with suppress(FileNotFoundError):  # a stage that writes there is alive
            alive = max(path.lstat().st_mtime for path in folder.parent.rglob("*"))
            yield folder, dt.datetime.fromtimestamp(alive, dt.UTC).date() + dt.timedelta(days=days)


def _days(job: Path) -> int | None:
    """Days for which a job's checkpoints are kept; None where its cases are generated, or its files name a date."""
    try:
        settings = json.loads(job.read_text(encoding="utf-8"))["settings"]
        own = settings["run"]["dataset"]["file"] and "delete_after" not in settings
        return int(settings["run"]["evaluate"]["retention_days"]) if own else None
    except (OSError, ValueError, LookupError, TypeError):
        return None
