"""Leases: one process at a time changes a model's aliases, whichever process dies."""

import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from proseform import registry
from proseform.errors import RegistryError
from proseform.lifetime import end_with_parent
from proseform.registry import aliases, attachments, lease, models
from proseform.registry.models import CHAMPION, PREVIOUS
from tests.waiting import PATIENCE_S

PROCESSES = 8
ROUNDS = 2
RACE = """
import os, sys
from pathlib import Path
from proseform import registry
from proseform.registry import aliases, lease, library
home, uri, name, log, rounds, processes = sys.argv[1:]
library()
lease.LEASE_S, lease.PATIENCE_S = 1800.0, 7200.0  # nobody dies here; a slow machine is no fault
children = []
for number in range(int(processes)):
    child = os.fork()
    if child == 0:
        opened = registry.connect(Path(home), uri)
        file = os.open(log, os.O_WRONLY | os.O_APPEND)
        for _ in range(int(rounds)):
            with lease.hold(opened, name) as held:
                os.write(file, f"in {os.getpid()}\\n".encode())
                held.check()
                os.write(file, f"out {os.getpid()}\\n".encode())
            aliases.promote(opened, name, str(1 + number % 2))
        os._exit(0)
    children.append(child)
sys.exit(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children))
"""
POSTGRES = Path("/usr/lib/postgresql/15/bin")


