"""API keys in a file: who may ask, and how often.

A key is 256 random bits behind the id by which its entry is looked up: ``pf-<id>-<secret>``. The file holds the SHA-256
of each, never a key; a plain hash does, since nobody can guess 256 bits. It is read again when it changes, so that keys
are added and revoked without a restart. Left out: expiry of keys, and rights by route.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proseform.errors import ConfigError, InputError
from proseform.serve import private

_LOG = logging.getLogger("proseform.serve")
_NOBODY = "0" * 64


class Key(BaseModel):
    """One key, without its secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    """Stands in the key itself."""
    name: str = Field(min_length=1, max_length=80)
    """Whom it was given to."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the key."""
    per_minute: int = Field(ge=0)
    """Cases a minute, at most; 0 sets no limit."""
    created: str
    """When, in UTC."""


class _File(BaseModel):
    """The file of keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[Key, ...]


class Keys:
    """The keys of a file, read again when it changes.

    Args:
        path: The file.

    Raises:
        ConfigError: It cannot be read, or is no file of keys.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, ...] = ()
        self._known: dict[str, Key] = {}
        self._read()

    def owner(self, token: str) -> Key | None:
        """Whose key this is; None where it is nobody's. It takes the same time to refuse any token."""
        self._refresh()
        _, _, rest = token.partition("-")
        key = self._known.get(rest.partition("-")[0])
        same = hmac.compare_digest(hashed(token), key.sha256 if key else _NOBODY)
        return key if same else None

    def _refresh(self) -> None:
        """Read the file again if it has changed; one that cannot be read leaves the keys as they were."""
        try:
            if _stamp(self._path) != self._stamp:
                self._read()
        except (ConfigError, OSError) as error:
            if self._stamp:
                _LOG.error("the file of keys cannot be read, the keys stay as they were: %s", error)
            self._stamp = ()

    def _read(self) -> None:
        """Read the file."""
        try:
            stamp = _stamp(self._path)
        except OSError as error:
            hint = "proseform keys new writes one."
            raise ConfigError(f"--keys {self._path}: cannot be read ({error.strerror}).", hint=hint) from error
        self._known = {key.id: key for key in listed(self._path)}
        self._stamp = stamp


def listed(path: Path) -> tuple[Key, ...]:
    """The keys of a file; none where it is not there.

    Raises:
        ConfigError: It cannot be read, or is no file of keys; with the field.
    """
    try:
        return _File.model_validate_json(path.read_bytes()).keys
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"{path}: {place}: {first['msg']}.", hint="proseform keys writes such files.") from error


def new(path: Path, name: str, per_minute: int) -> str:
    """Add a key to a file, which is made where it is not there; gives the key, which is kept nowhere.

    Raises:
        ConfigError: As :func:`listed`.
        InputError: The name is taken.
    """
    with _changing(path) as keys:
        if any(key.name == name for key in keys):
            raise InputError(f"There is a key named '{name}'.", hint="Revoke it, or take another name.")
        number = secrets.token_hex(6)
        token = f"pf-{number}-{secrets.token_urlsafe(32)}"
        created = datetime.now(UTC).isoformat(timespec="seconds")
        key = Key(id=number, name=name, sha256=hashed(token), per_minute=per_minute, created=created)
        _write(path, [*keys, key])
    return token


def revoke(path: Path, name: str) -> None:
    """Take a key out of a file, by its name or its id.

    Raises:
        ConfigError: As :func:`listed`.
        InputError: No such key.
    """
    with _changing(path) as keys:
        others = [key for key in keys if name not in {key.name, key.id}]
        if len(others) == len(keys):
            raise InputError(f"No key '{name}'; there are {', '.join(key.name for key in keys) or 'none'}.")
        _write(path, others)


def hashed(token: str) -> str:
    """A key's SHA-256, in hexadecimal digits."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


@contextmanager
def _changing(path: Path) -> Iterator[tuple[Key, ...]]:
    """The keys of a file, which nobody else changes meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield listed(path)


def _write(path: Path, keys: Sequence[Key]) -> None:
    """Write the file."""
    text = json.dumps({"keys": [key.model_dump() for key in keys]}, indent=1, ensure_ascii=False)
    private.write(path, f"{text}\n".encode(), durable=True)


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file does, also behind the links by which Kubernetes mounts secrets."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
