"""A task's two digests (what a bundle must agree with, and everything else), and its own exploits."""

import importlib
import itertools
import shutil
import sys
from pathlib import Path

import pytest

from proseform import task
from proseform.errors import TaskError
from proseform.task import planted

CV = Path(task.__file__).parents[1] / "tasks" / "cv"


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Reads a copy of the shipped task with changed files; gives its contract and data."""
    numbers = itertools.count()

    def make(*changes):
        folder = tmp_path / str(next(numbers)) / "copied"
        shutil.copytree(CV, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for path in folder.glob("*.py"):
            path.write_text(path.read_text().replace("proseform.tasks.cv", "copied"))
        for file, old, new in changes:
            text = (folder / file).read_text() if (folder / file).exists() else ""
            assert old in text
            (folder / file).write_text(text.replace(old, new, 1) if old else text + new)
        monkeypatch.syspath_prepend(str(folder.parent))
        try:
            read = task.from_package(importlib.import_module("copied"))
        finally:
            for module in [module for module in sys.modules if module.split(".")[0] == "copied"]:
                del sys.modules[module]
        return read.contract, read.data

    return make


CHANGES = [
    (("README.md", "", "\nA typo less.\n"), set(), {"data"}, "README"),
    (("task.toml", "title = ", "title = 'x' # "), set(), {"data"}, "the title"),
    (("rewards.py", "", "\n# a comment\n"), set(), set(), "a comment in the reader"),
    (("form.py", '"""', '"""More words. '), set(), set(), "a docstring of what the reader imports"),
    (("form.py", "", "\nMORE = 1\n"), {"contract"}, set(), "code that the reader imports"),
    (("rewards.py", "", "\nMORE = 1\n"), {"contract"}, set(), "code of the reader"),
    (("resume.py", "", "\nMORE = 1\n"), {"contract"}, set(), "code that reads JSON inputs"),
    (("source.py", "", "\nMORE = 1\n"), set(), {"data"}, "code of the generator"),
    (("writing.py", "", "\nMORE = 1\n"), set(), {"data"}, "code that only the generator imports"),
    (("skills.toml", "", "\n# words\n"), set(), set(), "a comment in the generator's data"),
    (("skills.toml", "", "\n[more]\na = 1\n"), set(), {"data"}, "the generator's data"),
    (("evaluator.md", "", "\nBe brief.\n"), {"contract"}, set(), "the evaluator's prompt"),
    (("formatter.md", "", "\nBe brief.\n"), {"contract"}, set(), "the formatter's prompt"),
    (("excerpts.toml", "within = 2000", "within = 1000"), {"contract"}, set(), "how long an excerpt is"),
    (("excerpts.toml", "", "\n# words\n"), set(), set(), "a comment on excerpts"),
    (("schema.json", "", "\n"), set(), set(), "the schema's layout"),
    (("schema.json", '"type"', '"description": "x", "type"'), {"contract"}, set(), "the schema"),
    (("more.txt", "", "words"), {"contract"}, set(), "a file that nothing names"),
]


@pytest.mark.parametrize(("change", "contract", "data", "why"), CHANGES, ids=[why for *_, why in CHANGES])
def test_which_digest_a_change_moves(copied, change, contract, data, why):
    before, after = copied(), copied(change)
    moved = {name for name, one, two in zip(("contract", "data"), before, after, strict=True) if one != two}
    assert moved == contract | data


def test_a_task_can_say_that_a_file_is_data(copied):
    stated = ("task.toml", "data = [", 'data = ["more.txt",')
    one, other = copied(stated, ("more.txt", "", "words")), copied(stated, ("more.txt", "", "other words"))
    assert one[0] == other[0]
    assert one[1] != other[1]


@pytest.mark.parametrize("file", ["form.py", "schema.json", "nowhere.txt"])
def test_what_the_reader_needs_is_not_data(copied, file):
    with pytest.raises(TaskError, match=f"data: {file} is no file"):
        copied(("task.toml", "data = [", f'data = ["{file}",'))


EXPLOIT = {"name": "a", "why": "b", "text": "{letter:1} {letter} {x} {2} {letter:3}"}


def test_an_exploit_names_inputs_and_their_lines_and_nothing_else_is_expanded():
    (one,) = planted.planted({"exploits": [{**EXPLOIT, "text": "{letter:1} {letter} {2} {letter:3}"}]}, ["letter"], "x")
    assert one.on({"letter": "{rule}\nline"}) == "{rule} {rule}\nline {2} "


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"exploit": []}, "expected [[exploits]] and nothing else"),
        ({"exploits": {}}, "expected [[exploits]] and nothing else"),
        ({"exploits": [{"name": "a"}]}, "exploit 1: expected the texts name, why, text"),
        ({"exploits": [{**EXPLOIT, "text": 1}]}, "exploit 1: expected the texts name, why, text"),
        ({"exploits": [EXPLOIT]}, "exploit 'a': {x} is no input of the task"),
        ({"exploits": [{**EXPLOIT, "text": ""}] * 2}, "'a' stands twice"),
    ],
)
def test_exploits_of_another_shape_are_refused(table, words):
    with pytest.raises(TaskError, match=r"^x") as caught:
        planted.planted(table, ["letter"], "x")
    assert words in str(caught.value)