def raced(home, uri, name, tmp_path):
    """Eight processes hold the lease and promote, twice each; the log of who held it when."""
    log = tmp_path / "log"
    log.touch()
    done = subprocess.run(
        [sys.executable, "-c", RACE, str(home), uri, name, str(log), str(ROUNDS), str(PROCESSES)],
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return log.read_text().split("\n")[:-1]


def one_at_a_time(lines):
    """Each holder releases the lease before the next one gets it."""
    assert len(lines) == 2 * PROCESSES * ROUNDS
    for inside, outside in zip(lines[::2], lines[1::2], strict=True):
        assert inside.split()[0] == "in"
        assert outside == inside.replace("in", "out")


def ended_well(opened, name):
    """Two versions, two aliases, no open move, and one lease, which is released."""
    known = models.aliases(opened, name)
    assert set(known) >= {CHAMPION, PREVIOUS}
    assert known[CHAMPION] != known[PREVIOUS]
    assert aliases.MOVE not in opened.client.get_registered_model(name).tags
    (left,) = opened.client.search_registered_models(f"name LIKE '{name}-lock.%'")
    assert lease.RELEASED in left.tags


def test_eight_processes_take_turns_on_sqlite(mlflow, home, name, promotable, tmp_path):
    promotable(1)
    promotable(2)
    one_at_a_time(raced(home, mlflow.uri, name, tmp_path))
    ended_well(mlflow, name)


@pytest.fixture(scope="module")
def server():
    """An MLflow server on PostgreSQL; its URL."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    if not (POSTGRES / "postgres").exists() or os.geteuid() != 0 or shutil.which("runuser") is None:
        pytest.skip("no Debian postgresql-15, or not root: the race runs on SQLite alone")
    folder = Path(tempfile.mkdtemp(prefix="proseform-postgres-"))  # pytest's own folders are for their owner alone
    shutil.chown(folder, "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"]
    subprocess.run(
        [*as_postgres, POSTGRES / "initdb", "-A", "trust", "-D", folder / "db"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    port, database = free_port(), free_port()
    options = f"-c listen_addresses=127.0.0.1 -p {database} -c unix_socket_directories={folder} -c fsync=off"
    start = [*as_postgres, POSTGRES / "pg_ctl", "-D", folder / "db", "-o", options, "-w", "-l", folder / "log"]
    subprocess.run([*start, "start"], check=True, capture_output=True, cwd="/")
    log = (folder / "mlflow.log").open("wb")
    command = [  # one worker: the supervisor of several ends those that are slow to start
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"postgresql+psycopg2://postgres@127.0.0.1:{database}/postgres"),
        *("--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts"),
    ]
    alone = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # its job runners are seven more processes
    process = subprocess.Popen(
        command,
        stdout=log,
        stderr=log,
        cwd=folder,
        env=alone,
        start_new_session=True,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - one prctl, no locks
    )
    try:
        url = f"http://127.0.0.1:{port}"
        while True:
            assert process.poll() is None, (folder / "mlflow.log").read_text()[-3000:]
            try:
                if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                threading.Event().wait(0.5)
        yield url
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
        process.wait(PATIENCE_S)
        subprocess.run(
            [*as_postgres, POSTGRES / "pg_ctl", "-D", folder / "db", "-m", "immediate", "stop"], check=False, cwd="/"
        )
        shutil.rmtree(folder, ignore_errors=True)


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def test_eight_processes_take_turns_on_a_server_with_postgresql(server, home, bundles, verdict, tmp_path):
    opened, name = registry.connect(home, server), "proseform-race"
    for number in (1, 2):
        version = models.register(opened, bundles(number), name=name)
        attachments.judge(opened, version, verdict(version.bundle))
    one_at_a_time(raced(home, server, name, tmp_path))
    ended_well(opened, name)
    assert models.fetch(opened, name, CHAMPION, tmp_path / "fetched").is_dir()


def owned(mlflow, name, generation, owner, **tags):
    """A generation that some process has left."""
    mlflow.client.create_registered_model(
        f"{name}-lock.{generation}", tags={lease.LOCK: name, lease.OWNER: owner, **tags}
    )


def generations(mlflow, name):
    """The generations that exist."""
    return sorted(model.name for model in mlflow.client.search_registered_models(f"name LIKE '{name}-lock.%'"))


def test_the_lease_of_a_process_that_has_ended_is_taken_at_once(mlflow, name):
    child = multiprocessing.get_context("fork").Process(target=lambda: None)
    child.start()
    dead = lease._process().split("/")
    child.join()
    owned(mlflow, name, 4, "/".join([*dead[:2], str(child.pid), "1", "token"]))
    with lease.hold(mlflow, name):
        assert generations(mlflow, name) == [f"{name}-lock.5"]


def test_the_lease_of_another_machine_is_taken_after_it_stood_for_long(mlflow, name, monkeypatch):
    owned(mlflow, name, 1, "elsewhere/boot.1/7/8/token")
    monkeypatch.setattr(lease, "LEASE_S", 0.4)
    with lease.hold(mlflow, name):
        assert generations(mlflow, name) == [f"{name}-lock.2"]


def test_a_lease_that_is_held_for_too_long_is_an_error_that_names_the_machine(mlflow, name, monkeypatch):
    owned(mlflow, name, 1, "elsewhere/boot.1/7/8/token")
    monkeypatch.setattr(lease, "PATIENCE_S", 0.2)
    with pytest.raises(RegistryError, match="changed by another process on elsewhere"), lease.hold(mlflow, name):
        pass
    assert generations(mlflow, name) == [f"{name}-lock.1"]


def test_a_generation_that_was_made_by_a_stale_view_gives_way(mlflow, name, monkeypatch):
    """It saw generation 1 free; meanwhile 2 and 3 were created and deleted, and 4 is held."""
    owned(mlflow, name, 4, "elsewhere/boot.1/7/8/token")
    real, calls = lease._chain, []

    def chain(*args):
        calls.append(args)
        return {} if len(calls) == 1 else real(*args)

    monkeypatch.setattr(lease, "_chain", chain)
    monkeypatch.setattr(lease, "PATIENCE_S", 0.2)
    with pytest.raises(RegistryError, match="another process"), lease.hold(mlflow, name):
        pass
    assert generations(mlflow, name) == [f"{name}-lock.4"]


def test_a_generation_that_is_deleted_while_it_is_refused_to_another_is_tried_again(mlflow, name, monkeypatch):
    """MLflow looks up the model that stands in the way, and says that it does not exist."""
    real, refused = type(mlflow.client).create_registered_model, []

    def create(client, lock, **about):
        if not refused:
            refused.append(lock)
            raise MlflowException(f"Registered Model with name={lock} not found", RESOURCE_DOES_NOT_EXIST)
        return real(client, lock, **about)

    monkeypatch.setattr(type(mlflow.client), "create_registered_model", create)
    with lease.hold(mlflow, name):
        assert generations(mlflow, name) == [f"{name}-lock.1"] == refused


def test_an_old_lease_writes_nothing_more(mlflow, name, monkeypatch):
    monkeypatch.setattr(lease, "LEASE_S", -1.0)
    with pytest.raises(RegistryError, match="took longer than its lease"), lease.hold(mlflow, name) as held:
        held.check()


def test_threads_of_a_process_take_turns(mlflow, name):
    inside, most = [], []

    def work():
        with lease.hold(mlflow, name):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_leases_are_no_models_that_errors_name(mlflow, name):
    with lease.hold(mlflow, name):
        pass
    with pytest.raises(RegistryError, match="No model") as caught:
        models.aliases(mlflow, name)
    assert "-lock." not in str(caught.value)
