"""The dataset folder: splits, rows of each role, and cases of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proseform import config, verify
from proseform.case import Case
from proseform.data import splits
from proseform.errors import InputError, RowError
from proseform.prompt import Rendered
from proseform.schema import Schema
from proseform.testing import toy_task

TASK = toy_task()


def _write(folder: Path, **changes: Any) -> dict[str, int]:
    """A small dataset."""
    dataset = config.Dataset(**{"train": 60, "valid": 10, "test": 12, **changes})
    return splits.write(TASK, dataset, {}, folder, lambda _done, _total: None)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_files_have_the_asked_number_of_rows(tmp_path: Path) -> None:
    counts = _write(tmp_path)
    assert counts == {name: len(_rows(tmp_path / f"{name}.jsonl")) for name in counts}
    assert (counts["cases-train"], counts["evaluator-train"], counts["formatter-train"], counts["schemas-test"]) == (
        60,
        60,
        60,
        12,
    )


def test_what_tuning_looks_at_is_measured_as_the_test_split_is_and_shares_nothing_with_it(tmp_path: Path) -> None:
    """Cases of the level, of further levels, and random schemas: of valid as of test, with no case in both."""
    counts = splits.write(TASK, config.Dataset(train=9, valid=8, test=12), {"hard": 7}, tmp_path, lambda *_: None)
    for name, valid, test in (("cases-{}", 8, 12), ("cases-{}-hard", 7, 7), ("schemas-{}", 8, 12)):
        assert (counts[name.format("valid")], counts[name.format("test")]) == (valid, test)
        texts = [(tmp_path / f"{name.format(split)}.jsonl").read_text().splitlines() for split in ("valid", "test")]
        held = [
            {json.dumps(json.loads(line).get("inputs") or json.loads(line)["schema"]) for line in one} for one in texts
        ]
        assert not held[0] & held[1]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        _write(tmp_path / name, seed=seed)
    a, b, c = ((tmp_path / name / "formatter-train.jsonl").read_bytes() for name in "abc")
    assert a == b != c


def test_the_formatters_completions_are_what_its_prompt_says(tmp_path: Path) -> None:
    """Strings, not messages; valid under the schema; begun by the prefill."""
    _write(tmp_path)
    schema = Schema(json.loads((tmp_path / "dataset.json").read_text())["schema"])
    own = [row for row in _rows(tmp_path / "formatter-train.jsonl") if not row["id"].startswith("schema-")]
    assert 0 < len(own) < 60
    for row in own:
        assert Rendered.from_json(row["prompt"]).style == "plain"
        assert row["completion"].startswith(TASK.formatter.prefill)
        assert verify.answer(row["completion"], schema).ok


def test_the_evaluator_imitates_careless_annotators_unless_clean_ones_are_asked_for(tmp_path: Path) -> None:
    for name in ("careless", "clean"):
        (tmp_path / name).mkdir()
        _write(tmp_path / name, annotations=name)
    gold = [case["prose"] for case in _rows(tmp_path / "clean" / "cases-train.jsonl")]
    clean = [row["completion"] for row in _rows(tmp_path / "clean" / "evaluator-train.jsonl")]
    careless = [row["completion"] for row in _rows(tmp_path / "careless" / "evaluator-train.jsonl")]
    assert clean == gold
    assert careless != gold


def test_no_group_of_a_training_case_is_in_a_held_out_case(tmp_path: Path) -> None:
    _write(tmp_path)
    groups = {
        split: {g for case in _rows(tmp_path / f"cases-{split}.jsonl") for g in case["groups"]}
        for split in ("train", "valid", "test")
    }
    assert not groups["train"] & (groups["valid"] | groups["test"])


def test_cases_of_ones_own_are_used_by_their_split(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    cases = [case for split in ("train", "valid", "test") for case in TASK.generate(TASK.levels[0], split, 9, 5)]
    file.write_text("".join(case.to_json() + "\n" for case in cases))
    counts = _write(tmp_path, file=str(file))
    assert (counts["cases-train"], counts["cases-valid"], counts["cases-test"]) == (5, 5, 5)


def _broken(case: Case, **changes: Any) -> str:
    return json.dumps({**json.loads(case.to_json()), **changes})


FIRST = next(TASK.generate(TASK.levels[0], "train", 0, 1))
BROKEN = {
    "not JSON": ("{", "line 1: not a line of JSON"),
    "a missing field": (json.dumps({"id": "a"}), "line 1: field 'level' is missing"),
    "an unknown field": (_broken(FIRST, note="x"), "line 1: unknown field 'note'"),
    "a wrong type": (_broken(FIRST, prose=3), "line 1: field 'prose' is a number, expected text"),
    "an unknown split": (_broken(FIRST, split="dev"), "line 1: field 'split' is 'dev'"),
    "another task's inputs": (_broken(FIRST, inputs={"song": "la"}), "has the inputs song"),
    "an answer that does not conform": (_broken(FIRST, answer={"x": 1}), "field 'answer'"),
    "nothing for a split": (FIRST.to_json(), "no case of split 'valid'"),
}


@pytest.mark.parametrize("name", BROKEN, ids=BROKEN.keys())
def test_a_case_file_that_does_not_fit_is_refused_with_the_place(name: str, tmp_path: Path) -> None:
    line, words = BROKEN[name]
    file = tmp_path / "mine.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(RowError, match=words):
        splits.check(TASK, config.Dataset(file=str(file)))


def test_unknown_levels_and_formats_are_refused_with_what_exists() -> None:
    with pytest.raises(InputError, match=f"there are: {TASK.levels[0]}"):
        splits.check(TASK, config.Dataset(level="wizard"))
    with pytest.raises(InputError, match="no format 'yaml'; there are"):
        splits.check(TASK, config.Dataset(format="yaml"))
