"""A launcher starts a worker and waits for it; a worker cannot tell which launcher started it.

A worker is the *name* of a module, such as ``proseform.train.grpo``, whose ``main(job)`` does the work. It gets a job
as JSON: references to its inputs, a folder for its output, and one for checkpoints and progress. Here the launcher is
a warm process or torchrun on this machine; on a cluster a PyTorchJob or TrainJob follows the same protocol.

Workers end when their parent does, by a parent-death signal: torchrun starts its workers in sessions of their own, so
if only the parent were killed, they would go on writing beside the next run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from proseform import errors, store, warm
from proseform.errors import ProseformError, StageError
from proseform.lifetime import end_with_parent

PROGRESS = "progress.jsonl"
ERROR = "error.json"
LOG = "worker.log"
JOB = "job.json"
_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class Job:
    """The input of a worker.

    Attributes:
        stage: The step's name, such as ``sft-evaluator``.
        work: Folder for checkpoints, ``progress.jsonl`` and ``error.json``; survives an interruption.
        out: Folder for the output; rank 0 fills it, and it is complete when the worker exits with 0.
        inputs: Name to reference, each as ``<uri>#<digest>``.
        settings: The resolved configuration that the worker needs, as JSON.
        world_size: The number of processes; the worker refuses to run with another number.
        threads: Threads of each process.
        libraries: Versions of the libraries that the stage's key holds; the worker refuses to run on others.
    """

    stage: str
    work: str
    out: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    world_size: int = 1
    threads: int = 1
    libraries: Mapping[str, str] = field(default_factory=dict)

    def input(self, name: str) -> Path:
        """An input as a local folder; one rank verifies it for all."""
        return store.fetch(store.Ref.parse(self.inputs[name]), Path(self.work) / "inputs", shared=True)

    def progress(self, done: int, total: int, **figures: float | str) -> None:
        """Append a line to ``progress.jsonl``, on rank 0 alone.

        Args:
            done: Units done, from 0 to total.
            total: Units in all.
            figures: Figures to show beside them.
        """
        if int(os.environ.get("RANK", "0")) == 0:
            report_progress(Path(self.work), done, total, **figures)


class Launcher(Protocol):
    """Starts workers."""

    def run(self, worker: str, job: Job) -> None:
        """Run a worker to its end.

        Raises:
            StageError: It failed; the message is the worker's.
        """


class Local:
    """Processes on this machine: forked from the warm worker if there is one, else started by torchrun."""

    def run(self, worker: str, job: Job) -> None:
        """See :meth:`Launcher.run`."""
        prepare(job)
        env = {
            **os.environ,
            "OMP_NUM_THREADS": str(job.threads),
            "MKL_NUM_THREADS": str(job.threads),
            "TOKENIZERS_PARALLELISM": "false",
        }
        work = Path(job.work)
        code = warm.run(worker, work / JOB, job.world_size, work / LOG, env)
        if code is None:
            code = _torchrun(worker, job, env)
        if code != 0:
            raise failure(job, code)


def prepare(job: Job) -> None:
    """Prepare the folders of a job: an empty output, the job as JSON, and no error of an earlier try."""
    work = Path(job.work)
    work.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(job.out, ignore_errors=True)
    Path(job.out).mkdir(parents=True)
    (work / ERROR).unlink(missing_ok=True)
    store.write_json(work / JOB, asdict(job))


def argv(worker: str, job: Job) -> list[str]:
    """The command line of a local worker."""
    run = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={job.world_size}",
        "--max-restarts=0",
    ]
    return [*run, "-m", worker, "--job", f"{job.work}/{JOB}"]


def worker(main: Callable[[Job], None]) -> None:
    """The entry point of every worker module: read the job, check world size and libraries, call ``main``.

    The world size is checked since a process that is started with MASTER_* alone sees 1, silently. An exception is
    written to ``error.json`` and raised again.
    """
    end_with_parent()
    job = Job(**json.loads(Path(sys.argv[sys.argv.index("--job") + 1]).read_text()))
    try:
        _check_world(job)
        check_libraries(job.libraries, job.stage)
        main(job)
    except Exception as error:
        write_error(Path(job.work), error)
        raise


def _check_world(job: Job) -> None:
    """Check that the job runs in as many processes as it asks for.

    Raises:
        StageError: It does not.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world != job.world_size:
        raise StageError(
            f"{job.stage}: {world} processes are here, {job.world_size} were asked for.", hint="Start it by torchrun."
        )


def check_libraries(locked: Mapping[str, str], stage: str) -> None:
    """Check that the installed libraries are those of the stage's key; local suffixes such as +cpu do not count.

    Raises:
        StageError: They are not; each library is named, with the installed and the locked version.
    """
    here = {}
    for name in locked:
        try:
            here[name] = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            here[name] = ""
    others = [
        f"{name} {here[name] or 'is missing'}, locked is {locked[name]}"
        for name in locked
        if here[name] != locked[name]
    ]
    if others:
        changed = " ".join(f"{name}={here[name]}" for name in locked if here[name] not in {"", locked[name]})
        hint = f' To try others, lock them for the whole run: PROSEFORM_LIBRARIES="{changed}".' if changed else ""
        raise StageError(
            f"{stage}: other libraries are here than its key says: {'; '.join(others)}.",
            hint=f"Install what requirements/ locks (make setup).{hint}",
        )


def report_progress(work: Path, done: int, total: int, **figures: float | str) -> None:
    """Append one line to a stage's ``progress.jsonl``: ``t`` (Unix seconds), ``done``, ``total`` and figures."""
    with (work / PROGRESS).open("a") as file:
        file.write(json.dumps({"t": round(time.time(), 2), "done": done, "total": total, **figures}) + "\n")


def write_error(work: Path, error: BaseException) -> None:
    """Write the reason of a failure to ``error.json``, unless another rank has written one."""
    if (work / ERROR).exists():
        return
    store.write_json(work / ERROR, words(error))


def words(error: BaseException) -> dict[str, Any]:
    """An error as JSON; of an exception that is not a :class:`ProseformError`, its type and text."""
    if isinstance(error, ProseformError):
        return error.as_dict()
    return {"type": type(error).__name__, "message": f"{type(error).__name__}: {error}", "hint": "", "retryable": False}


def failure(job: Job, code: int) -> ProseformError:
    """The error of a worker that exited with a code: from its ``error.json``, else from the end of its log."""
    path = Path(job.work) / ERROR
    if path.exists():
        stated = json.loads(path.read_text())
        kind = getattr(errors, stated["type"], StageError)
        kind = (
            kind
            if isinstance(kind, type) and issubclass(kind, ProseformError) and kind is not errors.Refusal
            else StageError
        )
        error: ProseformError = kind(stated["message"], hint=stated["hint"] or f"The log is {job.work}/{LOG}.")
        return error
    lines = (Path(job.work) / LOG).read_text(errors="replace").strip().splitlines()
    ended = f"was ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return StageError(
        f"{job.stage}: its worker {ended}. {lines[-1] if lines else ''}", hint=f"The log is {job.work}/{LOG}."
    )


def _torchrun(worker: str, job: Job, env: Mapping[str, str]) -> int:
    """Run a worker by a torchrun of its own; its exit code."""
    with (Path(job.work) / LOG).open("ab") as log:
        process = subprocess.Popen(
            argv(worker, job),
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one prctl, no locks
        )
        try:
            return process.wait()
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate torchrun, which ends its workers; kill it after a grace period."""
    process.terminate()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
