"""The dataset of a task: cases in three disjoint splits, and from them the rows of each role.

Rows are JSON Lines. The evaluator's prompts are messages; the formatter's are strings, TRL's *standard* format, since
the chat format is what starts the chatter where JSON is wanted.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from proseform import config, verify
from proseform.case import SPLITS, Case, Split, read_cases
from proseform.data import schemas
from proseform.errors import InputError, RowError
from proseform.schema import Schema
from proseform.store import write_json
from proseform.task import Task

_SCHEMA_SEEDS = {"train": 1, "valid": 2, "test": 3}
"""Random schemas are drawn from seeds of their own, so that splits never share a stream."""


def write(
    task: Task, wanted: config.Dataset, tests: dict[str, int], folder: Path, progress: Callable[[int, int], None]
) -> dict[str, int]:
    """Write a dataset folder.

    Args:
        task: The task.
        wanted: Sizes, level, format, seed, whose annotations.
        tests: Further levels to their number of held-out cases; written as ``cases-test-<level>.jsonl``.
        folder: Must exist.
        progress: Told (done, total) files.

    Returns:
        Rows of each file.

    Raises:
        InputError: No such level or format.
        RowError: ``wanted.file`` holds a case that does not fit the task, or too few.
    """
    level, schema = check(task, wanted, tests)
    total = (
        len(SPLITS) + 2 * (len(SPLITS) - 1) + len(tests) + 1
    )  # cases of every split, rows of both roles but for test, the rest
    counts: dict[str, int] = {}

    def put(name: str, lines: Iterable[str]) -> None:
        counts[name] = _write_lines(folder / f"{name}.jsonl", lines)
        progress(len(counts), total)

    for split in SPLITS:
        cases = list(_cases(task, level, split, wanted))
        put(f"cases-{split}", (case.to_json() for case in cases))
        if split != "test":
            put(f"evaluator-{split}", _dumped(evaluator_rows(task, cases, wanted)))
            put(f"formatter-{split}", _dumped(formatter_rows(task, cases, schema, wanted, split)))
    for name, count in tests.items():
        put(f"cases-test-{name}", (case.to_json() for case in task.generate(name, "test", wanted.seed, count)))
    held_out = schemas.rows(wanted.seed * 10 + _SCHEMA_SEEDS["test"], wanted.test)
    put(
        "schemas-test",
        (
            json.dumps({"id": f"schema-{n}", "schema": r.schema, "prose": r.prose, "answer": r.answer})
            for n, r in enumerate(held_out)
        ),
    )
    about = {
        "task": task.name,
        "task_contract": task.contract,
        "level": level,
        "format": wanted.format,
        "schema": schema.document,
        "rows": counts,
    }
    write_json(folder / "dataset.json", about)
    return counts


def check(task: Task, wanted: config.Dataset, tests: Iterable[str] = ()) -> tuple[str, Schema]:
    """Refuse what the task cannot give, in a moment; the level and the schema that are meant.

    Raises:
        InputError: No such level or format, or a case file that is not there or does not fit; see :func:`write`.
    """
    level = wanted.level or task.levels[0]
    for name in (level, *tests):
        if name not in task.levels:
            raise InputError(f"Task '{task.name}' has no level '{name}'; there are: {', '.join(task.levels)}.")
    if wanted.file:
        for split in SPLITS:
            next(_cases(task, level, split, wanted))
    return level, task.format(wanted.format) if wanted.format else task.schema


def evaluator_rows(task: Task, cases: Iterable[Case], wanted: config.Dataset) -> Iterator[dict[str, Any]]:
    """Rows of the evaluator: ``id``, ``prompt`` (messages), ``completion`` (prose)."""
    for case in cases:
        rng = random.Random(f"annotator-{wanted.seed}-{case.id}")
        prose = task.annotate(case, rng) if wanted.annotations == "careless" else case.prose
        yield {"id": case.id, "prompt": task.evaluator.render(case.inputs), "completion": prose}


def formatter_rows(
    task: Task, cases: Iterable[Case], schema: Schema, wanted: config.Dataset, split: Split
) -> Iterator[dict[str, Any]]:
    """Rows of the formatter: ``id``, ``prompt`` (a string), ``completion`` (JSON, prefill included).

    A third of the task's rows are careless annotations that are complete, with the JSON that they state: the
    formatter repeats what the prose says, right or wrong. A share of all rows are random schemas.
    """
    rng = random.Random(f"formatter-{wanted.seed}-{split}")
    strange = schemas.rows(wanted.seed * 10 + _SCHEMA_SEEDS[split], 1 << 60)
    for case in cases:
        if rng.random() < wanted.random_schemas:
            row = next(strange)
            yield _formatter_row(task, f"schema-{case.id}", row.prose, row.answer, Schema(row.schema))
            continue
        prose, value = case.prose, case.answer
        if rng.random() < 1 / 3:
            careless = task.annotate(case, rng)
            verdict = verify.prose(careless, task)
            if verdict.ok:
                prose, value = careless, verdict.value
        yield _formatter_row(
            task, case.id, prose, {name: value[name] for name in schema.fields if name in value}, schema
        )


def _formatter_row(task: Task, name: str, prose: str, answer: Any, schema: Schema) -> dict[str, Any]:
    """One row of the formatter."""
    prompt = task.formatter.render({"prose": prose, "schema": schema.signature()})
    return {"id": name, "prompt": prompt, "completion": json.dumps(answer, ensure_ascii=False)}


def _cases(task: Task, level: str, split: Split, wanted: config.Dataset) -> Iterator[Case]:
    """Cases of a split: the generator's, or those of a file."""
    count = {"train": wanted.train, "valid": wanted.valid, "test": wanted.test}[split]
    if not wanted.file:
        yield from task.generate(level, split, wanted.seed, count)
        return
    path = Path(wanted.file)
    if not path.is_file():
        raise RowError(f"dataset.file: no file {path}.", hint="It holds one case a line; see docs/tour.md.")
    with path.open() as lines:
        found = [case for case in read_cases(lines, path.name) if case.split == split]
    if not found:
        raise RowError(
            f"{path.name}: no case of split '{split}'.", hint="Each case names its split: train, valid or test."
        )
    for case in found:
        if set(case.inputs) != set(task.inputs):
            raise RowError(
                f"{path.name}: case '{case.id}' has the inputs {', '.join(case.inputs)}; task '{task.name}' has {', '.join(task.inputs)}."
            )
        fault = task.schema.fault(case.answer)
        if fault:
            raise RowError(f"{path.name}: case '{case.id}', field answer{fault[0]}: {fault[1]}.")
    yield from found[:count]


def _dumped(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Rows as lines of JSON."""
    return (json.dumps(row, ensure_ascii=False) for row in rows)


def _write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write lines; their number."""
    number = 0
    with path.open("w") as file:
        for line in lines:
            file.write(line + "\n")
            number += 1
    return number
