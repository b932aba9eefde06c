"""Which checkpoint a resumed run may trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from proseform.train import checkpoints


def _checkpoint(folder: Path, step: int, *, sealed: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights" * step)
    (path / "trainer_state.json").write_text("{}")
    if sealed:
        checkpoints.seal(path, 1)
    return path


def test_the_newest_by_number_is_taken(tmp_path: Path) -> None:
    _checkpoint(tmp_path, 95)
    newest = _checkpoint(tmp_path, 100)
    assert checkpoints.latest(tmp_path, 1) == newest


def _truncate(path: Path) -> None:
    (path / "model.safetensors").write_bytes(b"w")


def _lose(path: Path) -> None:
    (path / "trainer_state.json").unlink()


def _break(path: Path) -> None:
    (path / checkpoints.SEAL).write_text('{"files": ')


def _unseal(path: Path) -> None:
    (path / checkpoints.SEAL).unlink()


@pytest.mark.parametrize("harm", [_truncate, _lose, _break, _unseal])
def test_a_harmed_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, harm: object) -> None:
    before, newest = _checkpoint(tmp_path, 50), _checkpoint(tmp_path, 100)
    harm(newest)  # type: ignore[operator]
    assert checkpoints.latest(tmp_path, 1) == before
    checkpoints.sweep(tmp_path, before)
    assert not newest.exists()


def test_another_number_of_processes_begins_anew(tmp_path: Path) -> None:
    _checkpoint(tmp_path, 50)
    assert checkpoints.latest(tmp_path, 2) is None


def test_nothing_is_there_at_first(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path / "none", 1) is None
