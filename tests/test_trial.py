"""The laws of a task that does not come with the package: code that hangs or dies breaks one, and no caller."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proseform import task
from proseform.errors import TaskError
from proseform.laws import trial

FOLDER = Path(__file__).parents[1] / "examples/tasks/triage/proseform_triage"
LIMIT_S = 5.0

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs the triage task for this process and its children, with code added to one of its modules."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")])))

    def install(module: str, code: str) -> None:
        shutil.copytree(FOLDER, tmp_path / FOLDER.name, ignore=shutil.ignore_patterns("__pycache__"))
        with (tmp_path / FOLDER.name / module).open("a", encoding="utf-8") as file:
            file.write(code)
        info = tmp_path / "proseform_triage-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: proseform-triage\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[proseform.tasks]\ntriage = proseform_triage\n")

    yield install
    for name in [name for name in sys.modules if name.startswith("proseform_triage")]:
        del sys.modules[name]


TERM = """
def extra(prose, case):
    import os, re, time
    {body}
    return 1.0
TERMS = {{**TERMS, "extra": extra}}
"""

FAULTS = [
    (
        "rewards.py",
        TERM.format(body="if len(prose) > 99_999:\n        time.sleep(1e9)"),
        r"term 'extra' did not return within 5 s, for case 'starter-\S+' and the text 'a{40}'\.",
        "a term that sleeps forever on one hostile text",
    ),
    (
        "rewards.py",
        TERM.format(body='re.fullmatch("(a+)+b", "a" * 99)'),
        r"term 'extra' did not return within 5 s, for case 'starter-\S+' and the text ''\.",
        "a pattern that backtracks without end and holds the interpreter's lock",
    ),
    (
        "rewards.py",
        TERM.format(body="os._exit(3)"),
        r"term 'extra' ended its process \(exit code 3\), for case 'starter-",
        "a term that ends its process",
    ),
    (
        "rewards.py",
        "\ndef read(prose, inputs):\n    while True:\n        pass\n",
        r"read did not return within 5 s, for the text '",
        "a reader that never returns",
    ),
    (
        "source.py",
        "\ndef generate(level, split, seed, count):\n    raise KeyError(level)\n    yield\n",
        r"generate raised KeyError\('starter'\), for 12 cases of level 'starter' and split 'train'\.",
        "a generator that raises",
    ),
    (
        "source.py",
        "\nraise SystemExit(4)\n",
        r"importing it ended its process \(exit code 4\)\.",
        "a module that exits",
    ),
    ("source.py", "\nNAMES = {}['x']\n", r"importing it raised KeyError\('x'\)\.", "a module that raises"),
    (
        "rewards.py",
        TERM.format(body='print("words"); return 2.0'),
        r"term 'extra' gave 2, expected a number in \[0, 1\], for nothing\.",
        "a law that is broken in words, whatever the term prints",
    ),
]


@pytest.mark.parametrize(("module", "code", "words"), [row[:3] for row in FAULTS], ids=[row[3] for row in FAULTS])
def test_a_fault_of_the_tasks_code_is_a_broken_law(install: Install, module: str, code: str, words: str) -> None:
    """Which call it was, with what, and after how many seconds."""
    install(module, code)
    with pytest.raises(TaskError, match=f"Task 'triage' breaks a law: (?:{words})"):
        trial.load("triage", LIMIT_S)


def test_a_sound_task_is_loaded(install: Install) -> None:
    install("rewards.py", TERM.format(body='print("words")'))
    triage = trial.load("triage")
    assert (triage.name, "extra" in triage.terms) == ("triage", True)


def test_the_shipped_task_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its laws are tried in this process, so that loading it costs what it did."""

    def child(_module: str) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(trial, "Child", child)
    assert trial.load("cv").name == "cv"


def test_an_unknown_task_names_the_installed_ones() -> None:
    with pytest.raises(TaskError, match=r"No task 'nope'; installed: .*cv"):
        trial.load("nope")


def test_only_installed_tasks_of_others_are_foreign(install: Install) -> None:
    install("rewards.py", "")
    assert [task.foreign(name) for name in ("cv", "triage", "nope")] == [False, True, False]
