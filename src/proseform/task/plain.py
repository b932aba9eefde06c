"""A task that is data alone: a schema and cases. What its folder does not state is derived from them.

::

    schema.json     the JSON that is answered           cases.jsonl     its cases, see replay.py
    task.toml       title, inputs, formats, rubric, dated: each where the default does not do
    evaluator.md formatter.md guide.md rubric.toml synonyms.toml exploits.toml    in the place of what is derived
    excerpts.toml   which long inputs the evaluator is shown an excerpt of
    evaluator.lark  the form that evaluations can be held to while they are written

The folder's name is the task's. Its prose is the form of its schema (:mod:`proseform.verbal`), and so are its reader
and its reward terms; where its cases state their own prose, that is free, and rewarded by round trip
(:mod:`proseform.roundtrip`). It generates nothing: its cases are those that are there.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from proseform import digest, jsonl, leaks, naming, roundtrip, verbal
from proseform.case import Case
from proseform.errors import TaskError
from proseform.excerpt import Excerpt
from proseform.prompt import Prompt
from proseform.roundtrip import Readings
from proseform.schema import Schema
from proseform.task import files, planted, replay
from proseform.task.domain import Task
from proseform.verbal import Form

SCHEMA, HEAD, RUBRIC = "schema.json", "task.toml", "rubric.toml"
NEEDED = (SCHEMA, replay.FILE)
EVALUATOR, FORMATTER = "evaluator.md", "formatter.md"
OPTIONAL = (
    HEAD,
    EVALUATOR,
    FORMATTER,
    RUBRIC,
    files.GUIDE,
    files.SYNONYMS,
    files.EXCERPTS,
    files.GRAMMAR,
    planted.FILE,
)
GOLD = 12
"""Cases that the laws look at one by one."""

_KEYS = {"title": str, "inputs": list, "formats": dict, "rubric": str, "dated": list}
_CODE = ("rewards.py", "source.py")
_INPUT = re.compile("[a-z_]+")


def is_plain(folder: Path) -> bool:
    """Whether a folder is a task without code."""
    return all((folder / name).is_file() for name in NEEDED) and not any((folder / name).exists() for name in _CODE)


def read(folder: Path, name: str = "") -> Task:
    """Read a task from its folder.

    Args:
        folder: The folder.
        name: The task's name; empty takes the folder's.

    Raises:
        TaskError: A file is malformed, or the name is none; the file and what is wrong with it are named.
        RowError: A line of cases.jsonl is no case, or shares an id, group or text with a case of another split.
    """
    name = name or folder.name
    if fault := naming.fault(name):
        raise TaskError(f"{folder}: {fault}.")
    rows, head = replay.rows(folder / replay.FILE), _head(folder)
    inputs = tuple(head.get("inputs", rows[0].inputs))
    _named(inputs, folder.name)
    schema, synonyms = files.schema(folder / SCHEMA, inputs), files.synonyms(folder)
    _bounded(schema)
    form = None if replay.free(rows) else Form(schema, inputs, synonyms)
    where = f"{folder.name}/{replay.FILE}"
    placed = replay.cases(rows, inputs, schema, form, where)
    if faults := [*leaks.across(placed, ())]:
        raise jsonl.refusal(where, faults, hint="Cases that share a group or a text of their own belong to one split.")
    cases = [case for _, case in placed]
    prose = form or Readings.of(cases)
    rubrics = (
        files.toml(folder / RUBRIC) if (folder / RUBRIC).is_file() else dict(form.rubric if form else roundtrip.RUBRIC)
    )
    title = head.get("title") or str(schema.document.get("title") or name)
    formats = {key: tuple(fields) for key, fields in head.get("formats", {"full": schema.fields}).items()}
    evaluator = _prompt(folder / EVALUATOR) or Prompt("chat", f"{title}. Evidence first.", _asked(inputs))
    formatter = _prompt(folder / FORMATTER) or _formatter(schema, formats, free=form is None)
    dated = files.dated({"inputs": inputs, **head}, f"{folder.name}/{HEAD}")
    excerpts = files.excerpts(folder, inputs, dated, synonyms)
    return Task(
        name=name,
        title=title,
        inputs=inputs,
        levels=(replay.LEVEL,),
        formats=formats,
        schema=schema,
        evaluator=evaluator,
        formatter=formatter,
        rubrics=rubrics,
        variant=head.get("rubric") or next(iter(rubrics.get("variants", {})), ""),
        gold=tuple(cases[:GOLD]),
        generate=replay.replay(cases),
        annotate=_as_it_is,
        read=prose.read,
        terms=prose.terms,
        from_json=None,
        contract=_contract(name, inputs, formats, schema, (evaluator, formatter), synonyms, excerpts, form),
        data=_data(folder, title, cases, rubrics),
        guide=files.guide(folder) or (verbal.described(schema, form.labels) if form else ""),
        exploits=files.exploits(folder, inputs),
        synonyms=synonyms,
        speech=files.speech(folder),
        dated=dated,
        excerpts=excerpts,
        grammar=files.grammar(folder),
        write=form.write if form else None,
        replayed=True,
        readings=None if isinstance(prose, Form) else prose,
    )


def _head(folder: Path) -> dict[str, Any]:
    """task.toml; empty where there is none."""
    head = files.toml(folder / HEAD) if (folder / HEAD).is_file() else {}
    where = f"{folder.name}/{HEAD}"
    for key, value in head.items():
        if key not in _KEYS:
            raise TaskError(f"{where}: unknown key '{key}'.", hint=f"Known: {', '.join(_KEYS)}.")
        if not isinstance(value, _KEYS[key]):
            raise TaskError(f"{where}: {key} is {value!r:.60}, expected {_KEYS[key].__name__}.")
    lists = {key: head[key] for key in ("inputs", "dated") if key in head}
    for key, fields in {**lists, **head.get("formats", {})}.items():
        if not isinstance(fields, list) or not all(isinstance(field, str) for field in fields):
            raise TaskError(f"{where}: {key} is {fields!r:.60}, expected a list of names.")
    return head


def _named(inputs: Sequence[str], where: str) -> None:
    """Refuse names of inputs that no placeholder can have."""
    for name in inputs:
        if not _INPUT.fullmatch(name):
            raise TaskError(
                f"{where}: '{name}' names no input.", hint="An input's name has lower-case letters and '_', as {name}."
            )
    if not inputs:
        raise TaskError(f"{where}: a case needs an input.")


def _bounded(schema: Schema) -> None:
    """Refuse a schema without bounds: the laws do too, but prose is written of its answers before."""
    if faults := schema.unbounded():
        more = f" (and {len(faults) - 1} more places)" if len(faults) > 1 else ""
        raise TaskError(
            f"{schema.where}: unbounded at {faults[0]}{more}.",
            hint="Give each string maxLength, each array maxItems, each number minimum and maximum, and close objects.",
        )


def _prompt(path: Path) -> Prompt | None:
    """A prompt's file; None where there is none."""
    return files.prompt(path, "chat" if path.name == EVALUATOR else "plain") if path.is_file() else None


