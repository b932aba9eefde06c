"""Answers that nobody gave: they conform, are made of those that there are, and the formatter repeats them."""

from __future__ import annotations

import json
import random
from pathlib import Path

from proseform import config, verify
from proseform.data import splits
from proseform.data.spliced import pool, spliced
from proseform.leaves import leaves
from proseform.prompt import Rendered
from proseform.schema import Schema
from proseform.task import plain

EXAMPLES = Path(__file__).parents[2] / "examples/tasks"


def test_a_spliced_answer_conforms_and_has_the_same_places() -> None:
    """Choices are swapped and never cut; texts begin as the one and end as another of the same field."""
    for name in ("passport", "tickets"):
        task = plain.read(EXAMPLES / name)
        cases = list(task.generate("own", "train", 0, 100))
        known, rng = pool(case.answer for case in cases), random.Random(0)
        before = json.dumps([case.answer for case in cases])
        drawn = [spliced(case.answer, known, task.schema, rng) for case in cases]
        assert json.dumps([case.answer for case in cases]) == before
        assert all(task.schema.fault(answer) is None for answer in drawn)
        assert sum(answer != case.answer for answer, case in zip(drawn, cases, strict=True)) > 95
        for answer, case in zip(drawn, cases, strict=True):
            assert [path for path, _ in leaves(answer)] == [path for path, _ in leaves(case.answer)]


def test_items_of_arrays_are_drawn_from_all_items() -> None:
    schema = Schema({"properties": {"tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}}}})
    known = pool([{"tags": ["a", "b"]}, {"tags": ["c"]}, {"tags": []}])
    drawn = [spliced({"tags": ["a", "b"]}, known, schema, random.Random(seed)) for seed in range(50)]
    assert {tag for answer in drawn for tag in answer["tags"]} == {"a", "b", "c"}
    assert all(len(answer["tags"]) == 2 for answer in drawn)


def test_half_of_the_formatters_rows_state_what_no_case_does_and_each_what_its_prose_says() -> None:
    task = plain.read(EXAMPLES / "passport")
    cases = list(task.generate("own", "train", 0, 300))
    answers = {json.dumps(case.answer) for case in cases}
    dataset = config.Dataset(random_schemas=0.0)
    rows = list(splits.formatter_rows(task, cases, task.schema, dataset, "train"))
    assert rows == list(splits.formatter_rows(task, iter(cases), task.schema, dataset, "train"))
    assert 110 < sum(row["completion"] not in answers for row in rows) < 190
    for row in rows:
        prose = Rendered.from_json(row["prompt"]).theirs[0]
        assert verify.form(prose, task, {}).value == json.loads(row["completion"])
