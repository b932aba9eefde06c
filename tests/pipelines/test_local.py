"""Both pipelines one after the other, by KFP's real local runner, with pipelines of one small step each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.pipelines.conftest import ROOT

SCRIPT = """
import sys
from kfp import dsl
from pipelines import local


@dsl.component(install_kfp_package=False)
def register(task: str) -> str:
    return f"the version of {task}"


@dsl.component(install_kfp_package=False)
def promote(version: str, example: str):
    from pathlib import Path

    Path(example).write_text(version)


@dsl.pipeline
def train(task: str, run: str) -> str:
    return register(task=task).output


@dsl.pipeline
def promote_candidate(task: str, run: str, version: str = "", example: str = ""):
    promote(version=version, example=example)


local.train, local.promote_candidate = train, promote_candidate
local.run({"task": "toy", "run": "small"}, sys.argv[1])
"""


def test_what_is_promoted_is_the_version_that_was_registered(tmp_path: Path) -> None:
    script, told = tmp_path / "script.py", tmp_path / "told"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(told)],
        cwd=tmp_path,
        env={**os.environ, "PROSEFORM_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert told.read_text() == "the version of toy"
