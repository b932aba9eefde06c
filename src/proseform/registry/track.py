"""Stages as MLflow runs: one parent run per pipeline, one child run per stage.

A stage's run is found by the tag ``proseform.stage_key``: logging the same result twice (a resumed pipeline, a stage
adopted from the store) gives the existing run. A run whose logging was interrupted is deleted and logged anew.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from proseform import jsonl
from proseform.config import Run
from proseform.registry import Registry, library, speaking

_BATCH = 100
"""Entries per log_batch call; MLflow accepts at most 100 parameters and 1,000 metrics."""
_LONGEST = 5000
"""Most characters of a parameter's or tag's value."""


def log_pipeline(registry: Registry, task: str, run: Run, key: str, tags: Mapping[str, str] | None = None) -> str:
    """The MLflow run above a pipeline's stages, with the whole configuration as parameters; its id.

    Args:
        registry: An open registry.
        task: The task's name; its experiment is created if missing.
        run: The resolved run.
        key: What tells one pipeline run from another; the same key gives the same MLflow run.
        tags: Further tags.
    """
    return log_stage(
        registry,
        task,
        "pipeline",
        key,
        params=flatten(run.model_dump(mode="json", by_alias=True)),
        tags=tags,
        title=run.name,
    )


def log_stage(
    registry: Registry,
    task: str,
    stage: str,
    key: str,
    *,
    parent: str = "",
    params: Mapping[str, Any] | None = None,
    metrics: Iterable[Mapping[str, Any]] = (),
    figures: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    files: Sequence[Path] = (),
    title: str = "",
) -> str:
    """Log one stage's result; the id of its MLflow run.

    Args:
        registry: An open registry.
        task: The task's name.
        stage: The step's name, such as ``sft-evaluator``.
        key: The stage's key in the store.
        parent: The id from :func:`log_pipeline`.
        params: Parameters, nested tables allowed.
        metrics: Rows of ``metrics.jsonl``: numbers by name, beside ``step``; other values are left out, and so are NaN
            and infinities.
        figures: Key figures, nested tables allowed; numbers become metrics without a step, other values tags.
        tags: Further tags, such as digests.
        files: Files to keep with the run, such as ``report.html``.
        title: The run's name for people; empty takes the stage's.

    Raises:
        RegistryError: MLflow cannot be reached, or refused.
    """
    experiment = registry.experiment(task)
    client = registry.client
    with speaking(registry):
        same = f"tags.`proseform.stage_key` = '{key}' and tags.`proseform.stage` = '{stage}'"
        for earlier in client.search_runs([experiment], filter_string=same):
            if earlier.info.status == "FINISHED":
                return str(earlier.info.run_id)
            client.delete_run(earlier.info.run_id)
        head = {"proseform.stage": stage, "proseform.stage_key": key, "proseform.task": task, **(tags or {})}
        if parent:
            head["mlflow.parentRunId"] = parent
        run_id = str(client.create_run(experiment, tags=head, run_name=title or stage).info.run_id)
        now = int(time.time() * 1000)
        flat = flatten(figures or {})
        words = {name: value for name, value in flat.items() if not _number(value)}
        entities = library().entities
        last = [entities.Metric(name, float(value), now, 0) for name, value in flat.items() if _number(value)]
        for chunk in batches(iter([*series(metrics, now), *last])):
            client.log_batch(run_id, metrics=chunk)
        for chunk in batches(
            entities.Param(name, str(value)[:_LONGEST]) for name, value in flatten(params or {}).items()
        ):
            client.log_batch(run_id, params=chunk)
        for chunk in batches(entities.RunTag(name, str(value)[:_LONGEST]) for name, value in words.items()):
            client.log_batch(run_id, tags=chunk)
        for file in files:
            client.log_artifact(run_id, str(file))
        client.set_terminated(run_id, "FINISHED")
    return run_id


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a ``metrics.jsonl``.

    An incomplete last line is skipped; a missing file has no rows.
    """
    yield from jsonl.rows(path)


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested table with dotted names; lists stay values.

    >>> flatten({"sft": {"steps": 3, "lora": None}, "name": "x"})
    {'sft.steps': 3, 'sft.lora': None, 'name': 'x'}
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
    return flat


def series(rows: Iterable[Mapping[str, Any]], now: int) -> Iterator[Any]:
    """Metrics with their steps; a row without a step takes its place in the file."""
    metric = library().entities.Metric
    for place, row in enumerate(rows, start=1):
        step = int(row.get("step", place))
        for name, value in row.items():
            if name != "step" and _number(value):
                yield metric(name, float(value), now, step)


def _number(value: Any) -> bool:
    """Whether a value is a finite number, which MLflow can draw."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def batches(entries: Iterator[Any]) -> Iterator[list[Any]]:
    """Split entries into lists that one log_batch call accepts."""
    while chunk := list(islice(entries, _BATCH)):
        yield chunk
