"""A task is a value: a folder of data and two small pure modules, read into one frozen object.

The folder is a Python package, found by the entry-point group ``proseform.tasks``::

    task.toml       name, title, inputs, levels, formats (named sets of the schema's fields), rubric
    schema.json     the JSON that is answered; bounded everywhere
    evaluator.md    the evaluator's prompt (chat)        formatter.md   the formatter's prompt (plain)
    rubric.toml     weights and exponents                cases.jsonl    gold cases, the subject of the laws
    source.py       generate(level, split, seed, count) and annotate(case, rng); where it has them: from_json, identify,
                    unread
    rewards.py      read(prose, inputs) and TERMS        guide.md       form and rule in words (not every task has it)

Nothing is subclassed. What every task owes is checked by :func:`proseform.laws.check`.

A task has two digests. The *contract* is what a bundle must agree with in order to answer rightly: name, inputs and
formats, the schema, the prompts, and the reader, which is rewards.py, the module of ``from_json``, and every module and
data file of the package that these reach. The *data* are all other files: what makes cases, weighs and describes them
(source.py, cases.jsonl, rubric.toml, README.md). A file that nothing names counts as contract, to be safe; a task can
say otherwise by ``data = ["FILE", …]`` in task.toml. Both are digests of meaning, see :mod:`proseform.closure`: a
comment, a docstring or another layout changes neither.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from proseform import closure, digest, jsonl
from proseform.case import Case, read_cases
from proseform.errors import InputError, TaskError
from proseform.input import Input
from proseform.prompt import Prompt
from proseform.rubric import Rubric
from proseform.schema import Schema
from proseform.verdict import Verdict

GROUP = "proseform.tasks"
GUIDE = "guide.md"
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
CONTRACT = frozenset({"schema.json", "evaluator.md", "formatter.md"})
"""Files that are always part of the contract, beside the reader."""
DATA = frozenset({"cases.jsonl", "rubric.toml", "README.md"})
"""Files that are part of the data, unless the reader reaches them."""
CONTRACT_KEYS = ("name", "inputs", "formats")
"""Keys of task.toml that are part of the contract."""


@dataclass(frozen=True)
class Task:
    """One domain.

    Attributes:
        name: The word that selects it; lower case.
        title: One line for people.
        inputs: The names of what is judged, as given to ``proseform answer --input NAME=FILE``.
        levels: Difficulties of generated cases, easiest first.
        formats: Named sets of the schema's fields, smallest first; the last is the whole schema.
        schema: The whole schema.
        evaluator: The evaluator's prompt; its placeholders are ``inputs``.
        formatter: The formatter's prompt; its placeholders are ``prose`` and ``schema``.
        rubrics: The raw rubric table; see :meth:`rubric`.
        variant: The rubric variant in force unless a run names another.
        gold: Gold cases for the laws and examples.
        generate: ``(level, split, seed, count)`` to cases; pure, disjoint across splits in their ``groups``.
        annotate: ``(case, rng)`` to the case's evaluation as a careless human annotator would write it.
        read: ``(prose, inputs)`` to a verdict whose value is the JSON that the prose states, of the whole schema.
        terms: Term name to ``(prose, case) -> score in [0, 1]``.
        from_json: ``(input name, parsed JSON)`` to that input's text, or None where the task reads no JSON inputs.
        contract: Digest of what a bundle must agree with.
        data: Digest of all else.
        whole: Digest of the folder's files byte by byte, which bundles of format 0 state; empty where there are none.
        identify: A case to the groups that it belongs to, for cases that state none; None where the task cannot tell.
        guide: Form and rule in words, for models that were not trained on the task; may be empty.
        unread: A case to evaluations that could be written without reading all of its inputs, the same number for
            every case; None where the task knows none. The report's blind baseline takes the best of them.
    """

    name: str
    title: str
    inputs: tuple[str, ...]
    levels: tuple[str, ...]
    formats: Mapping[str, tuple[str, ...]]
    schema: Schema
    evaluator: Prompt
    formatter: Prompt
    rubrics: Mapping[str, Any]
    variant: str
    gold: tuple[Case, ...]
    generate: Callable[[str, str, int, int], Iterator[Case]]
    annotate: Callable[[Case, random.Random], str]
    read: Callable[[str, Mapping[str, Input]], Verdict]
    terms: Mapping[str, Callable[[str, Case], float]]
    from_json: Callable[[str, Any], str] | None
    contract: str
    data: str
    whole: str = ""
    identify: Callable[[Case], tuple[str, ...]] | None = None
    guide: str = ""
    unread: Callable[[Case], Sequence[str]] | None = None

    def rubric(self, variant: str = "", accuracy_exponent: float | None = None) -> Rubric:
        """The rubric in force: a variant's, the task's own by default, with a run's exponent where it gives one.

        Args:
            variant: A name below ``[variants]``; empty takes the task's own.
            accuracy_exponent: Replaces the exponent of the term ``accuracy``; None keeps it.

        Raises:
            TaskError: Unknown variant, or weights that break the rubric's laws.
            ConfigError: An exponent for ``accuracy``, and the rubric has no such term.
        """
        rubric = Rubric.from_toml(self.rubrics, variant or self.variant, f"task '{self.name}', rubric.toml")
        return rubric if accuracy_exponent is None else rubric.with_accuracy_exponent(accuracy_exponent)

    def format(self, name: str) -> Schema:
        """The schema of a named format.

        Raises:
            InputError: Unknown format; the existing ones are named.
        """
        if name not in self.formats:
            raise InputError(f"Task '{self.name}' has no format '{name}'; there are: {', '.join(self.formats)}.")
        return self.schema.project(self.formats[name])


def installed() -> dict[str, importlib.metadata.EntryPoint]:
    """Installed tasks by name."""
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}


def shipped(name: str) -> bool:
    """True if a task of that name is installed and its code comes with this package."""
    point = installed().get(name)
    return point is not None and point.value.startswith("proseform.")


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
    head = _toml(folder / "task.toml")
    source = importlib.import_module(f"{package.__name__}.source")
    rewards = importlib.import_module(f"{package.__name__}.rewards")
    try:
        schema = Schema(json.loads((folder / "schema.json").read_text()), f"{folder.name}/schema.json")
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
            **_digests(package.__name__, folder, head, getattr(source, "from_json", None)),
            identify=getattr(source, "identify", None),
            guide=(folder / GUIDE).read_text(encoding="utf-8").strip() if (folder / GUIDE).is_file() else "",
            unread=getattr(source, "unread", None),
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


def _digests(
    package: str, folder: Path, head: Mapping[str, Any], from_json: Callable[..., str] | None
) -> dict[str, str]:
    """``contract``, ``data`` and ``whole``; see the head of this module.

    Raises:
        TaskError: task.toml's ``data`` names a file that is not there or that the reader reaches.
    """
    files = {
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts
    }
    reader = [f"{package}.rewards", *([from_json.__module__] if from_json else [])]
    read = closure.reached(folder, package, reader) - {"task.toml"}
    made = closure.reached(folder, package, [f"{package}.source"])
    stated = set(head.get("data", ()))
    if strange := sorted(stated - files) or sorted(stated & (read | CONTRACT)):
        raise TaskError(
            f"{folder.name}/task.toml: data: {strange[0]} is no file of this folder that may change without a new bundle."
        )
    data = ((DATA | made | stated | {name for name in files if name.endswith(".md")}) - read - CONTRACT) & files
    contract = {name: closure.of_file(folder / name) for name in sorted(files - data - {"task.toml"})}
    described = {name: closure.of_file(folder / name) for name in sorted(data)}
    agreed = {key: value for key, value in head.items() if key in CONTRACT_KEYS}
    rest = {key: value for key, value in head.items() if key not in CONTRACT_KEYS}
    return {
        "contract": digest.of_json({"task": agreed, "files": contract}),
        "data": digest.of_json({"task": rest, "files": described}),
        "whole": digest.of_files(folder, files),
    }


def _toml(path: Path) -> dict[str, Any]:
    """A TOML file of a task."""
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"{path.parent.name}/{path.name}: not TOML ({error}).") from error
