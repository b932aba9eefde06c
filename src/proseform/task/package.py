"""Reading a task with code from its folder, a Python package."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from proseform import jsonl
from proseform.case import read_cases
from proseform.errors import TaskError
from proseform.task import contract, files
from proseform.task.domain import Task

FILES = (
    "task.toml",
    "schema.json",
    "evaluator.md",
    "formatter.md",
    "rubric.toml",
    "cases.jsonl",
    "source.py",
    "rewards.py",
)


def from_package(package: ModuleType) -> Task:
    """Read a task from its package.

    Raises:
        TaskError: A file is missing or malformed, or a hook is absent; the file is named.
    """
    folder = Path(str(package.__file__)).parent
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise TaskError(
            f"Task folder '{folder.name}' lacks {', '.join(missing)}.", hint=f"A task has {', '.join(FILES)}."
        )
    head = files.toml(folder / "task.toml")
    source = importlib.import_module(f"{package.__name__}.source")
    rewards = importlib.import_module(f"{package.__name__}.rewards")
    schema, synonyms = files.schema(folder / "schema.json", head.get("inputs", ())), files.synonyms(folder)
    try:
        dated = files.dated(head, f"{folder.name}/task.toml")
        digests = contract.digests(package.__name__, folder, head, getattr(source, "from_json", None))
        return Task(
            name=head["name"],
            title=head["title"],
            inputs=tuple(head["inputs"]),
            levels=tuple(head["levels"]),
            formats={key: tuple(fields) for key, fields in head["formats"].items()},
            schema=schema,
            evaluator=files.prompt(folder / "evaluator.md", "chat"),
            formatter=files.prompt(folder / "formatter.md", "plain"),
            rubrics=files.toml(folder / "rubric.toml"),
            variant=head["rubric"],
            gold=tuple(read_cases(jsonl.read(folder / "cases.jsonl"), f"{folder.name}/cases.jsonl")),
            generate=source.generate,
            annotate=source.annotate,
            read=rewards.read,
            terms=dict(rewards.TERMS),
            from_json=getattr(source, "from_json", None),
            contract=digests["contract"],
            data=digests["data"],
            whole=digests["whole"],
            identify=getattr(source, "identify", None),
            guide=files.guide(folder),
            unread=getattr(source, "unread", None),
            write=getattr(source, "write", None),
            exploits=files.exploits(folder, head["inputs"]),
            synonyms=synonyms,
            speech=files.speech(folder),
            dated=dated,
            excerpts=files.excerpts(folder, head["inputs"], dated, synonyms),
            grammar=files.grammar(folder),
        )
    except KeyError as error:
        raise TaskError(
            f"{folder.name}/task.toml: field {error} is missing.",
            hint="It has name, title, inputs, levels, formats and rubric.",
        ) from error
    except AttributeError as error:
        raise TaskError(
            f"Task folder '{folder.name}': {error}.",
            hint="source.py gives generate and annotate; rewards.py gives read and TERMS.",
        ) from error
