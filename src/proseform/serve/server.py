"""Serving until a signal ends it: uvicorn over :class:`proseform.serve.app.App`.

KServe's controller adds arguments of its own to this program's; the command line ignores those that it does not know.
gRPC, where it is asked for, has a port of its own beside it (:mod:`proseform.serve.grpc`). Left out: TLS (the mesh or
the gateway ends it) and several processes (the cluster scales by replicas).
"""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proseform.errors import ConfigError
from proseform.infer.kept import ProseCache
from proseform.serve import logs, tracing
from proseform.serve.admission import Admission
from proseform.serve.app import App
from proseform.serve.batches.door import Door
from proseform.serve.batches.shelf import Shelf
from proseform.serve.following import Follower, Source
from proseform.serve.guard import Guard, Local, loopback
from proseform.serve.keys import Keys
from proseform.serve.listening import address, listening
from proseform.serve.router import Router, Weighted
from proseform.task import Task

if TYPE_CHECKING:
    from proseform.serve.draining import Beside, Server

_YOUNG = 10_000
"""New objects before there is a search for garbage among them."""
DRAIN_S = 5.0
"""How long a server goes on after SIGTERM while connections are open, in seconds; a pod waits before that, too."""
_KEPT_S = 75
"""Longest pause on a kept connection, in seconds: longer than gateways', so that they close connections first."""


@dataclass(frozen=True, slots=True)
class Administration:
    """Where an administrator may ask.

    Attributes:
        port: TCP port.
        keys: The administrators'.
    """

    port: int
    keys: Keys


@dataclass(frozen=True, slots=True)
class Following:
    """How aliases are followed.

    Attributes:
        source: Where bundles are found.
        every_s: How often it is asked, in seconds.
    """

    source: Source
    every_s: float


def run(
    engines: Sequence[Weighted],
    task: Task,
    *,
    name: str = "",
    host: str = "127.0.0.1",
    port: int = 8080,
    grpc_port: int | None = None,
    admin: Administration | None = None,
    follows: Following | None = None,
    timeout_s: float = 60.0,
    concurrency: int = 32,
    queue: int = 64,
    kept: ProseCache | None = None,
    keys: Path | None = None,
    no_keys: bool = False,
    batches: Path | None = None,
    log_format: logs.Format = "text",
    page: bool = False,
    listens: Callable[[str], None] | None = None,
    traces: str = "",
) -> None:
    """Serve until a signal; requests that have begun are answered before the end.

    Args:
        engines: Bundles and their weights, all made for this task.
        task: The task.
        name: The model's name in KServe's protocols; empty takes ``proseform-<task>``.
        host: Address to listen on; ``0.0.0.0`` in a container, or ``::`` for IPv6 and IPv4.
        port: TCP port.
        grpc_port: TCP port for gRPC; None takes no calls by gRPC.
        admin: Where an administrator may ask; None lets nobody.
        follows: How aliases are followed; None keeps the bundles that there are.
        timeout_s: As for :class:`~proseform.serve.admission.Admission`.
        concurrency: As for :class:`~proseform.serve.admission.Admission`.
        queue: As for :class:`~proseform.serve.admission.Admission`.
        kept: As for :class:`~proseform.serve.admission.Admission`.
        keys: A file of API keys (:mod:`proseform.serve.keys`); None asks for none.
        no_keys: Whether no key is asked for although others than this machine can reach the server.
        batches: The folder of files of requests and of their results; None takes none.
        log_format: How this process logs to stderr.
        page: Whether there is a page at ``/`` (:mod:`proseform.serve.page`).
        listens: Told the server's URL once it listens there.
        traces: The URL of an OTLP/HTTP collector; empty asks the variables ``OTEL_*``, which may ask for none.

    Raises:
        ConfigError: No file of keys where one is asked for, or one that cannot be read; a page that others could reach;
            nothing can listen there; or traces that cannot be sent.
        TaskError: A bundle was made for another task, or another version of it; nothing is served.
    """
    logs.configure(log_format)
    guard = guarding(host, keys, no_keys=no_keys, page=page)
    admission = Admission(Router(engines), task, timeout_s=timeout_s, concurrency=concurrency, queue=queue, kept=kept)
    door = Door(Shelf(batches), admission, max(1, concurrency // 2)) if batches is not None else None
    app = App(admission, name or f"proseform-{task.name}", guard, door, page=page, grpc=grpc_port is not None)
    opened = listening(host, port)
    if listens is not None:
        listens(address(host, opened.getsockname()[1]))
    with tracing.traced(traces, os.environ):
        from proseform.serve.draining import Beside

        beside: list[Beside] = [kept] if isinstance(kept, Beside) else []
        if grpc_port is not None:
            from proseform.serve.grpc.carrier import Carrier

            beside.append(Carrier(app, host, grpc_port, app.limit, _KEPT_S))
        if admin is not None:
            from proseform.serve.admin import Admin, Listener

            beside.append(Listener(Admin(admission.router, Guard(admin.keys)), host, admin.port))
        if follows is not None:
            beside.append(Follower(admission, follows.source, follows.every_s))
        running = uvicorn_server(app, host, port, timeout_s, beside)
        settle()
        running.run([opened])


def settle() -> None:
    """Leave what is there now out of every search for garbage, and search less often.

    A server holds more than 100,000 objects to its end, and stands still while all are searched: some 80 ms
    (``python -m benchmarks.serving.garbage``). References are counted all the same: only cycles wait, and they are few.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


def administration(port: int | None, keys: Path | None) -> Administration | None:
    """Where an administrator may ask, if anywhere.

    Raises:
        ConfigError: A port without keys, keys without a port, or a file of keys that cannot be read.
    """
    if port is None and keys is None:
        return None
    if port is None or keys is None:
        raise ConfigError(
            "--admin-port and --admin-keys belong together.", hint="proseform keys new NAME --file FILE makes a key."
        )
    return Administration(port, Keys(keys))


def guarding(host: str, keys: Path | None, *, no_keys: bool = False, page: bool = False) -> Guard:
    """The guard of an address: keys may be left out on loopback, and elsewhere if that is said; a page has none.

    Raises:
        ConfigError: Neither a file of keys nor word that there is none; or both; or a file that cannot be read; or a
            page with keys, or on an address that others can reach.
    """
    if page and not loopback(host):
        raise ConfigError(
            f"--host {host}: others can reach the page, and it is for people on this machine alone.",
            hint="Leave --host out, and reach the machine by ssh -L 8080:127.0.0.1:8080; or leave --page out.",
        )
    if page and keys is not None:
        raise ConfigError("--page and --keys exclude each other.", hint="On loopback no key is needed.")
    if page:
        return Local()
    if keys is not None and no_keys:
        raise ConfigError("--keys and --no-keys exclude each other.")
    if keys is None and not no_keys and not loopback(host):
        raise ConfigError(
            f"--host {host}: others can reach the server, and no key is asked for.",
            hint="Give --keys FILE (proseform keys new), or --no-keys where a gateway or mesh decides who may ask.",
        )
    return Guard(Keys(keys) if keys is not None else None)


def uvicorn_server(app: App, host: str, port: int, timeout_s: float, beside: Sequence[Beside] = ()) -> Server:
    """The server over an application; see :func:`run`."""
    import uvicorn

    from proseform.serve.connection import Connection
    from proseform.serve.draining import Server

    config = uvicorn.Config(
        app,
        http=Connection,
        host=host,
        port=port,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEPT_S,
        timeout_graceful_shutdown=math.ceil(timeout_s) + 1,
    )
    return Server(config, app, DRAIN_S, beside)
