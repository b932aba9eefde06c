"""The server as an ASGI application: routes, one place where errors become responses, and callers that disconnect.

::

    POST /v1/tasks/{task}/answer        one case, JSON or multipart with files; optionally the caller's schema
    POST /v1/models/{name}:predict      KServe V1 (:mod:`proseform.serve.v1`)
    POST /v2/models/{name}/infer        KServe V2, the Open Inference Protocol (:mod:`proseform.serve.v2`)
    GET  /v1/bundle                     which bundles answer, and their weights
    GET  /  /v1/models[/{name}]  /v2  /v2/models/{name}[/ready]  /v2/health/{live,ready}  /metrics

Readiness asks the engines (:mod:`proseform.serve.readiness`); liveness does not.

No exception leaves this application: the ASGI server would close the connection, and the next request on it would be
lost. A request's time starts with its first bytes, so the deadline covers reading, documents, schemas and the answer.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from proseform.errors import EngineError, Refusal
from proseform.serve import faults, reading, v1, v2
from proseform.serve.admission import Admission
from proseform.serve.exchange import Exchange, GoneError, Receive, Response, Send
from proseform.serve.faults import MethodError, NotFoundError
from proseform.serve.readiness import Readiness

BUNDLE = "x-proseform-bundle"
T = TypeVar("T")
Handler = Callable[[Exchange, Mapping[str, str]], Awaitable[Response]]


class App:
    """An ASGI application over one task.

    Args:
        admission: Answers cases.
        name: The model's name in KServe's protocols.
    """

    def __init__(self, admission: Admission, name: str) -> None:
        self._admission = admission
        self._name = name
        self._reader = reading.Reader(admission.task)
        self._limit = reading.body_limit(admission.task)
        self._readiness = Readiness(admission.router.engines)
        self._routes: list[tuple[re.Pattern[str], str, Handler]] = [
            (re.compile(pattern), method, handler)
            for pattern, method, handler in (
                (r"/v1/tasks/(?P<task>[^/]+)/answer", "POST", self._answer),
                (r"/v1/models/(?P<name>[^/]+):predict", "POST", self._predict),
                (r"/v2/models/(?P<name>[^/]+)(/versions/[^/]+)?/infer", "POST", self._infer),
                (r"/v1/bundle", "GET", self._bundle),
                (r"/v1/models", "GET", self._models),
                (r"/v1/models/(?P<name>[^/]+)", "GET", self._model),
                (r"/v2", "GET", self._server),
                (r"/v2/models/(?P<name>[^/]+)(/versions/[^/]+)?", "GET", self._metadata),
                (r"/v2/models/(?P<name>[^/]+)(/versions/[^/]+)?/ready", "GET", self._ready),
                (r"/v2/health/live", "GET", self._live),
                (r"/v2/health/ready", "GET", self._healthy),
                (r"/", "GET", self._alive),
                (r"/metrics", "GET", self._metrics),
            )
        ]

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            exchange = Exchange(scope, receive, self._limit)
            try:
                response = await self._responded(exchange)
            except GoneError:
                return
            if exchange.method == "HEAD":
                response = Response(response.status, b"", response.kind, response.headers)
            await response.sent(send)

    async def _responded(self, exchange: Exchange) -> Response:
        """The response to a request; an exception becomes an error response."""
        try:
            handler, values = self._route(exchange)
            return await handler(exchange, values)
        except GoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the one place where errors become responses
            faults.log(error)
            headers = faults.headers(error)
            if not exchange.whole and isinstance(error, faults.TooLargeError):
                headers = {**headers, "connection": "close"}  # the rest of the body is not read
            return Response.of_json({"error": faults.as_json(error)}, faults.status(error), headers)

    def _route(self, exchange: Exchange) -> tuple[Handler, Mapping[str, str]]:
        """The handler of a request, and the values in its path.

        Raises:
            NotFoundError: No such path, or no such model.
            MethodError: The path has another method.
        """
        for pattern, method, handler in self._routes:
            match = pattern.fullmatch(exchange.path)
            if match is None:
                continue
            if exchange.method not in ({method, "HEAD"} if method == "GET" else {method}):
                raise MethodError(exchange.method, method)
            values = match.groupdict()
            if values.get("name", self._name) != self._name:
                raise NotFoundError(f"No model {values['name']!r:.80} here; this server has '{self._name}'.")
            return handler, values
        raise NotFoundError(f"No route {exchange.path!r:.80}.", hint="POST /v1/tasks/{task}/answer answers one case.")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Start and stop with the server."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                for weighted in self._admission.router.engines:
                    await weighted.engine.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _deadline(self, exchange: Exchange) -> float:
        """A request's deadline by the server's time-out, which starts with the first bytes."""
        return exchange.began + self._admission.timeout_s

    async def _in_time(self, exchange: Exchange, work: Awaitable[Response]) -> Response:
        """The response, or a refusal at the request's deadline; errors are counted."""
        with self._admission.counted():
            try:
                async with asyncio.timeout(self._deadline(exchange) - time.monotonic()) as whole:
                    return await work
            except TimeoutError as error:
                if not whole.expired():
                    raise
                hint = "Send the body at once, allow more time, or retry."
                raise Refusal("deadline", "Time was up before the answer.", hint=hint) from error

    async def _answer(self, exchange: Exchange, values: Mapping[str, str]) -> Response:
        """Our own protocol."""
        admission = self._admission
        if values["task"] != admission.task.name:
            raise NotFoundError(f"No task {values['task']!r:.80} here; this server answers '{admission.task.name}'.")

        async def work() -> Response:
            asked = await self._reader.read(exchange, self._deadline(exchange))
            deadline = exchange.began + min(asked.timeout_s or admission.timeout_s, admission.timeout_s)
            answer = await _unless_gone(
                exchange, admission.answer(asked.inputs, schema=asked.schema, deadline=deadline)
            )
            return Response.of_json(answer.as_dict(), headers={BUNDLE: answer.bundle})

        return await self._in_time(exchange, work())

    async def _predict(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V1."""

        async def work() -> Response:
            instances = v1.instances(await self._reader.json(await exchange.body()))
            outcomes = await _unless_gone(exchange, self._admission.batch(instances, self._deadline(exchange)))
            bundles = v1.bundles(outcomes)
            return Response.of_json(v1.predictions(outcomes), headers={BUNDLE: bundles})

        return await self._in_time(exchange, work())

    async def _infer(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V2."""

        async def work() -> Response:
            asked = await v2.read(exchange, self._reader)
            outcomes = await _unless_gone(exchange, self._admission.batch(asked.instances, self._deadline(exchange)))
            return v2.response(asked, outcomes, self._name, {BUNDLE: v1.bundles(outcomes)})

        return await self._in_time(exchange, work())

    async def _bundle(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """The bundles that answer, and their weights."""
        rows = []
        for weighted in self._admission.router.engines:
            bundle = weighted.engine.bundle
            row = {"digest": bundle.digest, "task": bundle.task, "task_contract": bundle.task_contract}
            rows.append({**row, "weight": weighted.weight})
        inputs, schema = list(self._admission.task.inputs), dict(bundle.schema)
        return Response.of_json({"bundles": rows, "inputs": inputs, "schema": schema})

    async def _models(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V1's list of models."""
        return Response.of_json({"models": [self._name]})

    async def _model(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V1's readiness of the model."""
        await self._check_engines()
        return Response.of_json({"name": self._name, "ready": True})

    async def _server(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V2's metadata of the server."""
        return Response.of_json(v2.server())

    async def _metadata(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V2's metadata of the model."""
        return Response.of_json(v2.metadata(self._name, self._admission.task.inputs))

    async def _ready(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V2's readiness of the model."""
        await self._check_engines()
        return Response.of_json({"name": self._name, "ready": True})

    async def _live(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V2's liveness of the server."""
        return Response.of_json({"live": True})

    async def _healthy(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V2's readiness of the server."""
        await self._check_engines()
        return Response.of_json({"ready": True})

    async def _check_engines(self) -> None:
        """Raise an :class:`~proseform.errors.EngineError` if no answer can be given now."""
        if trouble := await self._readiness.trouble():
            raise EngineError(trouble)

    async def _alive(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V1's liveness of the server."""
        return Response.of_json({"status": "alive"})

    async def _metrics(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Prometheus metrics."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return Response(200, generate_latest(), CONTENT_TYPE_LATEST)


async def _unless_gone(exchange: Exchange, work: Awaitable[T]) -> T:
    """The result of the work, which is cancelled if the caller disconnects.

    Raises:
        GoneError: The caller has disconnected.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(exchange.gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise GoneError
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
