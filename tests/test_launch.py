"""The local launcher: a worker's own words come back, and nobody outlives the parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from proseform import errors, launch
from proseform.errors import NoSignalError, ProseformError, StageError
from tests.waiting import until


def _job(folder: Path) -> launch.Job:
    folder.mkdir(parents=True, exist_ok=True)
    return launch.Job("sft", str(folder), str(folder / "out"))


@pytest.mark.parametrize(
    "error", [NoSignalError("No group differs.", hint="Lower it."), errors.ConfigError("bad", hint="mend it")]
)
def test_a_workers_error_comes_back_as_what_it_was(error: ProseformError, tmp_path: Path) -> None:
    job = _job(tmp_path)
    launch.write_error(tmp_path, error)
    back = launch.failure(job, 1)
    assert type(back) is type(error)
    assert (back.message, back.hint) == (error.message, error.hint)


def test_a_strangers_error_becomes_a_stage_error_with_its_type(tmp_path: Path) -> None:
    launch.write_error(tmp_path, ZeroDivisionError("division by zero"))
    back = launch.failure(_job(tmp_path), 1)
    assert type(back) is StageError
    assert "ZeroDivisionError: division by zero" in back.message


def test_the_first_error_keeps_the_word(tmp_path: Path) -> None:
    launch.write_error(tmp_path, StageError("the cause"))
    launch.write_error(tmp_path, StageError("its consequence"))
    assert launch.failure(_job(tmp_path), 1).message == "the cause"


def test_without_words_the_signal_and_the_last_line_of_the_log_speak(tmp_path: Path) -> None:
    (tmp_path / launch.LOG).write_text("one\nthe last line\n")
    back = launch.failure(_job(tmp_path), -signal.SIGKILL)
    assert "SIGKILL" in back.message
    assert "the last line" in back.message
    assert launch.LOG in back.hint


WORKER = """
import sys, time
from proseform import launch
def main(job):
    job.progress(1, 2, loss=0.5)
    {body}
if __name__ == "__main__":
    launch.worker(main)
"""


def module(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> str:
    (folder / "a_worker.py").write_text(WORKER.format(body=textwrap.indent(body, "    ").strip()))
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ.get('PYTHONPATH', '')}")
    return "a_worker"


def test_a_real_torchrun_fails_with_the_workers_words_and_asserts_its_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = module(tmp_path, 'raise launch.StageError("the disk is full", hint="make room")', monkeypatch)
    job = _job(tmp_path / "work")
    with pytest.raises(StageError, match="the disk is full") as raised:
        launch.Local().run(worker, job)
    assert raised.value.hint == "make room"
    line = json.loads((tmp_path / "work" / launch.PROGRESS).read_text())
    assert (line["done"], line["total"], line["loss"]) == (1, 2, 0.5)
    # Started by hand with another world than asked for, it refuses.
    (tmp_path / "work" / launch.ERROR).unlink()
    path = tmp_path / "work" / "job.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "world_size": 2}))
    done = subprocess.run([sys.executable, "-m", worker, "--job", str(path)], capture_output=True, check=False)
    assert done.returncode != 0
    assert "1 processes are here, 2 were asked for" in launch.failure(replace(job, world_size=2), 1).message


def test_workers_die_with_their_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = module(
        tmp_path, f"open('{tmp_path}/pid', 'w').write(str(__import__('os').getpid())); time.sleep(600)", monkeypatch
    )
    job = f"launch.Job('sft', '{tmp_path}/w', '{tmp_path}/o')"
    script = f"from proseform import launch; launch.Local().run({worker!r}, {job})"
    parent = subprocess.Popen([sys.executable, "-c", script])
    pid = wait_for(tmp_path / "pid")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(pid)


def gone(pid: int) -> bool:
    """Wait until a process has ended."""
    return bool(until(lambda: not Path(f"/proc/{pid}").exists()))


def wait_for(path: Path) -> int:
    """The number in a file, once it is there."""
    return int(until(lambda: path.exists() and path.read_text()))
