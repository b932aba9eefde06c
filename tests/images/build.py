"""Our images for tests: built by buildah on Debian, once for each state of their sources."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.cluster import debian

ROOT = Path(__file__).resolve().parents[2]
WHEELS = ROOT / "build" / "wheels"
SOURCES = {
    "serve": ("images/serve", "requirements", "src", "pyproject.toml"),
    "pipeline": ("images/pipeline", "requirements", "src", "pyproject.toml", "components", "pipelines"),
}
"""Files and folders that an image is built from."""


def image(name: str, **arguments: str) -> str:
    """An image of ours in buildah's store; its name.

    Args:
        name: Of :data:`SOURCES`.
        arguments: Build arguments.
    """
    tagged = (
        f"proseform.local/{name}:{key(SOURCES[name], *(f'{one}={other}' for one, other in sorted(arguments.items())))}"
    )
    if not debian.has(tagged):
        wheel()
        debian.build(ROOT / "images" / name / "Containerfile", tagged, ROOT, **arguments)
        debian.forget(f"proseform.local/{name}", but=tagged)
    return tagged


def wheel() -> Path:
    """Proseform's wheel, built anew into ``build/wheels``."""
    uv("build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable, "--clear", "-o", str(WHEELS))
    (built,) = WHEELS.glob("*.whl")
    return built


def uv(*words: str) -> None:
    """Run uv in the repository and this virtual environment, where it finds the tools of the build."""
    env = {**os.environ, "VIRTUAL_ENV": sys.prefix, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    done = subprocess.run(["uv", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"uv {' '.join(words[:3])}: {done.stderr[-2000:]}"


def key(sources: Iterable[str], *more: str) -> str:
    """The digest of files and folders of the repository, and of further words; 16 hexadecimal digits."""
    whole = hashlib.sha256(repr(more).encode())
    for source in sources:
        for path in sorted((ROOT / source).rglob("*")) if (ROOT / source).is_dir() else [ROOT / source]:
            if path.is_file() and path.suffix != ".pyc":
                whole.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:16]