def _asked(inputs: Sequence[str]) -> str:
    """The template of the evaluator's question: each input, under its name where there are several."""
    if len(inputs) == 1:
        return f"{{{inputs[0]}}}"
    return "\n\n".join(f"{name.replace('_', ' ').capitalize()}\n{{{name}}}" for name in inputs)


def _formatter(schema: Schema, formats: Mapping[str, Sequence[str]], *, free: bool) -> Prompt:
    """The formatter's prompt; its prefill opens the first key where nobody may be answered by an empty document."""
    required = schema.document.get("required", ())
    opened = not free and all(any(field in required for field in fields) for fields in formats.values())
    return Prompt("plain", "Output only the JSON. No explanation.", "{prose}\n{schema}\nJSON:", '{"' if opened else "{")


def _as_it_is(case: Case, _rng: random.Random) -> str:
    """The evaluation by an annotator of whom nothing is known: the case's own."""
    return case.prose


def _contract(
    name: str,
    inputs: Sequence[str],
    formats: Mapping[str, Sequence[str]],
    schema: Schema,
    prompts: Sequence[Prompt],
    synonyms: Mapping[str, Sequence[str]],
    excerpts: Mapping[str, Excerpt],
    form: Form | None,
) -> str:
    """The digest of what a bundle must agree with; see :mod:`proseform.task.contract`."""
    return digest.of_json({
        "task": {"name": name, "inputs": inputs, "formats": formats},
        "schema": schema.document,
        "prompts": [[one.style, one.system, one.user, one.prefill, *filter(None, [one.form])] for one in prompts],
        "synonyms": synonyms,
        **({"excerpts": {name: one.stated for name, one in excerpts.items()}} if excerpts else {}),
        "form": verbal.VERSION if form else "free",
    })  # fmt: skip


def _data(folder: Path, title: str, cases: Sequence[Case], rubrics: Mapping[str, Any]) -> str:
    """The digest of all else."""
    beside = (files.GUIDE, files.SPEECH, files.GRAMMAR, planted.FILE, "README.md")
    described = [name for name in beside if (folder / name).is_file()]
    return digest.of_json({
        "title": title,
        "cases": [case.to_json() for case in cases],
        "rubrics": rubrics,
        "files": digest.listing(folder, described),
    })  # fmt: skip
