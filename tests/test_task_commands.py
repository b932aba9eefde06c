"""``proseform task``: from a schema and cases to a task, what it holds, and what is said where it is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proseform import cli, task
from proseform.data import derived
from proseform.errors import InputError, ProseformError, RowError
from proseform.task import plain

TICKETS = Path(__file__).parents[1] / "examples/tasks/tickets"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, whose folder ``tasks`` is looked into."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(task.FOLDERS, "")  # so that what a command puts there is undone
    monkeypatch.delenv(task.FOLDERS)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def proseform(*arguments: str) -> Result:
    """Run a command in this process; an error of ours is raised."""
    result = CliRunner().invoke(cli.app, arguments)
    if isinstance(result.exception, ProseformError):
        raise result.exception
    return result


def new(cases: Path | None = None) -> Result:
    """``task new``, by default of a quarter of the cases of an example."""
    if cases is None:
        cases = Path("quarter.jsonl")
        cases.write_text("\n".join((TICKETS / "cases.jsonl").read_text().splitlines()[::4]))
    return proseform("task", "new", "mine", "--schema", str(TICKETS / "schema.json"), "--cases", str(cases))


def test_new_makes_a_folder_that_check_and_tasks_know(here: Path) -> None:
    result = new()
    assert (result.exit_code, result.stdout) == (0, "tasks/mine: 155 cases.\nNext: proseform task check tasks/mine\n")
    counted = json.loads(proseform("task", "check", "mine", "--json").stdout)
    assert counted["splits"] == {"train": 125, "valid": 15, "test": 15}
    states = next(field for field in counted["fields"] if field["name"] == "problem.state")
    assert dict(states["values"]).keys() == {"open", "solved"}
    assert sum(count for _, count in states["values"]) == states["cases"] == 155
    assert counted["blind"]["rows"][0]["how"] == "one evaluation for all cases"
    assert "evaluator.md" in counted["derived"]
    shown = proseform("task", "check", "tasks/mine").stdout
    assert "No law is broken." in shown
    assert "always P" in shown
    assert {row["task"] for row in json.loads(proseform("tasks", "--json").stdout)} >= {"cv", "mine"}


def test_check_exits_1_and_names_each_case_that_breaks_a_law(here: Path) -> None:
    rows = [json.loads(line) for line in (TICKETS / "cases.jsonl").read_text().splitlines()[:500:25]]
    rows += [json.loads(line) for line in (TICKETS / "cases.jsonl").read_text().splitlines()[500::20]]
    rows[-1]["answer"]["score"] = 1
    (here / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    new(here / "cases.jsonl")
    checked = proseform("task", "check", "mine")
    assert checked.exit_code == 1
    assert (
        f"case '{len(rows):06d}', field 'answer': the gold prose is not accepted: inconsistent at /score"
        in checked.stdout
    )
    assert "Without reading" not in checked.stdout


def test_new_refuses_by_line_and_field_and_exits_2(here: Path) -> None:
    lines = (TICKETS / "cases.jsonl").read_text().splitlines()
    row = json.loads(lines[2])
    row["answer"]["priority"] = "P9"
    (here / "mine.jsonl").write_text("\n".join([*lines[:2], json.dumps(row)]))
    with pytest.raises(RowError, match=r"mine.jsonl, line 3: field 'answer.priority': \"P9\" is not one of") as caught:
        new(here / "mine.jsonl")
    assert caught.value.exit_code == 2
    with pytest.raises(InputError, match="there is no file"):
        proseform("task", "new", "mine", "--schema", "none.json", "--cases", "none.jsonl")


def test_bounds_that_a_schema_got_are_listed(here: Path) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    (here / "s.json").write_text(json.dumps(schema))
    (here / "c.csv").write_text("letter,name\n" + "".join(f"From no. {at},Bo {at}\n" for at in range(30)))
    shown = proseform("task", "new", "mine", "--schema", "s.json", "--cases", "c.csv", "--into", "here").stdout
    assert shown.startswith("here/mine: 30 cases.\nschema.json got bounds in 2 places")
    assert "  /properties/name: a string without maxLength, enum or const\n" in shown


def test_what_is_derived_is_the_file_that_would_replace_it(here: Path) -> None:
    """Written to the folder, the task is the same."""
    new()
    before = task.load("mine")
    for name in (plain.EVALUATOR, plain.FORMATTER, "rubric.toml", "guide.md"):
        (here / "tasks/mine" / name).write_text(proseform("task", "derived", "mine", name).stdout)
    after = task.load("mine")
    assert (after.contract, after.guide, after.rubric()) == (before.contract, before.guide, before.rubric())
    with pytest.raises(InputError, match=r"No file 'cases.jsonl' is derived; there are: evaluator.md, formatter.md"):
        derived.file(after, "cases.jsonl")


def test_the_run_small_says_which_run_a_task_of_data_alone_takes(here: Path) -> None:
    from proseform import config
    from proseform.data import splits

    new()
    with pytest.raises(InputError, match=r"no level 'starter'; there are: own\. The run own takes"):
        splits.check(task.load("mine"), config.load("small").dataset)
    assert splits.check(task.load("mine"), config.load("own").dataset).level == "own"
