"""Metrics of a stage in MLflow while it trains: a thread of the stage's process reads what the worker has written.

The worker knows nothing of MLflow. Its ``metrics.jsonl`` grows by a line a step; a follower sends what is new every few
seconds, as one run that is found again by the stage's name, so that a stage that goes on after an interruption goes on
in the same curve. When the stage is done its run gets the tag by which :func:`proseform.registry.track.log_stage` finds
it, and replaces it by the whole: parameters, figures, files. An MLflow that is away costs its curve and no training.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from proseform import jsonl
from proseform.errors import RegistryError
from proseform.registry import Registry, library, speaking, track

TAG = "proseform.live"
"""The tag of a run that is being followed: the stage's work folder."""
EVERY_S = 5.0
_LAST_S = 60.0
_LOG = logging.getLogger(__name__)


class Follower:
    """Sends a file's new rows to one MLflow run until it is closed; use it as a context.

    Args:
        registry: Where.
        task: The task's name.
        stage: The step's name.
        path: The ``metrics.jsonl`` that grows; need not be there yet.
        every_s: Seconds between two looks.
    """

    def __init__(self, registry: Registry, task: str, stage: str, path: Path, every_s: float = EVERY_S) -> None:
        self.registry, self.task, self.stage, self.path = registry, task, stage, path
        self.run_id = ""
        self._every_s = every_s
        self._last = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"live-{stage}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send what is left and stop; a server that does not answer is not waited for longer than a minute."""
        self._ends.set()
        self._thread.join(_LAST_S)

    def became(self, key: str) -> None:
        """Let the run be replaced when the stage's result is logged under a key."""

        def tag() -> None:
            with speaking(self.registry):
                self.registry.client.set_tag(self.run_id, "proseform.stage_key", key)

        if self.run_id:
            self._guarded(tag)

    def send(self) -> int:
        """Send the rows that are new; their number.

        Raises:
            RegistryError: MLflow cannot be reached, or refused.
        """
        rows = [row for row in jsonl.rows(self.path) if _step(row) > self._last]
        if not rows and self.run_id:
            return 0
        with speaking(self.registry):
            if not self.run_id:
                self._open()
                rows = [row for row in rows if _step(row) > self._last]
            for metrics in track.batches(track.series(rows, int(time.time() * 1000))):
                self.registry.client.log_batch(self.run_id, metrics=metrics)
        self._last = max([self._last, *map(_step, rows)])
        return len(rows)

    def _open(self) -> None:
        """The run of this work folder, made where it is missing, and the step that it has come to."""
        client, experiment = self.registry.client, self.registry.experiment(self.task)
        name = self.path.parent.name
        runs = client.search_runs([experiment], filter_string=f"tags.`{TAG}` = '{name}'")
        if runs:
            self.run_id = str(runs[0].info.run_id)
            known = runs[0].data.metrics
            self._last = max(
                (client.get_metric_history(self.run_id, one)[-1].step for one in list(known)[:1]), default=0
            )
            return
        tags = {TAG: name, "proseform.stage": self.stage, "proseform.task": self.task}
        self.run_id = str(client.create_run(experiment, tags=tags, run_name=f"{self.stage} (running)").info.run_id)

    def _follow(self) -> None:
        """The thread: look, send, wait."""
        self._guarded(library)
        while True:
            last = self._ends.wait(self._every_s)
            self._guarded(self.send)
            if last:
                return

    def _guarded(self, call: Any) -> None:
        """Call, and say what went wrong instead of stopping what trains."""
        try:
            call()
        except RegistryError as error:
            _LOG.warning("%s: no metrics are shown while it trains: %s", self.stage, error)


@contextmanager
def following(registry: Registry | None, task: str, stage: str, path: Path) -> Iterator[Follower | None]:
    """A follower where there is a registry to follow with; None otherwise."""
    if registry is None:
        yield None
        return
    with Follower(registry, task, stage, path) as follower:
        yield follower


def _step(row: dict[str, Any]) -> int:
    """The step of a row; 0 where it names none."""
    step = row.get("step")
    return step if isinstance(step, int) else 0
