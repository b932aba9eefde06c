"""Images of a real distribution without a container engine: Debian by debootstrap, Containerfiles built by buildah.

Steps run in a chroot, which works in a virtual machine and in a container; layers are overlays, as containerd's are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.cluster import images
from tests.cluster.places import CACHE

SUITE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-venv", "libnuma1")
"""Packages beside the smallest system: those that our Containerfiles install, so that apt downloads nothing, and one
that vLLM links to."""
ROOT = CACHE / f"{SUITE}-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:16]}"
"""The root file system with these packages."""
BASE = f"localhost/debian:{ROOT.name}"
"""The same as an image in buildah's store."""
ENVIRONMENT = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
"""The environment of buildah."""


class ImageError(Exception):
    """An image could not be built; carries the last lines of the program's output."""


def root() -> Path:
    """A Debian root file system with :data:`PACKAGES`, made once from the machine's own source.

    Raises:
        ImageError: debootstrap failed.
    """
    if ROOT.is_dir():
        return ROOT
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{ROOT.name}.", dir=CACHE))
    unfinished.chmod(0o755)
    try:
        _run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(unfinished), *source())
    except ImageError:
        shutil.rmtree(unfinished)
        raise
    for spent in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(unfinished / spent)
        (unfinished / spent / "partial").mkdir(parents=True)
    return unfinished.rename(ROOT)


def build(containerfile: Path, name: str, context: Path, **arguments: str) -> str:
    """Build a Containerfile; the image's name, by which buildah has it.

    Args:
        containerfile: It begins ``ARG BASE`` and ``FROM ${BASE}``; BASE is Debian unless another is given.
        name: The image's name, with a host.
        context: The folder that it copies from; beside the Containerfile, or a folder up, a ``.containerignore`` may
            say what.
        arguments: Build arguments.

    Raises:
        ImageError: With buildah's last lines.
    """
    if "BASE" not in arguments:
        arguments = {"BASE": base(), **arguments}
    options = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    ignored = [folder / ".containerignore" for folder in (containerfile.parent, containerfile.parent.parent)]
    options += [word for file in ignored if file.is_file() for word in ("--ignorefile", str(file))]
    buildah(
        "bud", "--layers", "--pull-never", "--timestamp=0", *options, "-f", str(containerfile), "-t", name, str(context)
    )
    return name


def hand_over(name: str) -> str:
    """Hand an image that buildah has to the node, unless it has one of this name; its name by digest."""
    if pinned := images.pinned(name):
        return pinned
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        buildah("push", "--disable-compression", name, f"oci:{folder}:image")
        return images.load_layout(Path(folder), name)


def has(name: str) -> bool:
    """Whether buildah has an image."""
    try:
        buildah("inspect", "--type=image", name)
    except ImageError:
        return False
    return True


def forget(repository: str, but: str) -> None:
    """Remove the images of a repository but one: each is half a gigabyte, of layers that no other has.

    Args:
        repository: Their name without a tag.
        but: The one that stays.
    """
    names = buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()
    for old in names:
        if old.rpartition(":")[0] == repository and old != but:
            buildah("rmi", old)


def base() -> str:
    """Debian as an image of buildah's, committed once; its name.

    Pip in it reaches its index as the machine's own does.
    """
    if not has(BASE):
        working = buildah("from", "scratch")
        buildah("add", working, str(root()), "/")
        for file, at in _trusted().items():
            buildah("add", working, str(file), at)
        buildah("commit", "--rm", working, BASE)
    return BASE


def _trusted() -> dict[Path, str]:
    """Files by which pip in a base reaches its index, and where they go: not where apt writes certificates."""
    certificates = Path(os.environ.get("PIP_CERT") or "/etc/ssl/certs/ca-certificates.crt")
    if not certificates.exists():
        return {}
    settings = CACHE / "pip.conf"
    index = f"index-url = {url}\n" if (url := os.environ.get("PIP_INDEX_URL")) else ""
    settings.write_text(f"[global]\ncert = /etc/machine.pem\n{index}")
    return {certificates: "/etc/machine.pem", settings: "/etc/pip.conf"}


def buildah(*words: str) -> str:
    """Run buildah over a store of our own; what it prints.

    Raises:
        ImageError: With its last lines.
    """
    return _run(*command(*words))


def command(*words: str) -> list[str]:
    """The command line of buildah over a store of our own; wants :data:`ENVIRONMENT`."""
    store = CACHE / "buildah"
    return [
        "buildah",
        "--storage-driver",
        "overlay",
        "--root",
        str(store / "root"),
        "--runroot",
        str(store / "run"),
        *words,
    ]


def source() -> list[str]:
    """Where this machine takes its Debian packages from.

    Empty where it does not say, which leaves it to debootstrap.
    """
    for file in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        lines = file.read_text().splitlines() if file.is_file() else []
        ours = any(SUITE in line for line in lines)
        for line in lines if ours else ():
            words = [word for word in line.split() if not word.startswith("[")]
            if words[:1] in (["deb"], ["URIs:"]):
                return [words[1]]
    return []


def _run(*command: str) -> str:
    """Run a maker of images."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-15:]
        raise ImageError(f"{' '.join(command[:3])} failed:\n" + "\n".join(last))
    return done.stdout.strip()
