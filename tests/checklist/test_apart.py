"""``proseform rewards check`` as people meet it: a task, and functions of their own in processes that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from proseform import display
from proseform.checklist import Check, by_function, gold_rows
from proseform.errors import InputError, RowError

MODULE = '''
"""Rewards as people write them for TRL."""
import json, time

def sound(completions, due, **kwargs):
    """The share of the due fields that are right."""
    assert kwargs["prompts"] and kwargs["completion_ids"] and kwargs["trainer_state"].global_step == 0
    rewards = []
    for text, fields in zip(completions, due):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        same = isinstance(value, dict) and value.keys() == fields.keys()
        rewards.append(sum(value[key] == fields[key] for key in fields) / len(fields) if same else 0.0)
    return rewards

async def talk(completions, due, **kwargs):
    """For conversations, and asynchronous."""
    return sound([turns[-1]["content"] for turns in completions], due, **kwargs)

def narrow(completions):
    return [0.0] * len(completions)

def hangs(completions, **kwargs):
    while "[]" in completions:
        time.sleep(0.01)
    return [float(len(text) > 20) for text in completions]

def short(completions, **kwargs):
    return [1.0]

def hashed(completions, **kwargs):
    """Depends on the order of a set."""
    return [len(next(iter(set(text.split())), "")) / 99 for text in completions]

unpicklable = lambda completions, **kwargs: [float(text.startswith("{")) for text in completions]
'''
PEOPLE = [{"name": "Ana Silva", "age": 41}, {"name": "Bo Lind", "age": 29}, {"name": "Ivo Horvat", "age": 63}]
ROWS = [
    {"prompt": f"{one['name']} is {one['age']}. As JSON.", "completion": json.dumps(one), "due": one} for one in PEOPLE
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module of rewards and two cases files."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MODULE)
    (folder / "broken.py").write_text("raise KeyError('x')\n")
    (folder / "cases.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    turns = [{**row, "prompt": [{"role": "user", "content": row["prompt"]}]} for row in ROWS]
    (folder / "turns.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in turns))
    return folder


def proseform(folder: Path | None, *arguments: str) -> tuple[int, str, str]:
    """Run it as a program; its code, stdout and stderr."""
    program = [sys.executable, "-m", "proseform.cli", "rewards", "check", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, cwd=folder, env=dict(os.environ), check=False)
    return done.returncode, done.stdout, done.stderr


def checked(folder: Path | None, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the rows by their check."""
    code, out, err = proseform(folder, *arguments, "--json")
    assert out, err
    return code, {row["check"]: row for row in json.loads(out)["checks"]}


def test_the_shipped_task_keeps_every_check() -> None:
    code, rows = checked(None, "--task", "cv")
    assert {name for name, row in rows.items() if row["result"] not in {"holds", "shown"}} == set()
    assert (code, len(rows)) == (0, 11)


@pytest.mark.parametrize(("name", "cases"), [("sound", "cases.jsonl"), ("talk", "turns.jsonl")])
def test_a_sound_function_keeps_every_check(folder: Path, name: str, cases: str) -> None:
    """Given texts, or conversations; the command says so by its exit code."""
    code, rows = checked(folder, f"mine:{name}", "--cases", cases, "--low", "0", "--high", "1")
    assert [row for row in rows.values() if row["result"] not in {"holds", "shown"}] == []
    assert (code, len(rows)) == (0, 10)


def test_a_function_that_hangs_is_killed_and_the_call_is_named(folder: Path) -> None:
    code, rows = checked(folder, "mine:hangs", "--cases", "cases.jsonl", "--limit-s", "2")
    assert (code, rows["signature"]["result"], rows["corpus"]["result"]) == (1, "holds", "fails")
    assert rows["corpus"]["reason"] == "the reward, for case 1 and the text '[]' did not return within 2 s"
    rest = [name for name in rows if name not in {"signature", "corpus"}]
    assert {rows[name]["result"] for name in rest} == {"not tried"}
    assert len(rest) == 8


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("narrow", "signature", "unexpected keyword argument 'prompts'; TRL passes prompts,"),
        ("short", "batch", "gave 1 rewards for 89 completions"),
        ("hashed", "deterministic", "look for the order of a set"),
        ("unpicklable", "pickles", "define it at the top of a module"),
    ],
)
def test_what_a_function_breaks_is_told_with_what_to_change(folder: Path, name: str, check: str, words: str) -> None:
    code, rows = checked(folder, f"mine:{name}", "--cases", "cases.jsonl")
    assert (code, rows[check]["result"]) == (1, "fails")
    assert words in rows[check]["reason"]


def test_the_table_has_a_row_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Check("gold", "holds", "gold earns the most"), Check("batch", "fails", "as many rewards", "[one] changes")]
    display.checked("mine:sound", rows, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "gold" in line and "holds" in line]
    assert [line for line in lines if "[one] changes" in line]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"completion": "x"}, "line 2: field 'prompt' is missing. prompt is what the model is asked"),
        ({"prompt": 1, "completion": "x"}, "line 2: field 'prompt' is a number, expected text or a list of messages"),
        ({"prompt": "x", "completion": " "}, "line 2: field 'completion' is no text"),
        ({"prompt": "x", "completion": [{"role": "assistant", "content": "x"}]}, "field 'completion' is no text"),
        ({"prompt": "x", "completion": "x"}, "row 2: has other columns or another form than row 1"),
        ({"prompt": [{"role": "user", "content": "x"}], "completion": "x", "due": {}}, "row 2: has other columns"),
        (None, "has 1 rows, expected at least 2"),
    ],
)
def test_a_cases_file_of_another_shape_is_refused_with_line_and_field(tmp_path: Path, row: Any, words: str) -> None:
    lines = [json.dumps(one) for one in ([ROWS[0], row] if row else [ROWS[0]])]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines))
    with pytest.raises(RowError) as caught:
        gold_rows.read(tmp_path / "cases.jsonl")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("json", "'json' names no function. Write module:function"),
        ("json:nowhere", "json has no 'nowhere'; it has: "),
        ("json:JSONDecoder", "is a class. Name a function, or an instance that can be called."),
        ("nowhere:any", "No module named 'nowhere'. Run the command in the folder that holds the module"),
    ],
)
def test_a_name_of_no_function_says_what_to_write(name: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        by_function.imported(name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "nope"], "No task 'nope'; installed: cv"),
        (["mine:sound"], "Give --task NAME, or module:function with --cases FILE"),
        (["broken:sound", "--cases", "cases.jsonl"], "'broken:sound': KeyError('x')."),
        (["mine:sound", "--cases", "nowhere.jsonl"], "there is no such file"),
    ],
)
def test_what_cannot_be_checked_is_one_paragraph_and_code_2(folder: Path, arguments: list[str], words: str) -> None:
    code, out, err = proseform(folder, *arguments)
    assert (code, out) == (2, ""), err
    assert words in err.splitlines()[-1]
