"""Reading a task from its folder, a Python package that the entry-point group ``proseform.tasks`` names."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

from proseform import jsonl
from proseform.case import read_cases
from proseform.claims import claims
from proseform.errors import InputError, TaskError
from proseform.prompt import Prompt
from proseform.schema import Schema
from proseform.task import contract
from proseform.task import planted as exploits
from proseform.task.domain import Task

GROUP = "proseform.tasks"
GUIDE = "guide.md"
SYNONYMS = "synonyms.toml"
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


def installed() -> dict[str, importlib.metadata.EntryPoint]:
    """Installed tasks by name."""
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}


def foreign(name: str) -> bool:
    """True if a task of that name is installed and its code does not come with this package."""
    point = installed().get(name)
    return point is not None and not point.value.startswith("proseform.")


def load(name: str) -> Task:
    """The installed task of that name.

    Raises:
        TaskError: No such task (the installed ones are named), or its folder is incomplete or malformed.
    """
    points = installed()
    if name not in points:
        raise TaskError(f"No task '{name}'; installed: {', '.join(sorted(points)) or 'none'}.")
    try:
        package = importlib.import_module(points[name].value)
    except ImportError as error:
        raise TaskError(f"Task '{name}' cannot be imported from {points[name].value}: {error}.") from error
    return from_package(package)


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
    head, own = _toml(folder / "task.toml"), folder / exploits.FILE
    source = importlib.import_module(f"{package.__name__}.source")
    rewards = importlib.import_module(f"{package.__name__}.rewards")
    try:
        schema = Schema(json.loads((folder / "schema.json").read_text()), f"{folder.name}/schema.json")
        claims(schema, head.get("inputs", ()))
    except json.JSONDecodeError as error:
        raise TaskError(f"{folder.name}/schema.json: not JSON ({error}).") from error
    except InputError as error:
        raise TaskError(error.message, hint=error.hint) from error
    try:
        return Task(
            name=head["name"],
            title=head["title"],
            inputs=tuple(head["inputs"]),
            levels=tuple(head["levels"]),
            formats={key: tuple(fields) for key, fields in head["formats"].items()},
            schema=schema,
            evaluator=Prompt.from_markdown(
                (folder / "evaluator.md").read_text(), "chat", f"{folder.name}/evaluator.md"
            ),
            formatter=Prompt.from_markdown(
                (folder / "formatter.md").read_text(), "plain", f"{folder.name}/formatter.md"
            ),
            rubrics=_toml(folder / "rubric.toml"),
            variant=head["rubric"],
            gold=tuple(read_cases(jsonl.read(folder / "cases.jsonl"), f"{folder.name}/cases.jsonl")),
            generate=source.generate,
            annotate=source.annotate,
            read=rewards.read,
            terms=dict(rewards.TERMS),
            from_json=getattr(source, "from_json", None),
            **contract.digests(package.__name__, folder, head, getattr(source, "from_json", None)),
            identify=getattr(source, "identify", None),
            guide=(folder / GUIDE).read_text(encoding="utf-8").strip() if (folder / GUIDE).is_file() else "",
            unread=getattr(source, "unread", None),
            exploits=exploits.planted(_toml(own), head["inputs"], f"{folder.name}/{own.name}") if own.is_file() else (),
            synonyms=_synonyms(folder),
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


def _synonyms(folder: Path) -> dict[str, tuple[str, ...]]:
    """Other names of things, by name, case folded; none without a file.

    Raises:
        TaskError: The file is no table of names to a name or to lists of names.
    """
    table = _toml(folder / SYNONYMS) if (folder / SYNONYMS).is_file() else {}
    names = {name.casefold(): tuple([other] if isinstance(other, str) else other) for name, other in table.items()}
    if not all(isinstance(other, str) for others in names.values() for other in others):
        raise TaskError(f'{folder.name}/{SYNONYMS}: a line is NAME = "OTHER NAME", or a list of them.')
    return names


def _toml(path: Path) -> dict[str, Any]:
    """A TOML file of a task."""
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"{path.parent.name}/{path.name}: not TOML ({error}).") from error
