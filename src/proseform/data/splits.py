"""The dataset of a task: cases in three disjoint splits, and from them the rows of each role.

Rows are JSON Lines. Prompts keep segments, ours and theirs apart (:meth:`proseform.prompt.Rendered.to_json`): the
evaluator's are messages; the formatter's are plain text, TRL's *standard* format, since a chat template makes models
chat where JSON is asked for.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import config, roundtrip, verify
from proseform.case import SPLITS, Case, Split
from proseform.data import injected, own, schemas, spliced
from proseform.errors import InputError
from proseform.leaves import picked
from proseform.rubric import Rubric
from proseform.schema import Schema
from proseform.store import write_json
from proseform.task import Task

_SCHEMA_SEEDS = {"train": 1, "valid": 2, "test": 3}
"""Random schemas are drawn from seeds of their own, so that splits never share a stream."""
_SPLICED = 1 / 2
"""Share of the formatter's rows of a task of data alone that state answers which nobody gave."""
MEASURED: tuple[Split, ...] = ("valid", "test")
"""Splits that can be measured (``evaluate.split``): they have further levels and random schemas too."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the cases of a dataset come from.

    Attributes:
        level: Of the cases; of a user's own, the commonest among those held out, unless the run names one.
        schema: What is answered.
        own: The user's own cases, or None where they are generated.
    """

    level: str
    schema: Schema
    own: own.Own | None = None


def write(
    task: Task,
    dataset: config.Dataset,
    tests: dict[str, int],
    folder: Path,
    progress: Callable[[int, int], None],
    rubric: Rubric | None = None,
) -> dict[str, int]:
    """Write a dataset folder.

    Args:
        task: The task.
        dataset: Sizes, level, format, seed, whose annotations.
        tests: Further levels to their number of cases in each split that is measured; written as
            ``cases-<split>-<level>.jsonl``.
        folder: Must exist.
        progress: Told (done, total) files.
        rubric: See :func:`check`.

    Returns:
        Rows of each file.

    Raises:
        InputError: No such level or format.
        RowError: ``dataset.file`` does not fit.
    """
    sources = check(task, dataset, tests, rubric)
    # cases of every split, rows of both roles in all but the test split; further levels and random schemas, measured
    total = len(SPLITS) + 2 * (len(SPLITS) - 1) + len(MEASURED) * (len(tests) + 1)
    counts: dict[str, int] = {}

    def put(name: str, lines: Iterable[str]) -> None:
        counts[name] = _write_lines(folder / f"{name}.jsonl", lines)
        progress(len(counts), total)

    for split in SPLITS:
        cases = list(_cases(task, sources, split, dataset))
        if split == "train" and dataset.injected:
            cases = injected.with_attacks(task, cases, dataset)
        put(f"cases-{split}", (case.to_json() for case in cases))
        if split != "test":
            put(f"evaluator-{split}", _dumped(evaluator_rows(task, cases, dataset)))
            put(f"formatter-{split}", _dumped(formatter_rows(task, cases, sources.schema, dataset, split)))
    for split in MEASURED:
        seed = _seed(dataset, split)
        for name, count in tests.items():
            put(f"cases-{split}-{name}", (case.to_json() for case in task.generate(name, split, seed, count)))
        strange = schemas.rows(seed * 10 + _SCHEMA_SEEDS[split], getattr(dataset, split))
        put(
            f"schemas-{split}",
            (
                json.dumps({"id": f"schema-{n}", "schema": r.schema, "prose": r.prose, "answer": r.answer})
                for n, r in enumerate(strange)
            ),
        )
    about = {
        "task": task.name,
        "task_contract": task.contract,
        "level": sources.level,
        "format": dataset.format,
        "schema": sources.schema.document,
        "own_style": sources.own.own_style if sources.own else 0,
        "rows": counts,
    }
    write_json(folder / "dataset.json", about)
    return counts


def check(task: Task, dataset: config.Dataset, tests: Iterable[str] = (), rubric: Rubric | None = None) -> Sources:
    """Refuse what the task does not have, or a file that does not fit, before anything starts.

    Args:
        task: The task.
        dataset: The run's section.
        tests: Further levels.
        rubric: What a user's own prose is held against; None takes the task's own.

    Raises:
        InputError: No such level or format, or no such input in ``dataset.shared``.
        RowError: The case file is not there or does not fit; see :func:`proseform.data.own.load`.
    """
    level = dataset.level or task.levels[0]
    for name in (level, *tests):
        if name not in task.levels:
            raise InputError(
                f"Task '{task.name}' has no level '{name}'; there are: {', '.join(task.levels)}.",
                hint="The run own takes a task's first level and whole schema." if task.replayed else "",
            )
    for name in dataset.shared:
        if name not in task.inputs:
            raise InputError(
                f"dataset.shared: task '{task.name}' has no input '{name}'; there are: {', '.join(task.inputs)}."
            )
    schema = task.format(dataset.format) if dataset.format else task.schema
    if not dataset.file:
        return Sources(level, schema)
    if task.free:
        raise InputError(
            f"dataset.file: task '{task.name}' has free prose, which is read in its own cases alone.",
            hint="Put the cases into the task's folder.",
        )
    cases = own.load(task, dataset, rubric or task.rubric())
    return Sources(dataset.level or cases.level, schema, cases)


