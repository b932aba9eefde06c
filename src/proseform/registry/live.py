"""Metrics of a stage in MLflow while it trains: a thread of the stage's process reads what the worker has written.

The worker knows nothing of MLflow. It appends a line per step to ``metrics.jsonl``; a follower sends new rows every few
seconds to one MLflow run, which is found by the stage's work folder, so that a resumed stage continues its curve. When
the stage is done, the run gets the tag by which :func:`proseform.registry.track.log_stage` finds and replaces it,
with parameters, figures and files. If MLflow cannot be reached, the curve has a gap and the training goes on.
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
"""The tag of a run whose stage still trains; its value is the name of the stage's work folder."""
EVERY_S = 5.0
_LAST_S = 60.0
_LOG = logging.getLogger(__name__)


class Follower:
    """Sends a file's new rows to one MLflow run until it is closed; use it as a context.

    Args:
        registry: An open registry.
        task: The task's name.
        stage: The step's name.
        path: The ``metrics.jsonl`` that grows; need not exist yet.
        every_s: Seconds between two reads of it.
    """

    def __init__(self, registry: Registry, task: str, stage: str, path: Path, every_s: float = EVERY_S) -> None:
        self.registry, self.task, self.stage, self.path = registry, task, stage, path
        self.run_id = ""
        self._every_s = every_s
        self._last = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"live-{stage}", daemon=True)

    def __enter__(self) -> Self:
        """Import MLflow, then start.

        The import is done here, not in the thread: a launcher imports Kubernetes' client meanwhile, both import
        requests, and where two threads import modules that import one another, one of them sees half of a module.
        """
        self._guarded(library)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send the remaining rows and stop; wait for a server that does not answer for at most a minute."""
        self._ends.set()
        self._thread.join(_LAST_S)

    def became(self, key: str) -> None:
        """Tag the run with the stage's key, so that logging the result replaces it."""

        def tag() -> None:
            with speaking(self.registry):
                self.registry.client.set_tag(self.run_id, "proseform.stage_key", key)

        if self.run_id:
            self._guarded(tag)

    def send(self) -> int:
        """Send the new rows; returns their number.

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
        """Find or create the run of this work folder, and note the last step that it has."""
        client, experiment = self.registry.client, self.registry.experiment(self.task)
        name = self.path.parent.name
        runs = client.search_runs([experiment], filter_string=f"tags.`{TAG}` = '{name}'")
        if runs:
            self.run_id = str(runs[0].info.run_id)
            known = runs[0].data.metrics
            self._last = max(
                (client.get_metric_history(self.run_id, metric)[-1].step for metric in list(known)[:1]), default=0
            )
            return
        tags = {TAG: name, "proseform.stage": self.stage, "proseform.task": self.task}
        self.run_id = str(client.create_run(experiment, tags=tags, run_name=f"{self.stage} (running)").info.run_id)

    def _follow(self) -> None:
        """The thread: send, then wait, until the end."""
        while True:
            last = self._ends.wait(self._every_s)
            self._guarded(self.send)
            if last:
                return

    def _guarded(self, call: Any) -> None:
        """Call, and log an error of the registry instead of stopping the training."""
        try:
            call()
        except RegistryError as error:
            _LOG.warning("%s: no metrics are shown while it trains: %s", self.stage, error)


@contextmanager
def following(registry: Registry | None, task: str, stage: str, path: Path) -> Iterator[Follower | None]:
    """A running follower, or None without a registry."""
    if registry is None:
        yield None
        return
    with Follower(registry, task, stage, path) as follower:
        yield follower


def _step(row: dict[str, Any]) -> int:
    """The step of a row; 0 if it names none."""
    step = row.get("step")
    return step if isinstance(step, int) else 0
