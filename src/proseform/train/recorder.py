"""Keeps the rollouts of GRPO while it trains: lines beside the checkpoints, one Parquet file at the end.

Each rank appends its own completions of a step when they are scored. A resumed run drops the lines behind the
checkpoint that it goes on from, and samples them again, so that an interruption leaves no trace.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from proseform import jsonl, launch, rollouts
from proseform.rollouts import About, Rollout
from proseform.train import checkpoints


class Recorder:
    """See the module.

    Args:
        job: Whose ``work`` folder is written to.
        about: What the rollouts belong to.
        rank: Of this process.
        step: The step from which training goes on; 0 at the beginning.
    """

    def __init__(self, job: launch.Job, about: About, rank: int, step: int) -> None:
        self._job, self._about = job, about
        self._folder = Path(job.work) / checkpoints.FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._part(rank)
        kept = [row for row in jsonl.rows(self._path) if row["step"] <= step]
        self._path.write_text("".join(f"{json.dumps(row)}\n" for row in kept), encoding="utf-8")

    def add(self, rows: Sequence[Rollout]) -> None:
        """Append what this rank has sampled in a step."""
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(f"{row.to_json()}\n" for row in rows)

    def finish(self) -> None:
        """Write all ranks' rollouts to the stage's output; by one rank, once all have added theirs."""
        rows = [Rollout(**row) for rank in range(self._job.world_size) for row in jsonl.rows(self._part(rank))]
        rollouts.write(Path(self._job.out) / rollouts.FILE, rows, self._about)

    def _part(self, rank: int) -> Path:
        """The lines of one rank."""
        return self._folder / f"rollouts-{rank}.jsonl"
