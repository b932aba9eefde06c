"""Which bundles answer and with which weights, told and changed at run time by whoever has an administrator's key.

::

    GET /admin/bundles    each bundle with its alias and weight
    PUT /admin/weights    {"champion": 90, "candidate": 10}; the bundles, as they are then

It listens on a port of its own, so that a gateway can keep it from callers, and asks for keys of a file of its own.
Weights that are set here hold until the server ends; an alias keeps its weight where it moves to another bundle.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import uvicorn

from proseform.errors import ConfigError, InputError
from proseform.serve import exchange as http
from proseform.serve import faults
from proseform.serve.connection import Connection
from proseform.serve.exchange import Exchange, GoneError, Receive, Response, Send
from proseform.serve.guard import Guard
from proseform.serve.listening import listening
from proseform.serve.router import Router
from proseform.serve.routes import Route, matching

_LOG = logging.getLogger("proseform.serve")
_BODY = 64 * 1024
_MOST = 1_000_000
"""The largest weight."""


class Admin:
    """An ASGI application over a router.

    Args:
        router: Whose weights they are.
        guard: Asks for a key.
    """

    def __init__(self, router: Router, guard: Guard) -> None:
        self._router = router
        self._guard = guard
        self._routes = [
            Route(r"/admin/bundles", "GET", self._bundles),
            Route(r"/admin/weights", "PUT", self._weigh),
        ]

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        exchange = Exchange(scope, receive, _BODY)
        try:
            response = await self._responded(exchange)
            closing = {} if await exchange.ended() else {"connection": "close"}
        except GoneError:
            return
        await replace(response, headers={**response.headers, **closing}).sent(send)

    async def _responded(self, exchange: Exchange) -> Response:
        """The response to a request; an exception becomes an error response."""
        try:
            route, values = matching(self._routes, exchange)
            self._guard.admit(exchange, open=False)
            response = await route.handler(exchange, values)
        except GoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the one place where errors become responses
            faults.log(error)
            return Response.of_json({"error": faults.as_json(error)}, faults.status(error), faults.headers(error))
        assert isinstance(response, Response)  # nothing is streamed here
        return response

    async def _bundles(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Each bundle, its alias and its weight."""
        rows = [
            {"alias": weighted.alias, "digest": weighted.engine.bundle.digest, "weight": weighted.weight}
            for weighted in self._router.engines
        ]
        return Response.of_json({"bundles": rows})

    async def _weigh(self, exchange: Exchange, values: Mapping[str, str]) -> Response:
        """Other weights."""
        weights = http.read(await exchange.body(), "The body")
        hint = 'Send {"champion": 90, "candidate": 10}: alias or digest to a whole number.'
        if not isinstance(weights, dict) or not weights:
            raise InputError("The body has no weights.", hint=hint)
        for name, weight in weights.items():
            if type(weight) is not int or not 0 <= weight <= _MOST:
                raise InputError(f"The weight of {name!r:.80} is {weight!r:.20}.", hint=hint)
        try:
            self._router.weigh(weights)
        except ConfigError as error:
            raise InputError(error.message, hint=error.hint) from error
        by = f" by key '{exchange.key.name}'" if exchange.key else ""
        _LOG.info("weights were set%s: %s", by, ", ".join(f"{name}={weights[name]}" for name in weights))
        return await self._bundles(exchange, values)


class _Quiet(uvicorn.Server):
    """A server that leaves signals to the one beside it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class Listener:
    """Listens for an administrator, beside the server.

    Args:
        app: What is served.
        host: Address to listen on.
        port: TCP port; 0 takes a free one.

    Attributes:
        port: Where it listens, once it has begun.
    """

    def __init__(self, app: Admin, host: str, port: int) -> None:
        self.port = port
        self._app = app
        self._host = host
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Listen; raises as :func:`proseform.serve.listening.listening`."""
        opened = listening(self._host, self.port, "--admin-port")
        self.port = opened.getsockname()[1]
        config = uvicorn.Config(
            self._app, http=Connection, ws="none", lifespan="off", access_log=False, log_config=None,
            log_level="warning", server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = _Quiet(config)
        self._serving = asyncio.create_task(self._server.serve([opened]))

    async def end(self, _grace_s: float) -> None:
        """Listen no more."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
