"""A bundle whose models have learnt a task's first cases by heart, as adapters on one base or as two whole models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from proseform import digest, testing
from proseform.bundle import ROLES, Generation, Part, Role
from proseform.case import Case
from proseform.task import Task
from proseform.train import rows
from tests.infer import learnt

LONGEST = 2048
"""Tokens of prompt and completion."""
WRITES = {"evaluator": 400, "formatter": 1400}
"""Tokens that a role may write: a schema can make the formatter write for a while."""
KNOWN = 3
"""Cases that are learnt."""


def cases(task: Task) -> list[Case]:
    """The cases that a bundle has learnt."""
    return list(islice(task.generate(task.levels[0], "train", 0, 2 * KNOWN), KNOWN))


def bundle(folder: Path, task: Task, *, adapters: bool) -> Path:
    """Teach both roles, and write the bundle.

    Args:
        folder: Where to put it; made.
        task: Whose prompts and schema it carries.
        adapters: One base with an adapter for each role, instead of a model for each role. The base has learnt other
            cases, so that what it says of these is wrong.
    """
    start = testing.random_bundle(folder / "untrained", task, max_length=LONGEST) / "evaluator"
    if adapters:
        others = list(task.generate(task.levels[0], "train", 0, 2 * KNOWN))[KNOWN:]
        learnt.learn(start, folder / "base", task, [text for role in ROLES for text in _texts(task, role, others)])
        start = folder / "base"
    parts = {}
    for role in ROLES:
        learnt.learn(start, folder / role, task, _texts(task, role, cases(task)), adapter=adapters)
        base = start if adapters else folder / role
        weights = {"base": base.name, "base_digest": digest.of_files(base)}
        if adapters:
            weights |= {"adapter": role, "adapter_digest": digest.of_files(folder / role)}
        parts[role] = Part(prompt=getattr(task, role), generation=Generation(WRITES[role], LONGEST), **weights)
    testing.toy_bundle(task, settings={"dtype": "float32"}, **parts).write(folder)
    return folder


def _texts(task: Task, role: Role, known: Sequence[Case]) -> Iterator[tuple[str, rows.Row]]:
    """What a role is asked about cases, and what it is to write."""
    for case in known:
        if role == "evaluator":
            prompt, text = task.evaluator.render(case.inputs), case.prose
        else:
            prompt = task.formatter.render({"prose": case.prose, "schema": task.schema.signature()})
            text = json.dumps(dict(case.answer))
        yield role, rows.Row(case.id, prompt, text)
