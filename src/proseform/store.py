"""Payloads at URIs: components pass references, and the store keeps the payloads.

A reference is a URI and a digest. A result is a payload committed under a stage's key: the files first, and last
``result.json``, which is the commit; a folder without ``result.json`` is no result. Files are reached through fsspec,
so a folder, a PVC and ``s3://`` are alike. On a local file system a commit is a rename, and locks are the kernel's, so
that they end with their holder. Left out: a lock on object stores; there the processes of one home take turns, but two
homes may do the same work twice, and the last commit counts (both have the same key, hence the same meaning).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from proseform import digest
from proseform.errors import StoreError

RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to a payload.

    Attributes:
        uri: A folder, as a path or a URI that fsspec knows.
        digest: Of the folder's files.
    """

    uri: str
    digest: str

    def __str__(self) -> str:
        """``<uri>#<digest>``, as it travels between components."""
        return f"{self.uri}#{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Read what :meth:`__str__` wrote.

        Raises:
            StoreError: It states no digest.
        """
        uri, mark, rest = text.rpartition("#")
        if not mark or not rest.startswith("sha256:"):
            raise StoreError(f"'{text}' is no reference.", hint="A reference is <uri>#sha256:<64 hex>.")
        return cls(uri, rest)


@dataclass(frozen=True, slots=True)
class Result:
    """A committed result of a stage.

    Attributes:
        ref: The payload.
        key: The stage's key: a digest of everything that went in.
        figures: Key figures, as JSON.
        seconds: Wall-clock time of the stage when it ran, in seconds.
    """

    ref: Ref
    key: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


class Store:
    """Results by stage and key, below one root.

    Args:
        root: A path or a URI.
    """

    def __init__(self, root: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(root)
        self.local = isinstance(self.fs, LocalFileSystem)

    def place(self, stage: str, key: str) -> str:
        """The URI of a stage's payload; exists once it is committed."""
        return str(self.fs.unstrip_protocol(f"{self.root}/{stage}/{digest.short(key)}"))

    def result(self, stage: str, key: str) -> Result | None:
        """The result that is committed under a key, or None."""
        return self._committed(f"{self.root}/{stage}/{digest.short(key)}")

    def results(self, stage: str) -> list[Result]:
        """Every committed result of a stage."""
        self.fs.invalidate_cache()
        try:
            folders = sorted(self.fs.ls(f"{self.root}/{stage}", detail=False))
        except FileNotFoundError:
            return []
        return [result for folder in folders if (result := self._committed(folder)) is not None]

    def _committed(self, folder: str) -> Result | None:
        """The result that is committed in a folder, or None: not committed, or deleted meanwhile."""
        try:
            raw = json.loads(self.fs.cat_file(f"{folder}/{RESULT}"))
        except FileNotFoundError:
            return None
        ref = Ref(str(self.fs.unstrip_protocol(folder)), raw["digest"])
        return Result(ref, raw["key"], raw["figures"], raw["seconds"])

    def delete(self, result: Result) -> None:
        """Delete a payload: its files first and the commit last, so that a deletion that was cut off is found again."""
        _, path = fsspec.core.url_to_fs(result.ref.uri)
        with suppress(FileNotFoundError):  # another process deletes it too
            for file in sorted(self.fs.find(path), key=lambda name: name.endswith(f"/{RESULT}")):
                self.fs.rm_file(file)
            self.fs.invalidate_cache()
            if self.local:
                shutil.rmtree(path)

    def commit(self, stage: str, key: str, folder: Path, figures: Mapping[str, Any], seconds: float) -> Result:
        """Commit a folder's files as the result of a key; an existing result is kept.

        Args:
            stage: The stage's step name, such as ``sft-evaluator``.
            key: The stage's key.
            folder: A local folder; it is not changed.
            figures: Key figures, as JSON.
            seconds: Wall-clock seconds.

        Raises:
            StoreError: The folder holds a file ``result.json``, the name of the commit.
        """
        if (done := self.result(stage, key)) is not None:
            return done
        if (folder / RESULT).exists():
            raise StoreError(
                f"{folder}: holds a {RESULT}, which is the name of the commit.",
                hint="Give the stage's file another name.",
            )
        content = digest.of_files(folder)
        record: dict[str, Any] = {"digest": content, "key": key, "figures": dict(figures), "seconds": round(seconds, 2)}
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        target = f"{self.root}/{stage}/{digest.short(key)}"
        if self.local:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".commit-", dir=Path(target).parent))
            shutil.copytree(folder, staging, dirs_exist_ok=True)
            _write_durably(staging / RESULT, text)
            shutil.rmtree(target, ignore_errors=True)
            staging.rename(target)
        else:
            self.fs.put(f"{folder}/", f"{target}/", recursive=True)
            self.fs.pipe_file(f"{target}/{RESULT}", text.encode())
        return Result(Ref(self.place(stage, key), content), key, dict(figures), record["seconds"])

    @contextmanager
    def lock(self, stage: str, key: str, work: Path) -> Iterator[bool]:
        """Lock a key: one process at a time works on it; the next one waits, and then adopts the result.

        Args:
            stage: The stage's step name.
            key: The stage's key.
            work: The folder below which processes work; it holds the lock where the store is no local folder, so that
                only those wait that share it.

        Yields:
            Whether it had to wait for another process.
        """
        path = (Path(self.root) if self.local else work) / ".locks" / f"{stage}-{digest.short(key)}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                waited = False
            except BlockingIOError:
                fcntl.flock(file, fcntl.LOCK_EX)
                waited = True
            yield waited


