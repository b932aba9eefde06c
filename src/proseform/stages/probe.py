"""probe: real answers from the promoted bundle, as the registry gives it, on the path that serving takes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from proseform import config, documents, reward
from proseform.errors import DocumentError, InputError, Refusal
from proseform.infer.answer import Answer, answers
from proseform.registry import connect, models
from proseform.stages import frame
from proseform.stages.register import registered_name
from proseform.task import Task

EXAMPLE = "example.toml"


def run(task: str, run: str, tracking_uri: str, name: str, version: str, example: str) -> None:
    """Ask the champion.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        name: The registered model; see :func:`proseform.stages.register.registered_name`.
        version: The version to ask.
        example: A JSON object of input name to text, asked first; may be empty.

    Raises:
        RegistryError: No such version, or its artifacts are not its bundle.
    """
    wanted, the_task = config.load(run), frame.load_task(task)

    def body() -> dict[str, Any]:
        from proseform.infer.local import LocalEngine

        home = frame.home()
        folder = models.fetch(connect(home.root, tracking_uri), registered_name(task, wanted, name), version, home.root / "bundles")
        level = wanted.dataset.level or the_task.levels[0]
        cases = list(the_task.generate(level, "test", wanted.dataset.seed, wanted.probe.cases))
        shown = json.loads(example) if example else {}
        engine = LocalEngine(folder)
        try:
            given = answers(engine, the_task, [*([shown] if shown else []), *(dict(case.inputs) for case in cases)])
        finally:
            engine.close()
        mine, rest = (given[0], given[1:]) if shown else (None, given)
        right = sum(_right(answer, dict(case.answer)) for case, answer in zip(cases, rest, strict=True))
        valid = sum(isinstance(answer, Answer) for answer in given)
        return {
            "key": f"{valid} of {len(given)} verified, {right} of {len(cases)} held-out cases wholly right",
            "bundle": engine.bundle.digest,
            "example": shown and _said(mine),
            "answers": [_said(answer) for answer in rest],
        }

    frame.act("probe", body)


def read_example(task: Task, folder: Path) -> dict[str, str]:
    """The inputs of an example folder, as text.

    Args:
        task: Names the inputs.
        folder: Holds ``example.toml``, which maps input names to files beside it.

    Raises:
        InputError: No such file, or not the task's inputs.
        DocumentError: A file that cannot be read as text.
    """
    path = folder / EXAMPLE
    if not path.is_file():
        raise InputError(f"{folder}: no {EXAMPLE} here.", hint=f"It maps inputs to files: {', '.join(task.inputs)}.")
    files = tomllib.loads(path.read_text())
    if set(files) != set(task.inputs):
        raise InputError(f"{path}: has {', '.join(files)}; task '{task.name}' has {', '.join(task.inputs)}.")
    return {name: read_input(task, name, folder / str(file)) for name, file in files.items()}


def read_input(task: Task, name: str, path: Path) -> str:
    """One input of a task from a file, as text.

    Raises:
        DocumentError: It cannot be read as text, or is JSON that the task does not read.
    """
    document = documents.read(path)
    if document.kind != "json":
        return document.text
    if task.from_json is None:
        raise DocumentError(f"{path}: task '{task.name}' reads no JSON inputs.", hint="Give a PDF, DOCX, Markdown or text file.")
    return task.from_json(name, document.data)


def _right(answer: Answer | Refusal, gold: dict[str, Any]) -> bool:
    """Whether an answer is wholly right, in the fields that it has."""
    if isinstance(answer, Refusal) or not isinstance(answer.value, dict):
        return False
    return reward.content_share(answer.value, {name: gold[name] for name in answer.value if name in gold}) == 1.0


def _said(answer: Answer | Refusal | None) -> dict[str, Any]:
    """An answer or a refusal as JSON."""
    return answer.as_dict() if answer is not None else {}
