"""What cannot work is refused at once: one paragraph that names the field, no traceback, exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.conftest import finish, start

WRONG = {
    "an unknown key": ('extends = "small"\n[grpo]\nbetta = 0.1\n', "grpo.betta: unknown key"),
    "a value out of range": (
        'extends = "small"\n[grpo]\nbeta = -1\n',
        "grpo.beta: input should be greater than or equal to 0",
    ),
    "a value of the wrong type": ('extends = "small"\n[dataset]\ntrain = "many"\n', "dataset.train"),
    "an unknown level": ('extends = "small"\n[dataset]\nlevel = "wizard"\n', "no level 'wizard'; there are: starter"),
    "an unknown format": ('extends = "small"\n[dataset]\nformat = "yaml"\n', "no format 'yaml'; there are: brief"),
    "no TOML": ("name = \n", "not TOML"),
    "a missing case file": ('extends = "small"\n[dataset]\nfile = "/nowhere.jsonl"\n', "no file /nowhere.jsonl"),
    "a case of the wrong shape": (
        'extends = "small"\n[dataset]\nfile = "FOLDER/cases.jsonl"\n',
        "cases.jsonl, line 1: field 'prose' is missing",
    ),
    "a model that is not there": (
        'extends = "default"\n[model]\nname = "./nowhere"\n',
        "no model in the folder ./nowhere",
    ),
    "a batch that does not divide": (
        'extends = "small"\n[sft.evaluator]\nbatch = 7\n',
        "sft.evaluator.batch: 7 rows do not divide",
    ),
}


@pytest.mark.parametrize("case", WRONG, ids=WRONG.keys())
def test_a_wrong_run_file_is_refused_before_anything_starts(case: str, tmp_path: Path) -> None:
    text, words = WRONG[case]
    run = tmp_path / "run.toml"
    run.write_text(text.replace("FOLDER", str(tmp_path)))
    (tmp_path / "cases.jsonl").write_text('{"id": "a", "level": "starter", "split": "train", "inputs": {}}\n')
    process = start(tmp_path / "home", "run", "--run", str(run))
    output = finish(process)
    assert process.returncode == 2, output
    assert words in output
    assert "Traceback" not in output
    assert not (tmp_path / "home" / "work").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--task", "cvs"), "No task 'cvs'; installed: cv"),
        (("run", "--run", "smal"), "No run 'smal'; shipped: default, own, small, smollm2, smollm2-real."),
        (("run", "--example", "/nowhere"), "no example.toml here"),
    ],
)
def test_a_wrong_name_is_refused_with_what_exists(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    process = start(tmp_path / "home", *arguments)
    output = finish(process)
    assert process.returncode == 2, output
    assert words in output.replace("\n", " ")
    assert "Traceback" not in output


def test_a_refusal_comes_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    process = start(tmp_path / "home", "run", "--run", "smal", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {
        line.rpartition("|")[2].strip() for line in finish(process).splitlines() if line.startswith("import time")
    }
    assert "proseform.config" in imported
    assert not imported & {"torch", "transformers", "trl", "mlflow", "kfp", "kubernetes"}
