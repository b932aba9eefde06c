"""Images without a registry: a folder or a static program becomes an OCI layout in a tar, which containerd imports."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tests.cluster.node import SOCKET
from tests.cluster.places import CACHE, KSERVE, OPERATOR, PAUSE, WAIT
from tests.cluster.programs import built

NOBODY = 65532
"""The user of an image: a number, as runAsNonRoot wants."""
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def of_program(program: Path, name: str, at: str) -> bytes:
    """The image of one static program.

    Args:
        program: The executable.
        name: The image's name, with a tag.
        at: Where it lies in the image.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        about = tarfile.TarInfo(at.lstrip("/"))
        about.size, about.mode = program.stat().st_size, 0o755
        with program.open("rb") as file:
            tar.addfile(about, file)
    return layout(name, layer.getvalue(), {"Entrypoint": [at], "User": str(NOBODY)})


def of_folder(folder: Path, name: str, settings: dict[str, Any]) -> bytes:
    """The image of a root file system.

    Args:
        folder: The root file system.
        name: The image's name, with a tag.
        settings: The image's config: Entrypoint, Env, User, WorkingDir.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(folder, arcname=".", filter=_no_device)
    return layout(name, layer.getvalue(), settings)


def layout(name: str, layer: bytes, settings: dict[str, Any]) -> bytes:
    """An OCI image layout of one layer, as a tar; equal inputs give equal bytes.

    Source: OCI Image Format Specification 1.0.2, image layout.
    """
    blobs: dict[str, bytes] = {}

    def blob(media: str, data: bytes, **more: Any) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data), **more}

    difference = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config = {"architecture": "amd64", "os": "linux", "config": settings, "rootfs": {"type": "layers", "diff_ids": [difference]}}
    manifest = {
        "schemaVersion": 2, "mediaType": _MANIFEST, "config": blob(_CONFIG, _json(config)),
        "layers": [blob(_LAYER, gzip.compress(layer, compresslevel=1, mtime=0))],
    }  # fmt: skip
    entry = blob(_MANIFEST, _json(manifest), annotations={"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name})
    files = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [entry]}),
        **{f"blobs/sha256/{digest}": data for digest, data in blobs.items()},
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in files.items():
            about = tarfile.TarInfo(path)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return out.getvalue()


def load(image: bytes) -> None:
    """Hand an image to the node.

    Raises:
        RuntimeError: With containerd's words.
    """
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        file.write(image)
        file.flush()
        command = ["ctr", "--address", str(SOCKET), "-n", "k8s.io", "images", "import", file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The image cannot be imported: {done.stderr.strip()}")


def there() -> set[str]:
    """The images that the node has."""
    command = ["ctr", "--address", str(SOCKET), "-n", "k8s.io", "images", "ls", "-q"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def ensure_own() -> None:
    """The images that the cluster itself needs: what holds a pod open, what waits for a name, and the controllers."""
    own = {PAUSE: ("pause", "/pause"), WAIT: ("wait-for-name", "/wait-for-name")}
    own |= {OPERATOR: ("training-operator", "/manager"), KSERVE: ("kserve-controller", "/manager")}
    here = there()
    for name, (program, at) in own.items():
        if name not in here:
            load(of_program(built(program), name, at))


def base(suite: str = "bookworm", packages: tuple[str, ...] = ("python3",)) -> Path:
    """A Debian root file system by debootstrap from the machine's own source, made once.

    Args:
        suite: Debian's release.
        packages: What is in it beside the smallest system.
    """
    key = hashlib.sha256(f"{suite} {packages}".encode()).hexdigest()[:12]
    folder = CACHE / f"debian-{key}"
    if not folder.is_dir():
        unfinished = folder.with_suffix(".unfinished")
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, str(unfinished), *_sources()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError("debootstrap failed:\n" + "\n".join(done.stdout.splitlines()[-10:]))
        subprocess.run(["rm", "-rf", str(unfinished / "var/cache/apt"), str(unfinished / "var/lib/apt/lists")], check=True)
        unfinished.rename(folder)
    return folder


def _sources() -> list[str]:
    """Where this machine takes its Debian packages from."""
    for file in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]:
        for line in file.read_text().splitlines() if file.is_file() else ():
            words = [word for word in line.split() if not word.startswith("[")]
            if words[:1] == ["deb"]:
                return [words[1]]
            if line.startswith("URIs:"):
                return [line.split()[1]]
    return []


def _no_device(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out device nodes, and make what is left the same every time."""
    if member.ischr() or member.isblk():
        return None
    member.mtime = 0
    return member


def _json(value: Any) -> bytes:
    """JSON, the same every time."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
