"""The command line, as people and machines meet it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proseform import task as tasks
from proseform import testing

JOB, CV = "job.md", "cv.txt"
CASES = Path(__file__).parent / "documents" / "cases"


def proseform(*arguments, cwd=None):
    """Run it as a program; its code, stdout and stderr."""
    env = {**os.environ, "KUBECONFIG": "nowhere"}
    program = [sys.executable, "-m", "proseform.cli"]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, cwd=cwd, env=env, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    case = tasks.load("cv").gold[0]
    for name, text in zip(("cv", "job"), case.inputs.values(), strict=True):
        (folder / f"{name}.txt").write_text(text)
    testing.random_bundle(folder / "bundle", tasks.load("cv"))
    return folder


def asked(files: Path, *more: str) -> list[str]:
    return [
        "answer",
        "--bundle",
        f"{files}/bundle",
        "--input",
        f"cv={files}/cv.txt",
        "--input",
        f"job={files}/job.txt",
        *more,
    ]


HEAVY = {"torch", "transformers", "mlflow", "kfp", "kserve", "kubernetes"}


def test_help_imports_nothing_heavy_and_tells_the_exit_codes():
    command = "import sys; from proseform import cli; cli.app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())
    code, out, _ = proseform("--help")
    assert code == 0
    assert "Exit codes" in out
    assert "Exit codes" in proseform("answer", "--help")[1]


def test_version_tasks_and_runs_are_told():
    assert proseform("--version")[1].strip()[0].isdigit()
    assert "cv" in {row["task"] for row in json.loads(proseform("tasks", "--json")[1])}
    assert {"small", "default"} <= {row["run"] for row in json.loads(proseform("runs", "--json")[1])}


def test_an_answer_from_a_folder_is_verified_json_that_names_its_bundle(files):
    """Random weights: the JSON is nonsense, and valid."""
    code, out, err = proseform(*asked(files, "--json"))
    assert code == 0, err
    said = json.loads(out)
    assert tasks.load("cv").schema.fault(said["answer"]) is None
    assert said["bundle"] == json.loads((files / "bundle" / "bundle.json").read_text())["digest"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["answer", "--task", "cvs"], 2, "installed: cv"),
        (["answer", "--input", "cv=x"], 2, "--input job=FILE"),
        (["answer", "--input", "cv=x", "--input", "cv=x"], 2, "each once"),
        (["answer", "--input", "colour=x", "--input", "job=y"], 2, "'colour'"),
        (["answer", "--input", "cv", "--input", "job=y"], 2, "no file"),
        (["answer", "--input", "cv=nowhere.pdf", "--input", "job=nowhere.md"], 2, "nowhere.pdf"),
        (["read", "nowhere.pdf"], 2, "nowhere.pdf"),
        (["read", f"{CASES}/p-portfolio.pdf"], 2, "portfolio"),
        (["serve", "--alias", "champion=much"], 2, "whole number"),
        (["serve", "--bundle", "nowhere"], 5, "no bundle here"),
        (["deploy", "--run", "nowhere"], 2, "No run 'nowhere'"),
        (["undeploy", "--version", "1", "--run", "small"], 4, "No cluster is configured"),
    ],
)
def test_what_cannot_be_used_is_one_paragraph_and_a_code(arguments, code, words, tmp_path):
    got, out, err = proseform(*arguments, cwd=tmp_path)
    assert got == code, err
    assert words in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert not out


def test_a_document_is_shown_with_what_was_left_out():
    code, out, err = proseform("read", f"{CASES}/p-invisible.pdf")
    assert (code, err) == (0, "")
    assert out.startswith("Lena Abt, Python\nhidden: Hidden text")
    assert "p-invisible.pdf: pdf; 1 page; 16 characters" in out
    code, out, _ = proseform("read", f"{CASES}/p-invisible.pdf", "--json")
    read = json.loads(out)
    assert (read["kind"], read["pages"], read["text"]) == ("pdf", 1, "Lena Abt, Python")
    assert [finding["kind"] for finding in read["findings"]] == ["hidden"]


def test_errors_are_json_for_machines(files):
    code, _, err = proseform(*asked(files, "--json", "--engine", "http://127.0.0.1:9", "--timeout-s", "3"))
    assert json.loads(err)["error"]["type"] in {"EngineError", "Refusal"}
    assert code in {3, 6}


def test_a_bundle_of_another_task_is_refused_before_its_weights_are_loaded(files, tmp_path):
    testing.toy_bundle(testing.toy_task()).write(tmp_path)
    arguments = asked(files)
    arguments[2] = str(tmp_path)
    code, _, err = proseform(*arguments)
    assert code == 2
    assert "'toy'" in err
