"""A real server of the toy task over a scripted engine, in a thread: it starts in milliseconds, without a model."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from proseform import testing
from proseform.infer import Engine
from proseform.serve import server
from proseform.serve.admission import Admission
from proseform.serve.app import App
from proseform.serve.batches.door import Door
from proseform.serve.batches.shelf import Shelf
from proseform.serve.draining import Beside
from proseform.serve.guard import Guard
from proseform.serve.router import Router, Weighted
from proseform.task import Task
from tests.waiting import PATIENCE_S

PROSE = "The parcel weighs 90 g, 100 g are allowed. Note: a map. Verdict: send."
JSON = '{"verdict": "send", "grams": 90, "note": "a map"}'
INPUTS = {"parcel": "a map, 90 g", "rule": "at most 100 g"}


def good(request):
    """Every role's right answer."""
    return PROSE if request.role == "evaluator" else JSON


@dataclass
class Light:
    """A running server.

    Attributes:
        port: Where it listens.
        engine: What answers.
        grpc_port: Where it listens for gRPC; 0 where it does not.
    """

    port: int
    engine: Any
    grpc_port: int = 0

    def line(self) -> http.client.HTTPConnection:
        """One kept connection, which is never reopened."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.connect()
        connection.auto_open = 0
        return connection


@contextmanager
def light(
    script=good,
    *,
    engine: Engine | None = None,
    beside: Sequence[Engine] = (),
    page: bool = False,
    grpc: bool = False,
    alongside: Sequence[Callable[[Admission], Beside]] = (),
    task: Task | None = None,
    guard: Guard | None = None,
    shelf: Shelf | None = None,
    **options: Any,
) -> Iterator[Light]:
    """A server over a script or an engine, engines of other bundles beside it, and what goes on beside the server."""
    task = task or testing.toy_task()
    known = {"timeout_s": 20.0, "concurrency": 8, "queue": 8, **options}
    engine = engine or testing.ScriptedEngine(testing.toy_bundle(task), script)
    admission = Admission(Router([Weighted(one) for one in (engine, *beside)]), task, **known)
    door = Door(shelf, admission, 2) if shelf else None
    app = App(admission, f"proseform-{task.name}", guard, door, page=page, grpc=grpc)
    carriers = [_carrier(app)] if grpc else []
    others = [*carriers, *(one(admission) for one in alongside)]
    running = server.uvicorn_server(app, "127.0.0.1", 0, known["timeout_s"], others)
    started = threading.Event()
    startup = running.startup

    async def told(*arguments: Any, **named: Any) -> None:
        await startup(*arguments, **named)
        started.set()

    running.startup = told
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        assert started.wait(PATIENCE_S)
        grpc_port = carriers[0].port if grpc else 0
        yield Light(running.servers[0].sockets[0].getsockname()[1], engine, grpc_port)
    finally:
        running.should_exit = True
        thread.join(PATIENCE_S)


def _carrier(app: App) -> Any:
    """What listens for gRPC, whose library only tests of gRPC import."""
    from proseform.serve.grpc.carrier import Carrier

    return Carrier(app, "127.0.0.1", 0, app.limit, 75)


def post(connection: http.client.HTTPConnection, path: str, body: Any, **headers: str) -> tuple[int, Any, Any]:
    """One request on a connection: status, headers, and the body as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, data, {"content-type": "application/json", **headers})
    response = connection.getresponse()
    content = response.read()
    kind = response.headers["content-type"]
    return response.status, response.headers, json.loads(content) if kind == "application/json" else content
