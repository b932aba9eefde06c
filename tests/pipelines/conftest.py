"""One whole run of the pipeline, as a user starts it; many tests read its output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MICRO = str(ROOT / "tests/runs/micro.toml")


def start(home: Path, *arguments: str, run: str = "", env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start `python -m pipelines` with its own home and without a terminal."""
    environment = {**os.environ, "PROSEFORM_HOME": str(home), "PROSEFORM_RUN": run, "COLUMNS": "120", **(env or {})}
    environment = {name: value for name, value in environment.items() if value or name != "PROSEFORM_RUN"}
    command = [sys.executable, "-m", "pipelines", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a process, as long as pytest lets a test take; its whole output."""
    output, _ = process.communicate()
    return output


@dataclass(frozen=True)
class Finished:
    """A finished run."""

    home: Path
    output: str

    def events(self, run: str) -> list[dict[str, Any]]:
        """The events of a run."""
        return [json.loads(line) for line in (self.home / "runs" / run / "events.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The micro run, from an empty home to the probe's answer."""
    home = tmp_path_factory.mktemp("whole")
    process = start(home, "run", "--task", "cv", "--run", MICRO, "--example", "examples/cv", run="first")
    output = finish(process)
    assert process.returncode == 0, output
    return Finished(home, output)
