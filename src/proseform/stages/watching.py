"""Where a run's GRPO leaves its figures, while it trains and afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import jsonl
from proseform.errors import StoreError
from proseform.stages import cache
from proseform.store import fetch

METRICS = "metrics.jsonl"
_OVER = frozenset({"done", "reused", "failed"})


@dataclass(frozen=True, slots=True)
class Watched:
    """The grpo stage of a run.

    Attributes:
        metrics: Its ``metrics.jsonl``; need not exist yet.
        state: ``started``, ``done``, ``reused`` or ``failed``.
    """

    metrics: Path
    state: str

    @property
    def over(self) -> bool:
        """Whether nothing will be added."""
        return self.state in _OVER


def find(run: str) -> Watched:
    """The grpo stage of a pipeline run.

    Args:
        run: The run's name, or the path of a ``metrics.jsonl`` or of its folder.

    Raises:
        StoreError: No such run, or none with a grpo stage, or its result is no longer in the store.
    """
    path = Path(run)
    if path.name == METRICS or (path / METRICS).is_file():
        return Watched(path if path.name == METRICS else path / METRICS, "done")
    events = _events(run)
    state = str(events[-1]["state"])
    if state in {"done", "reused"}:
        return Watched(trained(run) / METRICS, state)
    work = next(row["work"] for row in reversed(events) if "work" in row)
    return Watched(Path(work) / METRICS, state)


def trained(run: str) -> Path:
    """The folder of what a run's GRPO has trained.

    Raises:
        StoreError: No such run, or its result is not in the store.
    """
    uris = [row["uri"] for row in _events(run) if row.get("uri")]
    if not uris:
        raise _unknown(run)
    home = cache.home()
    done = next((one for one in home.store.results("grpo") if one.ref.uri == uris[-1]), None)
    if done is None:
        raise StoreError(f"The grpo stage of run '{run}' is no longer in the store.", hint="Run the pipeline again.")
    return fetch(done.ref, home.root / "fetched")


def _events(run: str) -> list[dict[str, Any]]:
    """What a run's grpo stage has told, at least one line.

    Raises:
        StoreError: No such run, or none with a grpo stage.
    """
    lines = jsonl.rows(cache.home().root / "runs" / run / "events.jsonl")
    events = [row for row in lines if row.get("stage") == "grpo"]
    if not events:
        raise _unknown(run)
    return events


def _unknown(run: str) -> StoreError:
    """The error where a run has nothing of GRPO."""
    home = cache.home()
    known = sorted(folder.parent.name for folder in (home.root / "runs").glob("*/events.jsonl"))
    return StoreError(
        f"No run '{run}' with a grpo stage in {home.root}; runs: {', '.join(known) or 'none'}.",
        hint="Give a run's name, or the path of what the stage has written.",
    )
