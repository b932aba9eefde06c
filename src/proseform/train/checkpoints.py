"""Checkpoints that survive a kill in the middle of a save.

A trainer writes a checkpoint file by file. Here a checkpoint counts once it is *sealed*: a seal, written last and
by rename, lists every file with its size. A checkpoint without a seal, or with a file of another size than its seal
says, is skipped in favour of the one before; two are kept, so there is always one before.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from proseform import store

SEAL = "seal.json"
FOLDER = "checkpoints"


def seal(checkpoint: Path, world_size: int) -> None:
    """Seal a checkpoint that is wholly written: every file with its size in bytes."""
    files = {
        path.relative_to(checkpoint).as_posix(): path.stat().st_size
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file()
    }
    store.write_json(checkpoint / SEAL, {"world_size": world_size, "files": files})


def latest(folder: Path, world_size: int) -> Path | None:
    """The newest sealed and whole checkpoint made by that many processes, or None.

    Args:
        folder: Holds ``checkpoint-<step>`` folders.
        world_size: Each process resumes its own random state, so another number of processes begins anew.
    """
    return next((path for path in sorted(_all(folder), key=step, reverse=True) if _whole(path, world_size)), None)


def step(checkpoint: Path) -> int:
    """The optimiser step that a checkpoint was made after."""
    return int(checkpoint.name.rsplit("-", 1)[-1])


def sweep(folder: Path, keep: Path | None) -> None:
    """Remove every checkpoint newer than the one that is kept: the trainer would count and rotate broken ones."""
    for path in _all(folder):
        if keep is None or step(path) > step(keep):
            shutil.rmtree(path, ignore_errors=True)


def _all(folder: Path) -> list[Path]:
    """Every checkpoint folder, broken ones too."""
    return [path for path in folder.glob("checkpoint-*") if path.is_dir() and path.name.rsplit("-", 1)[-1].isdigit()]


def _whole(checkpoint: Path, world_size: int) -> bool:
    """Whether everything that the seal lists is there."""
    try:
        listed = json.loads((checkpoint / SEAL).read_text())
        same = all((checkpoint / name).stat().st_size == size for name, size in listed["files"].items())
        return same and bool(listed["world_size"] == world_size)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
