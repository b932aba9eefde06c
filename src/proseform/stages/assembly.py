"""A bundle's folder, assembled from evaluator and formatter: it is measured, registered and served."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from proseform import config, digest
from proseform.abstention import Abstention
from proseform.bundle import Bundle, Generation, Part, Role
from proseform.prompt import Prompt
from proseform.store import link
from proseform.task import Task


@dataclass(frozen=True, slots=True)
class Policy:
    """A model of one role, as local folders.

    Attributes:
        base: The base model; the whole model if there is no adapter.
        adapter: The adapter's folder, or None.
    """

    base: Path
    adapter: Path | None


def assemble(
    into: Path,
    task: Task,
    run: config.Run,
    evaluator: Policy,
    formatter: Policy,
    abstention: Abstention | None = None,
) -> Bundle:
    """Assemble a bundle's folder from two policies.

    A base that both share is stored once. Files are hard links if the file system allows it.

    Args:
        into: The folder, created if missing.
        task: Gives the prompts and the schema.
        run: Gives token budgets, the retry temperature and the format.
        evaluator: The policy of the evaluator.
        formatter: The policy of the formatter.
        abstention: When the bundle abstains; None lets it answer every case.
    """
    schema = task.format(run.dataset.format) if run.dataset.format else task.schema
    shared = evaluator.base == formatter.base
    parts: dict[Role, Part] = {}
    roles: tuple[tuple[Role, Policy, Prompt], ...] = (
        ("evaluator", evaluator, task.evaluator),
        ("formatter", formatter, task.formatter),
    )
    for role, policy, prompt in roles:
        name = "base" if shared else role if policy.adapter is None else f"{role}-base"
        base_digest = _link(policy.base, into / name)
        adapter_digest = _link(policy.adapter, into / role) if policy.adapter else ""
        generation = Generation(
            getattr(run.generation, role).max_tokens, run.model.max_length, run.generation.retry_temperature
        )
        kind = run.formatter.kind if role == "formatter" else "causal"
        adapter = role if policy.adapter else ""
        grammar = task.grammar if run.generation.guided is not False and role == "evaluator" else ""
        parts[role] = Part(name, base_digest, prompt, generation, adapter, adapter_digest, kind, grammar)
    accept = run.generation.accept
    bundle = Bundle(
        task=task.name,
        task_contract=task.contract,
        task_data=task.data,
        evaluator=parts["evaluator"],
        formatter=parts["formatter"],
        schema=schema.document,
        abstention=abstention,
        settings={"dtype": run.model.dtype, **({} if accept == "verified" else {"accept": accept})},
    )
    bundle.write(into)
    return bundle


def _link(source: Path, target: Path) -> str:
    """Link a folder's files; their digest."""
    if not target.is_dir():
        shutil.copytree(source, target, copy_function=link, ignore=shutil.ignore_patterns("result.json"))
    return digest.of_files(target)
