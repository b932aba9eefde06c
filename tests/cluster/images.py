"""Images without a registry: a program, a folder or an OCI layout becomes a stream that containerd imports.

A layer is left uncompressed: it travels over a pipe, and its digest is then that of its content.
Source: OCI Image Format Specification 1.0.2, image layout, manifest and config.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tests.cluster import programs
from tests.cluster.programs import Program
from tests.cluster.runtime import RuntimeRefusedError, ctr

NOBODY = 65532
"""The user of our images: a number, since runAsNonRoot does not accept names."""
OWN = {
    programs.PAUSE: "/pause",
    programs.WAIT: "/wait-for-name",
    programs.OPERATOR: "/manager",
    programs.KSERVE: "/manager",
}
"""Programs in the cluster's own pods, and their paths in their images, as the manifests expect them."""
_MEDIA = "application/vnd.oci.image"
_NAME = "io.containerd.image.name"
_CHUNK = 1 << 20


def name_of(program: Program) -> str:
    """The name of a program's image; the tag is the digest of the program's sources."""
    return f"proseform.local/{program.name}:{program.key}"


def ensure_own() -> None:
    """Load the images of :data:`OWN` that the node does not have."""
    here = names()
    for program, at in OWN.items():
        if name_of(program) not in here:
            load_program(program.path, name_of(program), at)


def names() -> set[str]:
    """The images that the node has."""
    return set(ctr("images", "list", "--quiet").split())


def pinned(name: str) -> str:
    """The name by digest of an image that the node has; empty if it has none of this name."""
    for line in ctr("images", "list").splitlines()[1:]:
        known, _, digest = line.split()[:3]
        if known == name:
            return f"{name.rpartition(':')[0]}@{digest}"
    return ""


def load_program(program: Path, name: str, at: str) -> str:
    """Load an image of one static program into the node; see :func:`load_layer`.

    Args:
        program: The executable.
        name: The image's name.
        at: Its path in the image, and the entry point.
    """
    with tempfile.TemporaryFile() as layer:
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.add(program, arcname=at.lstrip("/"), filter=_settled)
        return load_layer(layer, name, {"Entrypoint": [at], "User": str(NOBODY)})


def load_folder(folder: Path, name: str, settings: dict[str, Any]) -> str:
    """Load an image of a root file system into the node; see :func:`load_layer`.

    Args:
        folder: The root file system; devices and sockets in it are left out.
        name: The image's name.
        settings: The image's config: Entrypoint, Env, User, WorkingDir.
    """
    with tempfile.TemporaryFile() as layer:
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.add(folder, arcname=".", filter=_settled)
        return load_layer(layer, name, settings)


def load_layer(layer: IO[bytes], name: str, settings: dict[str, Any]) -> str:
    """Load an image of one layer into the node.

    Args:
        layer: A tar.
        name: With a host, such as ``proseform.local/serve:1``, since a kubelet completes a short name with another
            registry.
        settings: The image's config.

    Returns:
        The image's name by digest, ``<repository>@sha256:<64 hex>``; the node has it under both names.

    Raises:
        ValueError: The name is without a host or a tag.
        RuntimeRefusedError: containerd refused it.
    """
    return _load(name, lambda stream: write_layout(layer, name, settings, stream))


def load_layout(folder: Path, name: str) -> str:
    """Load an image from an OCI layout (``buildah push IMAGE oci:FOLDER``) into the node; see :func:`load_layer`."""
    index = json.loads((folder / "index.json").read_text())
    for manifest in index["manifests"]:
        manifest["annotations"] = {_NAME: name}

    def write(stream: IO[bytes]) -> str:
        with tarfile.open(fileobj=stream, mode="w|") as tar:
            _add(tar, "oci-layout", (folder / "oci-layout").read_bytes())
            _add(tar, "index.json", _json(index))
            tar.add(folder / "blobs", arcname="blobs")
        return str(index["manifests"][0]["digest"])

    return _load(name, write)


def write_layout(layer: IO[bytes], name: str, settings: dict[str, Any], into: IO[bytes]) -> str:
    """Write an image of one layer as an OCI layout in a tar; equal inputs give equal bytes.

    Returns:
        The digest of its manifest, ``sha256:<64 hex>``.
    """
    size, whole = layer.seek(0, os.SEEK_END), hashlib.sha256()
    layer.seek(0)
    while chunk := layer.read(_CHUNK):
        whole.update(chunk)
    of_layer = whole.hexdigest()
    config = _json(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{of_layer}"]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}.manifest.v1+json",
            "config": _described("config.v1+json", config),
            "layers": [{"mediaType": f"{_MEDIA}.layer.v1.tar", "digest": f"sha256:{of_layer}", "size": size}],
        }
    )
    entry = {**_described("manifest.v1+json", manifest), "annotations": {_NAME: name}}
    with tarfile.open(fileobj=into, mode="w|") as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(
            tar, "index.json", _json({"schemaVersion": 2, "mediaType": f"{_MEDIA}.index.v1+json", "manifests": [entry]})
        )
        for blob in (config, manifest):
            _add(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        about = tarfile.TarInfo(f"blobs/sha256/{of_layer}")
        about.size = size
        layer.seek(0)
        tar.addfile(about, layer)
    return str(entry["digest"])


def _load(name: str, write: Callable[[IO[bytes]], str]) -> str:
    """Let containerd import a stream, and name the image by its digest too."""
    if not re.fullmatch(r"(localhost|[^/]+[.:][^/]+)/[^:@]+:[^:@/]+", name):
        raise ValueError(
            f"'{name}' is no name of an image for a node: it is HOST/PATH:TAG, such as proseform.local/serve:1."
        )
    read, end = os.pipe()
    digests: list[str] = []

    def send() -> None:
        with os.fdopen(end, "wb") as stream:
            try:
                digests.append(write(stream))
            except BrokenPipeError:  # containerd's refusal is the reason
                return

    sender = threading.Thread(target=send, name="image")
    sender.start()
    try:
        ctr("images", "import", "-", source=read)
    finally:
        os.close(read)
        sender.join()
    if not digests:
        raise RuntimeRefusedError(f"{name}: containerd stopped reading.")
    pinned = f"{name.rpartition(':')[0]}@{digests[0]}"
    ctr("images", "tag", "--force", name, pinned)
    return pinned


def _settled(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out devices, and make the archive reproducible."""
    if member.ischr() or member.isblk():
        return None
    member.mtime, member.uname, member.gname = 0, "", ""
    return member


def _described(media: str, blob: bytes) -> dict[str, Any]:
    """An OCI descriptor."""
    return {"mediaType": f"{_MEDIA}.{media}", "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def _add(tar: tarfile.TarFile, path: str, data: bytes) -> None:
    """Add a file to a tar."""
    about = tarfile.TarInfo(path)
    about.size = len(data)
    tar.addfile(about, io.BytesIO(data))


def _json(value: Any) -> bytes:
    """Canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
