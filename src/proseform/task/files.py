"""The files of a task's folder, each read and refused by its name; tasks with code and without read them alike."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from proseform.claims import claims
from proseform.errors import InputError, TaskError
from proseform.excerpt import LEAST, Excerpt, Names
from proseform.injection import Patterns
from proseform.injection.rule import core
from proseform.prompt import Prompt, Style
from proseform.schema import Schema
from proseform.task import planted

GUIDE = "guide.md"
SYNONYMS = "synonyms.toml"
SPEECH = "injection.toml"
EXCERPTS = "excerpts.toml"
GRAMMAR = "evaluator.lark"


def named(path: Path) -> str:
    """A file with its folder, as errors name it."""
    return f"{path.parent.name}/{path.name}"


def _text(path: Path) -> str:
    """A text file; empty where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def toml(path: Path) -> dict[str, Any]:
    """A TOML file.

    Raises:
        TaskError: It is not TOML in UTF-8.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TaskError(f"{named(path)}: not TOML ({error}).") from error


def schema(path: Path, inputs: Collection[str]) -> Schema:
    """A schema whose keywords name inputs of the task.

    Raises:
        TaskError: Not JSON, no schema, or a keyword that is malformed or names no input.
    """
    try:
        read = Schema(json.loads(path.read_text(encoding="utf-8")), named(path))
        claims(read, inputs)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise TaskError(f"{named(path)}: not JSON ({error}).") from error
    except InputError as error:
        raise TaskError(error.message, hint=error.hint) from error
    return read


def prompt(path: Path, style: Style) -> Prompt:
    """A prompt.

    Raises:
        TaskError: It has no ``# user`` section.
    """
    return Prompt.from_markdown(path.read_text(encoding="utf-8"), style, named(path))


def guide(folder: Path) -> str:
    """Form and rule in words; empty without a file."""
    return _text(folder / GUIDE).strip()


def synonyms(folder: Path) -> dict[str, tuple[str, ...]]:
    """Other names of things, by name, case folded; none without a file.

    Raises:
        TaskError: The file is no table of names to a name or to lists of names.
    """
    table = toml(folder / SYNONYMS) if (folder / SYNONYMS).is_file() else {}
    names = {name.casefold(): [other] if isinstance(other, str) else other for name, other in table.items()}
    for others in names.values():
        if not isinstance(others, list) or not all(isinstance(other, str) for other in others):
            raise TaskError(f'{folder.name}/{SYNONYMS}: a line is NAME = "OTHER NAME", or a list of them.')
    return {name: tuple(others) for name, others in names.items()}


def dated(head: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The inputs with periods of time, of a parsed task.toml; none where it names none.

    Raises:
        TaskError: It names what is no input of the task.
    """
    names = tuple(head.get("dated", ()))
    if strange := [name for name in names if name not in head["inputs"]]:
        raise TaskError(f"{where}: dated: '{strange[0]}' is no input of this task.")
    return names


def excerpts(
    folder: Path, inputs: Collection[str], dates: Collection[str], synonyms: Mapping[str, tuple[str, ...]]
) -> dict[str, Excerpt]:
    """The inputs of which the evaluator is shown an excerpt; none without a file.

    Args:
        folder: The task's.
        inputs: The task's.
        dates: Those with periods of time.
        synonyms: Other names of things.

    Raises:
        TaskError: A table is of no input, names none as ``by``, or has other keys or values than it may.
    """
    if not (folder / EXCERPTS).is_file():
        return {}
    where, names, made = f"{folder.name}/{EXCERPTS}", Names(synonyms), {}
    for name, keys in toml(folder / EXCERPTS).items():
        others = sorted(set(inputs) - {name})
        if name not in inputs or not isinstance(keys, dict):
            raise TaskError(f"{where}: '{name}' is no input of this task.", hint=f"There are: {', '.join(inputs)}.")
        if strange := sorted(keys.keys() - {"by", "within", "common"}):
            raise TaskError(f"{where}: {name}: unknown key '{strange[0]}'.", hint="Known: by, within, common.")
        by, within, common = keys.get("by"), keys.get("within"), keys.get("common", "")
        if by not in others:
            raise TaskError(f"{where}: {name}: by is {by!r:.60}, expected one of: {', '.join(others)}.")
        if type(within) is not int or within < LEAST:
            raise TaskError(f"{where}: {name}: within is {within!r:.60}, expected characters, at least {LEAST}.")
        if not isinstance(common, str):
            raise TaskError(f"{where}: {name}: common is {common!r:.60}, expected words in one text.")
        made[name] = Excerpt(by, within, frozenset(common.casefold().split()), name in dates, names)
    return made


def grammar(folder: Path) -> str:
    """The form that evaluations may be held to; empty without a file."""
    return _text(folder / GRAMMAR)


def speech(folder: Path) -> Patterns | None:
    """What speaks to the model, in this domain's own words too; None without a file.

    Raises:
        TaskError: See :meth:`proseform.injection.Patterns.of`.
    """
    path = folder / SPEECH
    try:
        return core() + Patterns.of(toml(path), named(path)) if path.is_file() else None
    except InputError as error:
        raise TaskError(error.message, hint=error.hint) from error


def exploits(folder: Path, inputs: Collection[str]) -> tuple[planted.Planted, ...]:
    """Texts that game the reward; none without a file.

    Raises:
        TaskError: See :func:`proseform.task.planted.planted`.
    """
    path = folder / planted.FILE
    return planted.planted(toml(path), inputs, named(path)) if path.is_file() else ()
