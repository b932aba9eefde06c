"""The server as an ASGI application: routes, one place where errors become responses, and callers that disconnect.

::

    POST /v1/tasks/{task}/answer        one case, JSON or multipart with files; optionally the caller's schema, streamed
    POST /v1/models/{name}:predict      KServe V1 (:mod:`proseform.serve.v1`)
    POST /v2/models/{name}/infer        KServe V2, the Open Inference Protocol (:mod:`proseform.serve.v2`)
    POST /inference.GRPCInferenceService/{method}  the same by gRPC (:mod:`proseform.serve.grpc`), if asked for
    /v1/files  /v1/batches              files of requests (:mod:`proseform.serve.batches.door`)
    /openai/v1/…                        OpenAI's protocol (:mod:`proseform.serve.openai`)
    GET  /v1/bundle                     which bundles answer, and their weights
    GET  /  /page/…                     a page for people on this machine (:mod:`proseform.serve.page`), if asked for
    GET  /livez  /readyz  /  /v1/models[/{name}]  /v2  /v2/models/{name}[/ready]  /v2/health/{live,ready}  /metrics

Readiness asks the engines (:mod:`proseform.serve.readiness`); liveness does not.

No exception leaves this application: the ASGI server would close the connection, and the next request on it would be
lost. A request's time starts with its first bytes, so the deadline covers reading, documents, schemas and the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from proseform.errors import EngineError
from proseform.infer import spans
from proseform.serve import draft, faults, notes, reading, told, v1, v2
from proseform.serve.about import About
from proseform.serve.admission import Admission
from proseform.serve.events import Stream
from proseform.serve.exchange import BUNDLE, REQUEST, Exchange, GoneError, Receive, Response, Send
from proseform.serve.faults import NotFoundError
from proseform.serve.guard import Guard
from proseform.serve.notes import Notes
from proseform.serve.openai import completions
from proseform.serve.openai.door import Door
from proseform.serve.page import Page
from proseform.serve.readiness import Readiness
from proseform.serve.routes import Handler, Route, check_model, matching, protocol
from proseform.serve.several import Read, Several
from proseform.serve.waiting import deadline, in_time, unless_gone


class Batches(Protocol):
    """Takes files of requests, and works on them while the server is up."""

    @property
    def routes(self) -> Sequence[Route]:
        """Its routes."""

    def begin(self) -> None:
        """Begin to work."""

    async def end(self) -> None:
        """Work no more."""


_AT_ONCE = (faults.HeadError, faults.BusyError)
"""Errors that are told before a body has come."""


class App:
    """An ASGI application over one task.

    Args:
        admission: Answers cases.
        name: The model's name in KServe's protocols.
        guard: Lets requests in; None asks for no key.
        batches: Takes files of requests; None takes none.
        page: Whether there is a page at ``/``, in the place of V1's liveness.
        grpc: Whether the methods of gRPC are routes too (:mod:`proseform.serve.grpc`).

    Attributes:
        draining: Whether the server is about to end: it is not ready, and each response closes its connection.
        limit: The largest body, in bytes.
    """

    draining = False

    def __init__(
        self, admission: Admission, name: str, guard: Guard | None = None, batches: Batches | None = None,
        *, page: bool = False, grpc: bool = False,
    ) -> None:  # fmt: skip
        self._admission = admission
        self._name = name
        self._guard = guard or Guard()
        self._batches = batches
        self._reader = reading.Reader(admission.task)
        self.limit = reading.body_limit(admission.task)
        self._readiness = Readiness(admission.router)
        self._several = Several(admission, self._guard)
        name, version = r"(?P<name>[^/]+)", "(/versions/(?P<version>[^/]+))?"
        self._routes = [
            Route(r"/v1/tasks/(?P<task>[^/]+)/answer", "POST", self._answer),
            Route(rf"/v1/models/{name}:predict", "POST", self._predict),
            Route(rf"/v2/models/{name}{version}/infer", "POST", self._infer),
            *Door(admission, self._reader).routes,
            *(batches.routes if batches else ()),
            *(Page(admission, self._reader).routes if page else ()),
            *(self._calls() if grpc else ()),
            *About(admission, self._name).routes,
            Route(rf"/v1/models/{name}", "GET", self._ready, open=True),
            Route(rf"/v2/models/{name}{version}/ready", "GET", self._ready, open=True),
            Route(r"/livez|/v2/health/live", "GET", self._live, open=True),
            Route(r"/readyz|/v2/health/ready", "GET", self._healthy, open=True),
            Route(r"/", "GET", self._alive, open=True),
            Route(r"/metrics", "GET", self._metrics, open=True),
        ]

    def _calls(self) -> Sequence[Route]:
        """The methods of gRPC, whose library is imported where they are asked for."""
        from proseform.serve.grpc.door import Door as Calls

        return Calls(self._several, self._name, self._check_engines).routes

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            exchange = Exchange(scope, receive, self.limit)
            with notes.taken(Notes(protocol(exchange.path))) as noted, told.span(exchange, self._routes) as span:
                outcome = "gone"
                try:
                    await self._exchanged(exchange, send)
                    outcome = "refused" if noted.reason else "answered"
                except GoneError:
                    pass  # nobody is there to be told
                finally:
                    told.ended(exchange, noted, self._admission.task.name, outcome, span)

    async def _exchanged(self, exchange: Exchange, send: Send) -> None:
        """Respond to a request, with its id and with the bundle that answered or refused, where one is known."""
        response = await self._responded(exchange)
        bundle = notes.current().bundle
        more = {REQUEST: exchange.id, **({BUNDLE: bundle} if bundle else {})}
        if isinstance(response, Stream):
            exchange.status = 200
            await response.sent(exchange, send, more)
            return
        exchange.status = response.status
        closing = self.draining or not await exchange.ended()
        body = b"" if exchange.method == "HEAD" else response.body
        headers = {**response.headers, **more, **({"connection": "close"} if closing else {})}
        await Response(response.status, body, response.kind, headers).sent(send)

    async def _responded(self, exchange: Exchange) -> Response | Stream:
        """The response to a request; an exception becomes an error response."""
        try:
            handler, values = self._route(exchange)
            return await handler(exchange, values)
        except GoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the one place where errors become responses
            faults.log(error)
            if not notes.current().reason:
                self._admission.refused(error)
            exchange.at_once = exchange.at_once or isinstance(error, _AT_ONCE)
            status, body = _shaped(exchange.path, error)
            return Response.of_json(body, status, faults.headers(error))

    def _route(self, exchange: Exchange) -> tuple[Handler, Mapping[str, str]]:
        """The handler of a request, and the values in its path.

        Raises:
            NotFoundError: No such path, or no such model.
            MethodError: The path has another method.
            UnauthorizedError: No valid key; :class:`~proseform.serve.faults.RateError`: it asks too often.
        """
        route, values = matching(self._routes, exchange)
        with self._admission.counted():
            self._guard.admit(exchange, open=route.open)
        if not route.open and (only := self._admission.router.only):
            notes.current().bundles[only] = None
        check_model(values.get("name", self._name), values.get("version") or "", self._name)
        return route.handler, values

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Start and stop with the server."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if self._batches is not None:
                    self._batches.begin()
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._batches is not None:
                    await self._batches.end()
                for engine in self._admission.engines:
                    await engine.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, exchange: Exchange, values: Mapping[str, str]) -> Response | Stream:
        """Our own protocol."""
        admission = self._admission
        if values["task"] != admission.task.name:
            raise NotFoundError(f"No task {values['task']!r:.80} here; this server answers '{admission.task.name}'.")

        async def work() -> Response | Stream:
            with spans.span("reading"):
                asked = await self._reader.read(exchange, deadline(exchange, admission))
            self._guard.charge(exchange, asked.samples)
            until = exchange.began + min(asked.timeout_s or admission.timeout_s, admission.timeout_s)
            if asked.stream:
                return draft.stream(admission, asked, until, exchange.tenant)
            answering = admission.answer(
                asked.inputs,
                schema=asked.schema,
                deadline=until,
                tenant=exchange.tenant,
                kind=exchange.rank,
                samples=asked.samples,
                bundles=asked.bundles,
            )
            answer = await unless_gone(exchange, answering)
            return Response.of_json(answer.as_dict())

        response = await in_time(exchange, admission, work())
        return await response.begun(exchange) if isinstance(response, Stream) else response

    async def _predict(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V1."""

        async def read() -> Read:
            instances = v1.instances(await self._reader.json(await exchange.body()))
            return instances, lambda outcomes: Response.of_json(v1.predictions(outcomes))

        return await self._several.answered(exchange, read)

    async def _infer(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V2."""

        async def read() -> Read:
            asked = await v2.read(exchange, self._reader)
            return asked.instances, lambda outcomes: v2.response(asked, outcomes, self._name)

        return await self._several.answered(exchange, read)

    async def _ready(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Readiness of the model, in V1 and V2."""
        await self._check_engines()
        return Response.of_json({"name": self._name, "ready": True})

    async def _live(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Liveness of the server."""
        return Response.of_json({"live": True})

    async def _healthy(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Readiness of the server."""
        await self._check_engines()
        return Response.of_json({"ready": True})

    async def _check_engines(self) -> None:
        """Raise an :class:`~proseform.errors.EngineError` if no answer can be given now, or none soon."""
        if self.draining:
            raise EngineError("The server is about to end.")
        if trouble := await self._readiness.trouble():
            raise EngineError(trouble)

    async def _alive(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V1's liveness of the server."""
        return Response.of_json({"status": "alive"})

    async def _metrics(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Prometheus metrics."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return Response(200, generate_latest(), CONTENT_TYPE_LATEST)


def _shaped(path: str, error: Exception) -> tuple[int, dict[str, Any]]:
    """An error's HTTP status and body, in the shape of the path's protocol."""
    if path.startswith("/openai/"):
        return completions.error(error)
    if protocol(path) in {"v2", "grpc"}:
        return v2.error(error)
    return faults.status(error), {"error": faults.as_json(error)}
