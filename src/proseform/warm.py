"""A warm process, which has imported the training libraries and forks one worker for each rank of a job.

Importing PyTorch, transformers and TRL takes longer than making a tiny model, and a run on one machine needs them in
every rank of every training stage. So the pipeline's runner starts ``python -m proseform.warm SOCKET MODULE…`` beside
the first stage; it imports the modules at the first connection and then forks. :class:`proseform.launch.Local`
connects to the socket that ``PROSEFORM_WARM`` names, and starts torchrun if there is none. A stage that knows that
training will follow calls :func:`wake`; a run that adopts what was trained before imports nothing.

A job is one connection. The job's ranks end when it closes, and when any process between them and the runner ends.
A worker sees what torchrun gives it: the same environment variables, and a store that is open already. Left out:
restarts, several machines, and GPUs (an initialised CUDA does not survive a fork, and nothing here initialises it).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from proseform.lifetime import end_with_parent

SOCKET = "PROSEFORM_WARM"
"""The environment variable that names the socket."""

MODULES = (
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "peft",
    "trl.trainer.sft_trainer",
    "trl.trainer.grpo_trainer",
)
"""What training workers import; TRL imports a trainer only when it is named."""

_GRACE_S = 10.0
_HOST = "127.0.0.1"


def run(worker: str, job: Path, world_size: int, log: Path, environment: Mapping[str, str]) -> int | None:
    """Run a worker's ranks to their end.

    Args:
        worker: The worker's module.
        job: The job as JSON.
        world_size: Ranks.
        log: Their output is appended here.
        environment: Their environment; the variables of each rank are added.

    Returns:
        0, or the exit code of the first rank that failed (below 0: minus the signal that ended it); None without a
        warm process.
    """
    path = os.environ.get(SOCKET)
    if not path:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(path)
        except OSError:
            return None
        request = {
            "worker": worker,
            "job": str(job),
            "world_size": world_size,
            "log": str(log),
            "folder": str(Path.cwd()),
            "environment": dict(environment),
        }
        connection.sendall(json.dumps(request).encode() + b"\n")
        reply = _line(connection)
    return int(reply) if reply else -signal.SIGKILL


def wake() -> None:
    """Let the warm process import, if there is one; returns at once. A job would do so too, and would wait for it."""
    if path := os.environ.get(SOCKET):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, contextlib.suppress(OSError):
            connection.connect(path)


def serve(path: Path, modules: tuple[str, ...]) -> NoReturn:
    """Listen, import at the first connection, and fork a supervisor for each; ends with its parent.

    Whoever connects waits in the socket's queue for the imports, instead of importing for itself.
    """
    end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no supervisor becomes a zombie
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        bound = Path(f"{path}~")
        bound.unlink(missing_ok=True)
        listening.bind(str(bound))
        bound.chmod(0o600)
        listening.listen()
        bound.rename(path)  # who sees it can connect
        select.select([listening], [], [])
        for module in modules:
            importlib.import_module(module)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _guarded(_supervise, connection)
            connection.close()


def _supervise(connection: socket.socket) -> int:
    """Fork a job's ranks, wait for them, and answer with the exit code."""
    end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line = _line(connection)
    if not line:  # somebody who woke this process, and wants nothing else
        return 0
    request: dict[str, Any] = json.loads(line)
    store, port = _store()
    ranks = [_fork(_rank, request, rank, port) for rank in range(request["world_size"])]
    code = _wait(ranks, connection)
    os.kill(store, signal.SIGKILL)
    with contextlib.suppress(OSError):  # the client has closed the connection
        connection.sendall(f"{code}\n".encode())
    return 0


def _wait(ranks: list[int], connection: socket.socket) -> int:
    """The first failure's exit code, or 0; after a failure or a closed connection the other ranks are ended."""
    running = {os.pidfd_open(pid): pid for pid in ranks}
    asker = connection.fileno()
    code = 0
    deadline: float | None = None
    while running:
        patience = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([*running, *([asker] if deadline is None else [])], [], [], patience)
        if not ready:  # the grace is over
            _signal(running.values(), signal.SIGKILL)
            deadline = time.monotonic() + _GRACE_S
        for descriptor in ready:
            if descriptor == asker:
                code = code or -signal.SIGTERM
                continue
            pid = running.pop(descriptor)
            code = code or os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os.close(descriptor)
        if code and deadline is None:
            _signal(running.values(), signal.SIGTERM)
            deadline = time.monotonic() + _GRACE_S
    return code


def _signal(pids: Any, number: signal.Signals) -> None:
    """Send a signal to processes, some of which may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _rank(request: dict[str, Any], rank: int, port: int) -> int:
    """Be one rank of a job."""
    end_with_parent()
    world = str(request["world_size"])
    os.environ.clear()
    os.environ |= {
        **request["environment"],
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "ROLE_RANK": str(rank),
        "WORLD_SIZE": world,
        "LOCAL_WORLD_SIZE": world,
        "GROUP_WORLD_SIZE": "1",
        "ROLE_WORLD_SIZE": world,
        "MASTER_ADDR": _HOST,
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "warm",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_MAX_RESTARTS": "0",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    with Path(request["log"]).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    os.chdir(request["folder"])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in paths if path and path not in sys.path]
    sys.argv = [request["worker"], "--job", request["job"]]
    runpy.run_module(request["worker"], run_name="__main__", alter_sys=True)
    return 0


def _store() -> tuple[int, int]:
    """Start a process that holds the ranks' rendezvous store; its id, and the port that the kernel chose."""
    reading, writing = os.pipe()
    pid = _fork(_hold_store, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        return pid, int(pipe.readline() or 0)


def _hold_store(writing: int) -> int:
    """Hold the store until this process is killed."""
    end_with_parent()
    from torch.distributed import TCPStore

    store = TCPStore(_HOST, 0, is_master=True, wait_for_workers=False)
    os.write(writing, f"{store.port}\n".encode())
    signal.pause()
    return 0


def _fork(function: Any, *arguments: Any) -> int:
    """Fork a child that calls a function and ends; its process id."""
    pid = os.fork()
    if pid == 0:
        _guarded(function, *arguments)
    return pid


def _guarded(function: Any, *arguments: Any) -> NoReturn:
    """Call, and end this process as Python would; never return into the frames of the forking process."""
    code: Any = 1
    try:
        code = function(*arguments)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - the last frame of a process: printed, and its exit code says so
        traceback.print_exc()
    finally:
        with contextlib.suppress(ValueError, OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _line(connection: socket.socket) -> bytes:
    """One line; empty if the other side has closed the connection."""
    with connection.makefile("rb") as file:
        return file.readline()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), tuple(sys.argv[2:]))
