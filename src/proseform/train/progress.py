"""What a trainer reports: progress for people, metrics for the registry, seals for checkpoints."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proseform import histogram, jsonl, launch
from proseform.train import checkpoints, hazards

if TYPE_CHECKING:
    from transformers import TrainerCallback

METRICS = "metrics.jsonl"

_NAMES = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "entropy": "entropy",
    "mean_token_accuracy": "token_accuracy",
    "reward": "reward",
    "reward_std": "reward_std",
    "kl": "kl",
    "frac_zero_variance": "frac_zero_variance",
    "frac_cancelled": "frac_cancelled",
    "faulted": "faulted",
    **{name: name for name in ("all_zero", "all_best", "spread", "repeated", "right")},
    "clip_ratio/region_mean": "clip_region",
    "sampled_reward": "reward",
    "sampled_groups": "sampled_groups",
    "sampled_tokens": "sampled_tokens",
    "trained_tokens": "trained_tokens",
    "trained_mixed": "trained_mixed",
    "skeleton": "skeleton",
    "form": "form",
    "golden": "golden",
    "replayed": "replayed",
    "skipped": "skipped",
    "reading_s": "reading_s",
    "completions/mean_length": "completion_tokens",
    "completions/clipped_ratio": "clipped",
}
"""TRL's names of what is kept, to ours."""


def metrics(logs: dict[str, Any]) -> dict[str, float]:
    """The figures of one step's logs that are worth keeping, rounded to six significant digits.

    >>> metrics({"loss": 0.12345678, "epoch": 1.0, "rewards/accuracy/mean": 0.5, "rewards/accuracy/std": 0.1})
    {'loss': 0.123457, 'reward/accuracy': 0.5, 'reward_std/accuracy': 0.1}
    """
    kept = {ours: logs[theirs] for theirs, ours in _NAMES.items() if theirs in logs}
    for name, value in logs.items():
        match name.split("/"):
            case ["rewards", term, "mean"]:
                kept[f"reward/{term}"] = value
            case ["rewards", term, "std"]:
                kept[f"reward_std/{term}"] = value
            case ["pool", _] | [histogram.HISTOGRAM, _, _]:
                kept[name] = value
    return {
        name: float(f"{value:.6g}")
        for name, value in kept.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def callback(job: launch.Job, total: int, shown: str) -> TrainerCallback:
    """A callback that writes ``progress.jsonl`` and ``metrics.jsonl`` each step and seals checkpoints.

    Args:
        job: Whose ``work`` folder is written to, by rank 0 alone.
        total: Optimiser steps in all.
        shown: The metric that is shown beside the bar, ``loss`` or ``reward``.
    """
    from transformers import TrainerCallback

    path = Path(job.work) / METRICS

    class Progress(TrainerCallback):
        """See :func:`callback`."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
            """Drop the lines that were written after the step from which training resumes."""
            self.began = time.monotonic()
            if state.is_world_process_zero:
                kept = [row for row in jsonl.rows(path) if _step(row) <= state.global_step]
                path.write_text("".join(f"{json.dumps(row)}\n" for row in kept), encoding="utf-8")
                job.progress(state.global_step, total)

        def on_log(
            self,
            args: Any,  # noqa: ARG002 - TRL calls by name
            state: Any,
            control: Any,  # noqa: ARG002
            logs: dict[str, Any] | None = None,
            **kwargs: Any,  # noqa: ARG002
        ) -> None:
            """Keep one step's figures."""
            figures = metrics(logs or {})
            if not state.is_world_process_zero or "loss" not in figures:
                return
            with path.open("a") as file:
                file.write(
                    json.dumps(
                        {"step": state.global_step, "seconds": round(time.monotonic() - self.began, 2), **figures}
                    )
                    + "\n"
                )
            words = hazards.explained(figures)
            noted = {"note": words} if words else {}
            job.progress(state.global_step, total, **{shown: figures.get(shown, figures["loss"])}, **noted)

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
            """Seal the checkpoint once every process has written its part."""
            import torch.distributed as dist

            if dist.is_initialized():
                dist.barrier()
            if state.is_world_process_zero:
                checkpoints.seal(Path(args.output_dir) / f"checkpoint-{state.global_step}", args.world_size)

    return Progress()


def history(job: launch.Job) -> list[dict[str, float]]:
    """The metrics of every step so far."""
    return [row for row in jsonl.rows(Path(job.work) / METRICS) if _step(row)]


def mean(rows: list[dict[str, float]], name: str) -> float | None:
    """The mean of a metric over rows that have it, or None."""
    values = [row[name] for row in rows if name in row]
    return round(sum(values) / len(values), 4) if values else None


def _step(row: dict[str, Any]) -> int:
    """The step of a row; 0 where it names none."""
    step = row.get("step")
    return step if isinstance(step, int) else 0
