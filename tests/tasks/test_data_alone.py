"""The examples that are data alone: what they hold is what their scripts print, and it keeps every law."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from proseform import documents, laws, task
from proseform.data import census
from proseform.stages.probe import read_example
from proseform.task import plain

EXAMPLES = Path(__file__).parents[2] / "examples/tasks"
NAMES = ("passport", "tickets")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports an example's script."""
    monkeypatch.syspath_prepend(str(EXAMPLES / "triage"))

    def script(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"{name}_cases", EXAMPLES / name / "make_cases.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield script
    for name in [name for name in sys.modules if name.startswith("proseform_triage")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_keeps_every_law_and_says_more_than_blind_guessing(name: str) -> None:
    example = plain.read(EXAMPLES / name)
    assert list(laws.broken(example)) == []
    by_split = census.cases(example, "own")
    assert all(len(cases) >= 50 for cases in by_split.values()), "the gate asks for 50 held-out cases"
    blind = census.unread(example, "own", {split: cases[:60] for split, cases in by_split.items()})
    assert 0.2 < max(row["reward"]["value"] for row in blind["rows"]) < 0.5
    assert all(row["whole_right"]["value"] == 0 for row in blind["rows"])


@pytest.mark.parametrize("name", NAMES)
def test_an_examples_cases_are_what_its_script_prints(
    name: str, script: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_cases.py"])
    script(name).main()
    assert capsys.readouterr().out == (EXAMPLES / name / "cases.jsonl").read_text()


def test_the_example_of_passport_is_nobody_among_the_cases(script: Any) -> None:
    passport = plain.read(EXAMPLES / "passport")
    *known, one = script("passport").cases(2402)
    asked = read_example(passport, EXAMPLES / "passport/example")
    assert asked["passport"].text == one["inputs"]["passport"]
    assert one["groups"][0] not in {row["groups"][0] for row in known}


def test_the_zone_for_machines_is_that_of_the_standard(script: Any) -> None:
    """Check digits and layout of the specimen in ICAO Doc 9303, part 4."""
    module = script("passport")
    assert [module.check(part) for part in ("L898902C3", "740812", "120415", "ZE184226B<<<<<")] == ["6", "2", "9", "1"]
    for row in module.cases(20):
        upper, lower = row["inputs"]["passport"].split("\n")[-2:]
        assert (len(upper), len(lower)) == (44, 44)


def test_tickets_are_those_of_triage(script: Any) -> None:
    """The same schema; the same example."""
    schemas = [EXAMPLES / "tickets/schema.json", EXAMPLES / "triage/proseform_triage/schema.json"]
    assert json.loads(schemas[0].read_text()) == json.loads(schemas[1].read_text())
    for file in ("ticket.txt", "policy.md"):
        texts = [documents.read(EXAMPLES / name / "example" / file).text for name in ("tickets", "triage")]
        assert texts[0] == texts[1]


def test_a_folder_is_a_task_by_its_path_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(task.FOLDERS, "")
    assert task.load(task.located(str(EXAMPLES / "passport"))).inputs == ("passport",)
