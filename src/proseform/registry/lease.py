"""A lease, by which one process at a time changes a model's aliases; it needs nothing but MLflow's REST API.

MLflow has no compare-and-set, but a registered model's name can be created only once. So a lease is a chain of such
models, ``<name>-lock.<generation>``. A process that sees the highest generation released, or its holder dead, creates
the next one; of several such processes, one succeeds. The highest generation is never deleted, so a process that has
created a lower one from a stale view notices that and starts again. A released generation stays until the next holder
deletes it.

A holder is dead if its process has ended on this machine, or if its generation was not released for :data:`LEASE_S`
while this process watched; no clocks are compared. A holder stops writing after half of that time. Left out: a request
that the network delays for longer than the lease, which MLflow would still carry out.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform.errors import RegistryError
from proseform.registry import Registry, library, names, pages, speaking

LEASE_S = 60.0
"""Longest time without a release before others take the holder for dead, in seconds."""
PATIENCE_S = 300.0
"""Longest wait for the lease, in seconds."""
LOCK, OWNER, RELEASED = "proseform.lock", "proseform.owner", "proseform.released"
_POLL_S = (0.2, 1.0)
_HERE: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
"""By registry and model. Threads of this process take turns, so whoever holds this lock knows that a generation which
this process has left unreleased has no holder."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that this process holds.

    Attributes:
        name: The registered model.
        until: Deadline for writes under it, on the clock of :func:`time.monotonic`.
    """

    name: str
    until: float

    def check(self) -> None:
        """Check that writes are still allowed.

        Raises:
            RegistryError: The deadline has passed.
        """
        if time.monotonic() > self.until:
            raise RegistryError(
                f"Changing the aliases of '{self.name}' took longer than its lease of {LEASE_S:.0f} s.",
                hint="Run it again: it goes on where it stopped.",
            )


@contextmanager
def hold(registry: Registry, name: str) -> Iterator[Lease]:
    """Hold the lease of a registered model.

    Raises:
        RegistryError: Another process held it for :data:`PATIENCE_S`, or MLflow cannot be reached.
    """
    with _HERE[registry.uri, name]:
        token = f"{_process()}/{uuid.uuid4().hex}"
        with speaking(registry):
            lock, since = _acquire(registry, name, token)
        try:
            yield Lease(name, since + LEASE_S / 2)
        finally:
            with speaking(registry):
                registry.client.set_registered_model_tag(lock, RELEASED, "true")


def is_lock(model: Any) -> bool:
    """Whether a registered model of MLflow is a lease."""
    return LOCK in model.tags


def _acquire(registry: Registry, name: str, token: str) -> tuple[str, float]:
    """Create the next generation once the highest is free; its name, and the time before the request."""
    client, prefix = registry.client, names()["names"]["lock"].format(name=name)
    watched: tuple[int, float] = (-1, 0.0)
    started = time.monotonic()
    while True:
        chain = _chain(registry, prefix)
        highest = max(chain, default=0)
        now = time.monotonic()
        if highest != watched[0]:
            watched = (highest, now)
        if not chain or _is_free(chain[highest], now - watched[1]):
            since, lock = time.monotonic(), f"{prefix}{highest + 1}"
            if _make(client, lock, name, token):
                chain = _chain(registry, prefix)
                if max(chain, default=0) == highest + 1:
                    for older in chain.keys() - {highest + 1}:
                        _delete(client, f"{prefix}{older}")
                    return lock, since
                _delete(client, lock)
        if now - started > PATIENCE_S:
            owner = str(chain[highest].tags.get(OWNER, "")) if highest in chain else ""
            holder = owner.partition("/")[0]
            raise RegistryError(
                f"'{name}': its aliases are being changed by another process{f' on {holder}' if holder else ''}.",
                hint="Run it again when that one has ended.",
            )
        time.sleep(random.uniform(*_POLL_S))


def _chain(registry: Registry, prefix: str) -> dict[int, Any]:
    """The generations that exist, by number."""
    models = pages(registry.client.search_registered_models, filter_string=f"name LIKE '{prefix}%'")
    numbers = ((model.name[len(prefix) :], model) for model in models if model.name.startswith(prefix))
    return {int(number): model for number, model in numbers if number.isdigit()}


def _is_free(model: Any, watched_s: float) -> bool:
    """Whether a generation is released, or its holder is dead."""
    owner = str(model.tags.get(OWNER, "")).rpartition("/")[0]
    return RELEASED in model.tags or watched_s > LEASE_S or _is_dead(owner)


def _make(client: Any, lock: str, name: str, token: str) -> bool:
    """Create a generation; False if another process has, be it that it has deleted it again.

    MLflow looks up what stands in the way of a new model, and says that it does not exist where it has just gone.
    """
    tags = {LOCK: name, OWNER: token}
    error_type = library().exceptions.MlflowException
    try:
        client.create_registered_model(lock, tags=tags, description=f"Who changes the aliases of '{name}'.")
    except error_type as error:
        if error.error_code not in {"RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"}:
            raise
        try:  # ours, if the reply to a first try was lost
            return bool(client.get_registered_model(lock).tags.get(OWNER) == token)
        except error_type:
            return False
    return True


def _delete(client: Any, name: str) -> None:
    """Delete a generation that is not the highest; another process may have done so."""
    try:
        client.delete_registered_model(name)
    except library().exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _process() -> str:
    """This process: host, boot and process namespace, id and start time."""
    return f"{socket.gethostname()}/{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def _machine() -> str:
    """The boot and the process namespace: within both, process ids can be compared."""
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}.{Path('/proc/self/ns/pid').stat().st_ino}"


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_dead(process: str) -> bool:
    """Whether a holder is known to be dead: it ended on this machine, or is this process (see :data:`_HERE`)."""
    steps = process.split("/")
    if len(steps) != len(_process().split("/")) or steps[1] != _machine() or not steps[2].isdigit():
        return False
    return int(steps[2]) == os.getpid() or _started(int(steps[2])) != steps[3]
