"""A part in the background is known by its pid file, and its end is told with its last words."""

import os
import signal
import sys

import pytest

from tests.cluster import process
from tests.cluster.probe import eventually
from tests.cluster.process import CrashError, Process


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Pid files and logs of our own."""
    monkeypatch.setattr(process, "STATE", tmp_path)
    return tmp_path


@pytest.fixture
def part():
    """Something that runs until it is told to end."""
    process = Process("part", ["sleep", "600"])
    yield process
    process.down()


def test_it_runs_apart_in_a_session_of_its_own(part):
    part.up()
    assert part.pid
    assert os.getsid(part.pid) == part.pid != os.getsid(0)


def test_a_second_start_leaves_it_alone(part):
    part.up()
    first = part.pid
    Process("part", ["sleep", "600"]).up()
    assert part.pid == first


def test_who_knows_its_name_alone_can_end_it(part):
    part.up()
    pid = part.pid
    Process("part").down()
    assert part.pid is None
    assert not part.crashed
    assert process._started(pid) == ""


def test_what_does_not_hear_is_ended_by_force():
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    part = Process("deaf", [sys.executable, "-c", deaf])
    object.__setattr__(part, "ready", lambda: "deaf" in part.log.read_text())
    part.up()
    pid = part.pid
    part.down(grace_s=0.2)
    eventually(lambda: process._started(pid) == "")


def test_an_end_before_it_is_ready_is_named_with_the_last_lines_of_its_log():
    part = Process(
        "etcd",
        ["sh", "-c", "for i in $(seq 30); do echo line $i; done; echo 'address already in use'; exit 1"],
        lambda: False,
    )
    with pytest.raises(CrashError, match=r"etcd has ended.*etcd\.log:\n(.*\n)*    address already in use") as told:
        part.up()
    assert "line 30" in str(told.value)
    assert "line 5\n" not in str(told.value)


def test_one_that_is_never_ready_is_named_too(part):
    slow = Process("part", ["sleep", "600"], lambda: False)
    with pytest.raises(CrashError, match=r"part is not ready after 0 s\..*\n    \(empty\)"):
        slow.up(timeout_s=0.3)


def test_one_that_was_killed_counts_as_crashed_and_can_be_started_again(part):
    part.up()
    os.kill(part.pid, signal.SIGKILL)
    eventually(lambda: part.crashed)
    part.up()
    assert part.pid
    assert not part.crashed


def test_a_process_id_that_the_kernel_gave_to_another_is_not_taken_for_it(part, state):
    part.up()
    pid, started = part.pid_file.read_text().split()
    part.pid_file.write_text(f"{os.getpid()} {started}")
    assert part.pid is None
    Process("part").down()
    os.kill(int(pid), signal.SIGKILL)


@pytest.mark.parametrize("text", ["", "abc", "1", "1 2 3"], ids=["empty", "no number", "no time", "too much"])
def test_a_broken_pid_file_is_a_part_that_does_not_run(text, state):
    (state / "run").mkdir()
    (state / "run/part.pid").write_text(text)
    assert Process("part").pid is None
