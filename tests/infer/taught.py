"""A bundle whose models have learnt a task's first cases by heart, as adapters on one base or as two whole models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from proseform import digest, testing
from proseform.bundle import Generation, Part, Role
from proseform.case import Case
from proseform.task import Task
from proseform.train import rows
from tests.infer import learnt

LONGEST = 2048
"""Tokens of prompt and completion."""
WRITES = 1400
"""Tokens that the formatter may write: a schema can make it write for a while."""


def bundle(folder: Path, task: Task, cases: Sequence[Case], *, adapters: bool) -> Path:
    """Teach both roles, and write the bundle.

    Args:
        folder: Where to put it; made.
        task: Whose prompts and schema it carries.
        cases: What is learnt: each case's evaluation, and the JSON of it.
        adapters: One base with an adapter for each role, instead of a model for each role.
    """
    untrained = testing.random_bundle(folder / "untrained", task, max_length=LONGEST) / "evaluator"
    signature = task.schema.signature()
    texts: dict[Role, list[tuple[str, str]]] = {
        "evaluator": [(task.evaluator.render(case.inputs), case.prose) for case in cases],
        "formatter": [
            (task.formatter.render({"prose": case.prose, "schema": signature}), json.dumps(dict(case.answer)))
            for case in cases
        ],
    }
    parts = {}
    for role, tokens in (("evaluator", 400), ("formatter", WRITES)):
        taught = [(role, rows.Row(str(number), *pair)) for number, pair in enumerate(texts[role])]
        learnt.learn(untrained, folder / role, task, taught, adapter=adapters, longest=LONGEST)
        base, prompt = (folder / "base" if adapters else folder / role), getattr(task, role)
        if adapters and not base.exists():
            untrained.rename(base)
            untrained = base
        weights = {"base": base.name, "base_digest": digest.of_files(base)}
        if adapters:
            weights |= {"adapter": role, "adapter_digest": digest.of_files(folder / role)}
        parts[role] = Part(prompt=prompt, generation=Generation(tokens, LONGEST), **weights)
    testing.toy_bundle(task, settings={"dtype": "float32"}, **parts).write(folder)
    return folder
