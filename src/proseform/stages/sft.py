"""sft: supervised fine-tuning of one role on the dataset's rows."""

from __future__ import annotations

from proseform import config
from proseform.bundle import Role
from proseform.stages import cache, policy, start
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
        ConfigError: The run names weights to start from, and they are not there or do not fit.
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
    knobs: config.Sft = getattr(resolved.sft, role)
    before = start.result(role, knobs, base) if knobs.start else None
    if before is not None and not knobs.steps:
        return before
    begun = {} if before is None else {"start": before.ref}
    inputs = {
        "task": the_task.contract,
        "role": role,
        "dataset": cache.ref(dataset).digest,
        "base": base.ref.digest,
        "sft": knobs.model_dump(mode="json", exclude={"start"}),
        "model": resolved.model.model_dump(mode="json"),
        **{name: ref.digest for name, ref in begun.items()},
    }
    refs = {"dataset": cache.ref(dataset), "base": base.ref, **begun}
    name, settings = step or f"sft-{role}", {"task": task, "role": role}
    return policy.train(name, "proseform.train.sft", resolved, inputs, refs, settings)
