"""An API server of this process, and a job for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proseform import launch as launchers
from proseform.kube import launcher
from proseform.kube.api import Api
from tests.kube.server import Server, reached


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    with reached(server, "here") as api:
        yield api


@pytest.fixture
def job(tmp_path: Path) -> launchers.Job:
    (tmp_path / "out").mkdir()
    return launchers.Job(
        "sft-evaluator", str(tmp_path / "work"), str(tmp_path / "out"), {"base": "file:///b#sha256:" + "1" * 64}
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher polls fifty times a second."""
    monkeypatch.setattr(launcher, "_POLL_S", 0.02)
