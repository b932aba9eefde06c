"""The frozen formatters of free prose: the bundle's own, which reads completions for GRPO, and one of another seed.

Both are results of the stage sft, made once by whichever stage needs them first: GRPO cannot begin before the first is
trained, whatever order a pipeline's steps have. The second agrees with it on what the evaluator writes, or a private
code has grown between evaluator and formatter (:mod:`proseform.suites.readings`).
"""

from __future__ import annotations

from proseform import config
from proseform.errors import ConfigError
from proseform.stages import cache, sft
from proseform.store import Result
from proseform.task import Task

SECOND = "sft-second"
"""The step of the second formatter."""


def wanted(task: Task, run: config.Run) -> bool:
    """Whether a run reads free prose by a frozen formatter.

    Raises:
        ConfigError: The formatter answers in some fields alone, which do not tell what prose is worth; or it is an
            encoder-decoder, which the reader does not load.
    """
    if task.free and run.grpo.reward == "prose" and run.formatter.kind != "causal":
        raise ConfigError(
            f"formatter.kind = '{run.formatter.kind}': free prose is read by a causal formatter.",
            hint='Set formatter.kind to "causal".',
        )
    if task.free and run.grpo.reward == "prose" and run.dataset.format not in {"", list(task.formats)[-1]}:
        raise ConfigError(
            f"dataset.format = '{run.dataset.format}': free prose is rewarded by all of the JSON that is made of it.",
            hint="Leave dataset.format empty.",
        )
    return task.free and run.grpo.reward == "prose"


def first(task: Task, run: config.Run, dataset: cache.Artifact) -> Result:
    """The formatter that reads completions; it goes into the bundle as it is."""
    return sft.trained(task.name, run, "formatter", dataset)


def second(task: Task, run: config.Run, dataset: cache.Artifact) -> Result:
    """A formatter of another seed, trained on the same rows: other initial weights, or another adapter, and order."""
    tiny = run.model.tiny.model_copy(update={"seed": run.model.tiny.seed + 1})
    model = run.model.model_copy(update={"tiny": tiny}) if run.model.source == "tiny" else run.model
    formatter = run.sft.formatter.model_copy(update={"seed": run.sft.formatter.seed + 1})
    other = run.model_copy(update={"model": model, "sft": run.sft.model_copy(update={"formatter": formatter})})
    return sft.trained(task.name, other, "formatter", dataset, SECOND)
