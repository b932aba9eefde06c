"""Python for pods: a Debian with an interpreter as the image, and packages on a volume that pods mount read-only.

What is heavy (PyTorch, vLLM) need not be baked into images: each set of packages lies in a folder of its own, under the
digest of its lock, installed once and with its bytecode, since no pod may write it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster import debian, images
from tests.cluster.places import CACHE
from tests.images import build

FOLDER = CACHE / "python"
"""Holds the sets; the volume."""
MOUNT = "/opt/python"
"""Where pods mount it."""
_PACKAGES = "site-packages"
"""dill, by which datasets are told apart, takes for a library what has this in its path, and pickles everything else whole."""
_LOCKS = {"platform": ("torch", "platform", "weights"), "vllm": ("vllm",)}
_OURS = ("components", "pipelines")
"""Doors and story, which the package never imports and its wheel leaves out."""


def image() -> str:
    """Debian with Python, handed to the node unless it has it; its name by digest."""
    name = f"proseform.local/python:{debian.ROOT.name}"
    settings = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "User": str(images.NOBODY), "WorkingDir": "/tmp"}
    return images.pinned(name) or images.load_folder(debian.root(), name, settings)


def packages(name: str) -> str:
    """A set of packages for PYTHONPATH, as pods see it; with Proseform before what trains.

    Args:
        name: ``platform`` holds what trains, ``vllm`` what serves models.
    """
    locks = [f"requirements/{lock}.txt" for lock in _LOCKS[name]]
    words = [word for lock in locks for word in ("-r", lock)]
    heavy = _kept(f"{name}-{build.key(locks)}", lambda folder: _install(folder, "--require-hashes", *words))
    folders = [_proseform(), heavy] if name == "platform" else [heavy]
    return ":".join(f"{MOUNT}/{folder}/{_PACKAGES}" for folder in folders)


def _proseform() -> str:
    """The folder of Proseform's own code."""

    def fill(folder: Path) -> None:
        _install(folder, str(build.wheel()))
        for ours in _OURS:
            shutil.copytree(build.ROOT / ours, folder / _PACKAGES / ours, ignore=shutil.ignore_patterns("__pycache__"))

    return _kept(f"proseform-{build.key(('src', 'pyproject.toml', *_OURS))}", fill)


def _kept(name: str, fill: Callable[[Path], None]) -> str:
    """A folder of :data:`FOLDER`, filled unless it is there; its name."""
    if not (FOLDER / name).is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=FOLDER))
        unfinished.chmod(0o755)
        fill(unfinished)
        unfinished.rename(FOLDER / name)
    return name


def _install(folder: Path, *what: str) -> None:
    """Install packages into a set's folder."""
    into = str(folder / _PACKAGES)
    build.uv(
        "pip", "install", "-q", "--no-deps", "--compile-bytecode", "--python", sys.executable, "--target", into, *what
    )
