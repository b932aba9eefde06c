"""Python for pods: a Debian with an interpreter as the image, and packages on a volume that pods mount read-only.

So heavy packages (PyTorch, vLLM) are not in the images. Each set of packages has its own folder, under the digest of
its lock; it is installed once, with its bytecode, since no pod may write it.
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
"""The folder of all sets, which is the volume."""
MOUNT = "/opt/python"
"""Where pods mount it."""
_PACKAGES = "site-packages"
"""The name matters: datasets hashes functions by dill, which pickles a module whole unless its path has this in it."""
_LOCKS = {"platform": ("torch", "platform", "weights"), "vllm": ("vllm",)}
_OURS = ("components", "pipelines")
"""Components and pipelines, which are not in the package's wheel."""


def image() -> str:
    """Debian with Python, loaded into the node unless it is there; its name by digest."""
    name = f"proseform.local/python:{debian.ROOT.name}"
    settings = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "User": str(images.NOBODY), "WorkingDir": "/tmp"}
    return images.pinned(name) or images.load_folder(debian.root(), name, settings)


def packages(name: str) -> str:
    """A set of packages as PYTHONPATH in pods; ``platform`` has Proseform in front.

    Args:
        name: ``platform`` for training, ``vllm`` for engines.
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
    """The name of a folder in :data:`FOLDER`, which is filled unless it exists."""
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
