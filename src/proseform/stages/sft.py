"""sft: supervised fine-tuning of one role on the dataset's rows."""

from __future__ import annotations

from proseform import config
from proseform.bundle import Role
from proseform.stages import cache, policy
from proseform.store import Result


def run(task: str, run: str, role: Role, dataset: cache.Artifact, model: cache.Artifact) -> None:
    """Train one role.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        role: ``evaluator`` imitates the annotators; ``formatter`` turns prose into JSON.
        dataset: The dataset.
        model: Gets the result.

    Raises:
        StageError: The worker failed; the message is the worker's.
    """
    cache.hand_over(trained(task, config.load(run), role, dataset), model)


def trained(task: str, resolved: config.Run, role: Role, dataset: cache.Artifact, step: str = "") -> Result:
    """One role as a result: made once, by whichever stage needs it first.

    Args:
        task: The task's name.
        resolved: The run.
        role: The role.
        dataset: The dataset.
        step: The step's name; empty takes the role's own.
    """
    the_task = cache.load_task(task)
    base = policy.base(resolved, task, dataset, role)
    inputs = {
        "task": the_task.contract,
        "role": role,
        "dataset": cache.ref(dataset).digest,
        "base": base.ref.digest,
        "sft": getattr(resolved.sft, role).model_dump(mode="json"),
        "model": resolved.model.model_dump(mode="json"),
    }
    refs = {"dataset": cache.ref(dataset), "base": base.ref}
    name, settings = step or f"sft-{role}", {"task": task, "role": role}
    return policy.train(name, "proseform.train.sft", resolved, inputs, refs, settings)
