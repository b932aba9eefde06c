"""grpo: group relative policy optimisation of the evaluator, rewarded by the task's rubric."""

from __future__ import annotations

from typing import Any

from proseform import config
from proseform.stages import cache, frozen, policy

_APART = frozenset({"proseform.abstention", "proseform.injection"})
"""What a bundle and its answers are told beside its models; they do not pass through it."""
_BESIDE = {"generation": {"url", "timeout_s"}}
"""Knobs that say where completions are sampled, and not how."""
_READER = frozenset({"proseform.train.reader"})
"""What reads free prose; other results do not pass through it."""


def run(task: str, run: str, dataset: cache.Artifact, evaluator: cache.Artifact, model: cache.Artifact) -> None:
    """Train the SFT evaluator further.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        dataset: The dataset; its training cases are the prompts.
        evaluator: The SFT policy.
        model: Gets the result.

    Raises:
        NoSignalError: The policy has collapsed: every group had zero variance for the run's ``signal_window``. A policy
            that has converged is a success, and ends the stage early.
        StageError: The worker failed; the message is the worker's.
    """
    resolved, the_task = config.load(run), cache.load_task(task)
    base = policy.base(resolved, task, dataset)
    inputs: dict[str, Any] = {
        "task": [the_task.contract, the_task.data],
        "dataset": cache.ref(dataset).digest,
        "policy": cache.ref(evaluator).digest,
        "base": base.ref.digest,
        "grpo": resolved.grpo.model_dump(mode="json", exclude=_BESIDE),
        "generation": resolved.generation.evaluator.model_dump(mode="json"),
        "model": resolved.model.model_dump(mode="json"),
    }
    refs = {"dataset": cache.ref(dataset), "base": base.ref, "policy": cache.ref(evaluator)}
    apart = _APART | _READER
    if frozen.wanted(the_task, resolved):
        reader = frozen.first(the_task, resolved, dataset)
        inputs["formatter"] = [reader.ref.digest, resolved.generation.formatter.model_dump(mode="json")]
        refs["formatter"], apart = reader.ref, _APART
    settings = {"task": task, "role": "evaluator"}
    done = policy.train("grpo", "proseform.train.grpo", resolved, inputs, refs, settings, apart=apart)
    cache.hand_over(done, model)