def fetch(ref: Ref, into: Path, *, shared: bool = False) -> Path:
    """A payload as a local folder, verified against its digest.

    Args:
        ref: The payload. On a local file system it is used where it lies.
        into: Folder for fetched payloads, kept between calls.
        shared: Whether several ranks of a job ask for it at once. Then the first one fetches and hashes it; the others
            wait, and accept it if sizes and times of its files are unchanged.

    Raises:
        StoreError: It does not exist, or its files do not have that digest.
    """
    if not shared:
        return _fetched(ref, into)
    into.mkdir(parents=True, exist_ok=True)
    mark = into / f"{digest.short(ref.digest)}.verified.json"
    with (into / f"{digest.short(ref.digest)}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        folder = _place(ref, into)
        if not mark.is_file() or json.loads(mark.read_text(encoding="utf-8")) != _stats(folder):
            write_json(mark, _stats(_fetched(ref, into)))
    return folder


def there(ref: Ref) -> bool:
    """Whether a payload is committed at its place."""
    fs, path = fsspec.core.url_to_fs(ref.uri)
    fs.invalidate_cache()
    return bool(fs.exists(f"{path}/{RESULT}"))


def _place(ref: Ref, into: Path) -> Path:
    """The local folder of a payload, whether it is fetched already or not."""
    fs, path = fsspec.core.url_to_fs(ref.uri)
    return Path(path) if isinstance(fs, LocalFileSystem) else into / digest.short(ref.digest)


def _stats(folder: Path) -> dict[str, list[int]]:
    """Size in bytes and modification time in nanoseconds of every file of a folder."""
    stats = {name: (folder / name).stat() for name in sorted(digest.files(folder))}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _fetched(ref: Ref, into: Path) -> Path:
    """Fetch a payload unless it is local, and verify it; see :func:`fetch`."""
    fs, path = fsspec.core.url_to_fs(ref.uri)
    folder = _place(ref, into)
    if not isinstance(fs, LocalFileSystem) and not folder.is_dir():
        into.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".fetch-", dir=into))
        fs.get(f"{path}/", f"{staging}/", recursive=True)
        try:
            staging.rename(folder)
        except OSError:  # somebody else has fetched it meanwhile
            shutil.rmtree(staging, ignore_errors=True)
            if not folder.is_dir():
                raise
    if not folder.is_dir():
        raise StoreError(f"{ref.uri}: no payload here.", hint="Run the pipeline again; it makes what is missing.")
    actual = digest.of_files(
        folder, [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p != folder / RESULT]
    )
    if actual != ref.digest:
        raise StoreError(
            f"{ref.uri}: its files are not those of {digest.short(ref.digest)} (found {digest.short(actual)}).",
            hint="They were altered after the commit; delete the folder and run again.",
        )
    return folder


def link(source: str, target: str) -> str:
    """Link a file, or copy it across file systems; for :func:`shutil.copytree`.

    Returns:
        The target.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: a reader sees the old file or the new one, never a part."""
    staging = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    _write_durably(staging, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    staging.rename(path)


def _write_durably(path: Path, text: str) -> None:
    """Write and flush to the disk."""
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
