"""Support-ticket triage, from its wheel, through the same pipeline as the shipped task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.pipelines.conftest import MICRO, ROOT, finish, start

FOLDER = ROOT / "examples/tasks/triage"


def test_another_domain_goes_through_the_whole_pipeline_without_a_change_to_the_core(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=FOLDER, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    home = tmp_path / "home"
    env = {"PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))}
    process = start(
        home, "run", "--task", "triage", "--run", MICRO, "--example", str(FOLDER / "example"), run="triage", env=env
    )
    output = finish(process)
    assert process.returncode == 0, output
    example = json.loads((home / "runs/triage/probe.json").read_text())["example"]
    assert example["verdict"] == "valid"
    assert "decision" in example["answer"]