def evaluator_rows(task: Task, cases: Iterable[Case], dataset: config.Dataset) -> Iterator[dict[str, Any]]:
    """Rows of the evaluator: ``id``, ``prompt`` (messages), ``completion`` (prose)."""
    for case in cases:
        rng = random.Random(f"annotator-{dataset.seed}-{case.id}")
        prose = task.annotate(case, rng) if dataset.annotations == "careless" else case.prose
        yield {"id": case.id, "prompt": task.question(case.inputs).to_json(), "completion": prose}


def formatter_rows(
    task: Task, cases: Iterable[Case], schema: Schema, dataset: config.Dataset, split: Split
) -> Iterator[dict[str, Any]]:
    """Rows of the formatter: ``id``, ``prompt`` (a string), ``completion`` (JSON, prefill included).

    A third of the task's rows are careless annotations that are complete, with the JSON that they state: the
    formatter repeats what the prose says, right or wrong. A user's own prose is left as it is, unless careless
    annotations are asked for. Where a task of data alone can write any answer, a share state answers that nobody gave
    (:mod:`proseform.data.spliced`). Where the prose is free, a share state nothing
    (:mod:`proseform.roundtrip.nothing`). A share of all rows are random schemas.
    """
    varied = not dataset.file or dataset.annotations == "careless"
    rng = random.Random(f"formatter-{dataset.seed}-{split}")
    strange = schemas.rows(dataset.seed * 10 + _SCHEMA_SEEDS[split], 1 << 60)
    cases = list(cases)
    write = task.write if task.replayed else None
    known = spliced.pool(case.answer for case in cases) if write is not None else {}
    for case in cases:
        if rng.random() < dataset.random_schemas:
            row = next(strange)
            yield _formatter_row(task, f"schema-{case.id}", row.prose, row.answer, Schema(row.schema))
            continue
        prose, value = case.prose, case.answer
        if task.free and rng.random() < roundtrip.nothing.SHARE:
            prose = roundtrip.nothing.prose(case, next(strange).prose, rng)
            yield _formatter_row(task, f"nothing-{case.id}", prose, dict(roundtrip.NOTHING), schema)
            continue
        if write is not None and rng.random() < _SPLICED:
            value = spliced.spliced(value, known, task.schema, rng)
            prose = write(value)
        elif varied and rng.random() < 1 / 3:
            careless = task.annotate(case, rng)
            verdict = verify.form(careless, task, case.inputs)
            if verdict.ok:
                prose, value = careless, verdict.value
        yield _formatter_row(task, case.id, prose, picked(value, schema.fields), schema)


def _formatter_row(task: Task, name: str, prose: str, answer: Any, schema: Schema) -> dict[str, Any]:
    """One row of the formatter."""
    prompt = task.formatter.render({"prose": prose, "schema": task.formatter.shown(schema)})
    return {"id": name, "prompt": prompt.to_json(), "completion": json.dumps(answer, ensure_ascii=False)}


def held_out(task: Task, dataset: config.Dataset, count: int) -> list[Case]:
    """The first held-out cases of a run: the user's own where there is a file, else the generator's.

    Raises:
        RowError: The file does not fit.
    """
    return list(itertools.islice(_cases(task, check(task, dataset), "test", dataset), count))


def _cases(task: Task, sources: Sources, split: Split, dataset: config.Dataset) -> Iterator[Case]:
    """Cases of a split: the user's own, or the generator's."""
    if sources.own is not None:
        yield from sources.own.cases[split]
    else:
        yield from task.generate(sources.level, split, _seed(dataset, split), getattr(dataset, split))


def _seed(dataset: config.Dataset, split: Split) -> int:
    """The seed of a split."""
    return dataset.test_seed if split == "test" else dataset.seed


def _dumped(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Rows as lines of JSON."""
    return (json.dumps(row, ensure_ascii=False) for row in rows)


def _write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write lines; their number."""
    number = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line + "\n")
            number += 1
    return number
