"""The warm worker: what it forks cannot be told from what torchrun starts, and ends with whoever asked for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proseform import launch, warm
from proseform.errors import ConfigError, StageError
from tests.test_launch import gone, module, wait_for
from tests.waiting import until


@contextlib.contextmanager
def started(folder: Path, *modules: str) -> Iterator[subprocess.Popen[bytes]]:
    """A warm process that imports some modules first; its socket is ``warm`` in the folder."""
    process = subprocess.Popen([sys.executable, "-m", "proseform.warm", str(folder / "warm"), *modules])
    until((folder / "warm").exists, lambda: process.poll() is None)
    assert process.poll() is None
    yield process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the socket of a warm process lies, which has what the store of every job needs."""
    made = tmp_path_factory.mktemp("warm")
    with started(made, "torch.distributed"):
        yield made


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher asks the warm process."""
    monkeypatch.setenv(warm.SOCKET, str(folder / "warm"))


def _job(folder: Path, world_size: int = 1) -> launch.Job:
    return launch.Job("sft", str(folder / "work"), str(folder / "out"), world_size=world_size)


SAY = """import os, json
keys = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "OMP_NUM_THREADS")
with open(f"{job.out}/rank-{os.environ['RANK']}", "w") as file:
    json.dump({**{key: os.environ[key] for key in keys}, "parent": os.getppid()}, file)
"""


@pytest.mark.usefixtures("server")
def test_every_rank_is_forked_with_torchruns_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = _job(tmp_path, world_size=2)
    launch.Local().run(module(tmp_path, SAY, monkeypatch), job)
    ranks = [json.loads((Path(job.out) / f"rank-{rank}").read_text()) for rank in (0, 1)]
    assert [rank["RANK"] for rank in ranks] == ["0", "1"]
    assert {rank["WORLD_SIZE"] for rank in ranks} == {"2"}
    assert {rank["OMP_NUM_THREADS"] for rank in ranks} == {"1"}
    assert ranks[0]["parent"] == ranks[1]["parent"]


@pytest.mark.usefixtures("server")
def test_a_workers_own_words_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module(
        tmp_path, "from proseform.errors import ConfigError; raise ConfigError('no', hint='yes')", monkeypatch
    )
    with pytest.raises(ConfigError, match="no yes"):
        launch.Local().run(name, _job(tmp_path))
    assert "Traceback" in (tmp_path / "work" / launch.LOG).read_text()


@pytest.mark.usefixtures("server")
def test_one_rank_that_fails_ends_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "import os\nif os.environ['RANK'] == '1': os._exit(7)\ntime.sleep(600)"
    with pytest.raises(StageError, match="ended with code 7"):
        launch.Local().run(module(tmp_path, body, monkeypatch), _job(tmp_path, world_size=2))


@pytest.mark.usefixtures("server")
def test_ranks_end_with_whoever_asked_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module(
        tmp_path, f"open('{tmp_path}/pid', 'w').write(str(__import__('os').getpid())); time.sleep(600)", monkeypatch
    )
    script = (
        f"from proseform import launch; launch.Local().run({name!r}, launch.Job('sft', '{tmp_path}/w', '{tmp_path}/o'))"
    )
    asker = subprocess.Popen([sys.executable, "-c", script])
    pid = wait_for(tmp_path / "pid")
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    assert gone(pid)


def test_ranks_end_with_the_warm_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(warm.SOCKET, str(tmp_path / "warm"))
    name = module(
        tmp_path, f"open('{tmp_path}/pid', 'w').write(str(__import__('os').getpid())); time.sleep(600)", monkeypatch
    )
    script = (
        f"from proseform import launch; launch.Local().run({name!r}, launch.Job('sft', '{tmp_path}/w', '{tmp_path}/o'))"
    )
    with started(tmp_path, "json") as server:
        asker = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
        pid = wait_for(tmp_path / "pid")
        server.send_signal(signal.SIGKILL)
    assert gone(pid)
    assert "SIGKILL" in asker.communicate()[1]


def test_nothing_is_imported_before_somebody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv(warm.SOCKET, str(tmp_path / "warm"))
    (tmp_path / "imported_late.py").write_text(
        f"from pathlib import Path\nfolder = Path({str(tmp_path)!r})\n"
        "(folder / 'new').write_text('yes' if (folder / 'asked').exists() else 'no')\n"
        "(folder / 'new').rename(folder / 'was-asked')\n"
    )
    with started(tmp_path, "imported_late"):
        (tmp_path / "asked").touch()
        warm.wake()
        until((tmp_path / "was-asked").exists)
        job = _job(tmp_path)
        launch.Local().run(module(tmp_path, SAY, monkeypatch), job)
    assert (tmp_path / "was-asked").read_text() == "yes"
    assert (Path(job.out) / "rank-0").exists()


def test_waking_nobody_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(warm.SOCKET, raising=False)
    warm.wake()
    monkeypatch.setenv(warm.SOCKET, str(tmp_path / "nobody"))
    warm.wake()


def test_without_a_warm_process_there_is_nobody_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that nobody listens on, and none at all: the launcher goes on to torchrun."""
    arguments = ("m", tmp_path / "job.json", 1, tmp_path / "log", dict(os.environ))
    monkeypatch.delenv(warm.SOCKET, raising=False)
    assert warm.run(*arguments) is None
    monkeypatch.setenv(warm.SOCKET, str(tmp_path / "nobody"))
    assert warm.run(*arguments) is None
