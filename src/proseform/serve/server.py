"""A KServe ModelServer with Proseform's transformer: what leaves it was verified, or says why it was not.

::

    POST /v1/tasks/{task}/answer        one case, JSON or multipart with files; optionally a schema of one's own
    POST /v1/models/{name}:predict      KServe V1: {"instances": [{input: text}]} → {"predictions": [answer or {"error"}]}
    POST /v2/models/{name}/infer        KServe V2: one BYTES tensor for each input → tensors answer, prose, bundle, error
    GET  /v1/bundle                     which bundles answer, and their weights
    GET  /metrics  /v2/health/ready     KServe's own, ours among them

Traps met: KServe reads ``sys.argv`` when it is imported (unknown arguments are passed over), always listens on every
interface (the host is set here), and answers errors as plain strings (:mod:`proseform.serve.faults` does it instead).
Importing it takes 7 s, so it is imported here, in functions. Left out: gRPC and streaming.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from proseform.errors import InputError, ProseformError
from proseform.infer.answer import Answer, close
from proseform.serve import faults, reading
from proseform.serve.admission import Admission
from proseform.serve.router import Router, Weighted
from proseform.task import Task

BUNDLE = "x-proseform-bundle"
MAX_INSTANCES = 64
"""Cases of one predict request."""


def run(
    engines: Sequence[Weighted],
    task: Task,
    *,
    name: str = "",
    host: str = "127.0.0.1",
    port: int = 8080,
    timeout_s: float = 60.0,
    concurrency: int = 1,
    queue: int = 64,
) -> None:
    """Serve until a signal ends it.

    Args:
        engines: Bundles and their weights, all made for this task.
        task: The task.
        name: The model's name in KServe's protocols; empty takes ``proseform-<task>``.
        host: Address to listen on; ``0.0.0.0`` in a container.
        port: TCP port.
        timeout_s: See :class:`~proseform.serve.admission.Admission`, as for the next two.
        concurrency: Answers at once.
        queue: Requests that may wait.

    Raises:
        TaskError: A bundle that was made for another task, or another state of it; nothing is served.
    """
    admission = Admission(Router(engines), task, timeout_s=timeout_s, concurrency=concurrency, queue=queue)

    from kserve import ModelServer, model_server

    class Server(ModelServer):
        """KServe's server, on our host and with our errors."""

        def setup_event_loop(self) -> None:
            """Called between the making of the REST server and its start: the one place to reach it."""
            rest = self._rest_server
            rest.config.host = host
            theirs = rest._add_exception_handlers  # noqa: SLF001 - KServe installs its own last, and offers no hook

            def handlers(app: Any) -> None:
                theirs(app)
                faults.install(app)

            rest._add_exception_handlers = handlers  # noqa: SLF001
            super().setup_event_loop()

    routes(model_server.app, admission)
    model_server.app.add_middleware(BodyLimit, limit=reading.body_limit(task))
    try:
        Server(http_port=port, enable_grpc=False, workers=1).start(
            [transformer(admission, name or f"proseform-{task.name}")]
        )
    finally:
        for weighted in engines:
            close(weighted.engine)


def routes(app: Any, admission: Admission) -> None:
    """Put our routes on a FastAPI app: as plain Starlette routes, since bodies are read here and nothing is derived from annotations."""
    from starlette.responses import JSONResponse

    async def answer(request: Any) -> Any:
        task = request.path_params["task"]
        if task != admission.task.name:
            raise faults.NotFoundError(f"No task '{task}' here; this server answers '{admission.task.name}'.")
        asked = await reading.read(request, admission.task)
        given = await admission.answer(asked.inputs, schema=asked.schema, timeout_s=asked.timeout_s)
        return JSONResponse(given.as_dict(), headers={BUNDLE: given.bundle})

    async def bundle(_request: Any) -> Any:
        rows = []
        for each in admission.router.engines:
            known = each.engine.bundle
            rows.append(
                {
                    "digest": known.digest,
                    "task": known.task,
                    "task_contract": known.task_contract,
                    "weight": each.weight,
                }
            )
        return JSONResponse({"bundles": rows, "inputs": list(admission.task.inputs), "schema": dict(known.schema)})

    app.add_route("/v1/tasks/{task}/answer", answer, methods=["POST"])
    app.add_route("/v1/bundle", bundle, methods=["GET"])


def transformer(admission: Admission, name: str) -> Any:
    """The KServe model over the admission."""
    from kserve import InferOutput, InferRequest, InferResponse, Model

    class ProseformModel(Model):
        """KServe's protocols, translated."""

        def __init__(self) -> None:
            super().__init__(name)
            self.required_response_headers = True
            self.ready = True

        async def predict(
            self, payload: Any, headers: Any = None, response_headers: dict[str, str] | None = None
        ) -> Any:
            """V1 and V2; errors of single cases stand in their places, and are the response's own where all failed."""
            del headers
            v2 = isinstance(payload, InferRequest)
            outcomes = await batch(admission, _tensors(payload) if v2 else _instances(payload))
            bundles = {each.bundle: None for each in outcomes if isinstance(each, Answer)}
            if response_headers is not None:
                response_headers[BUNDLE] = ", ".join(bundles)
            if not v2:
                return {"predictions": [_prediction(each) for each in outcomes]}
            rows = [_elements(each) for each in outcomes]
            outputs = [InferOutput(column, [len(rows)], "BYTES", [row[column] for row in rows]) for column in rows[0]]
            return InferResponse(payload.id or "", name, outputs)

    return ProseformModel()


async def batch(admission: Admission, instances: Sequence[Any]) -> list[Answer | ProseformError]:
    """Answer cases side by side; each outcome is an answer or its error.

    Raises:
        InputError: No case, or too many.
        BatchError: Every case failed.
    """
    if not 0 < len(instances) <= MAX_INSTANCES:
        raise InputError(f"{len(instances)} instances were sent.", hint=f"Send 1 to {MAX_INSTANCES}.")

    async def one(instance: Any) -> Answer | ProseformError:
        try:
            if not isinstance(instance, dict):
                hint = f"It has {', '.join(admission.task.inputs)}."
                raise InputError(f"An instance is {type(instance).__name__}, expected an object.", hint=hint)
            return await admission.answer(
                {key: reading.as_text(admission.task, key, value) for key, value in instance.items()}
            )
        except ProseformError as error:
            return error

    outcomes = await asyncio.gather(*(one(instance) for instance in instances))
    errors = [outcome for outcome in outcomes if isinstance(outcome, ProseformError)]
    if len(errors) == len(outcomes):
        raise faults.BatchError(errors)
    return list(outcomes)


def _instances(payload: Any) -> list[Any]:
    """The cases of a V1 request."""
    if not isinstance(payload, dict) or not isinstance(payload.get("instances"), list):
        raise InputError("Field 'instances' is missing or no list.", hint='Send {"instances": [{input: text}]}.')
    return list(payload["instances"])


def _tensors(request: Any) -> list[dict[str, Any]]:
    """The cases of a V2 request: the n-th element of each tensor is the n-th case's input."""
    try:
        columns = {
            tensor.name: [_decoded(item) for item in tensor.as_numpy().flatten().tolist()] for tensor in request.inputs
        }
    except ValueError as error:  # a shape that the data does not have, bytes that are no UTF-8
        raise InputError(f"A tensor cannot be read ({error}).", hint="Send BYTES tensors of shape [cases].") from error
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise InputError(
            f"The tensors have {sorted(lengths)} elements.", hint="Send one element for each case in every tensor."
        )
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _decoded(item: Any) -> Any:
    """An element of a tensor: text, from JSON or from the binary extension (KServe's own ``as_string`` takes bytes only)."""
    return item.decode() if isinstance(item, bytes) else item


def _prediction(outcome: Answer | ProseformError) -> dict[str, Any]:
    """One case as V1's prediction."""
    return outcome.as_dict() if isinstance(outcome, Answer) else {"error": faults.as_json(outcome)}


def _elements(outcome: Answer | ProseformError) -> dict[str, str]:
    """One case as elements of V2's tensors."""
    if isinstance(outcome, Answer):
        text = json.dumps(outcome.value, ensure_ascii=False)
        return {"answer": text, "prose": outcome.prose, "bundle": outcome.bundle, "error": ""}
    return {"answer": "", "prose": "", "bundle": "", "error": json.dumps(faults.as_json(outcome), ensure_ascii=False)}


class BodyLimit:
    """ASGI middleware: a body beyond the limit is a 413, however it is sent.

    Args:
        app: What stands behind.
        limit: In bytes.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Pass the request on, counting."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = faults.TooLargeError(f"The body is larger than {self._limit} bytes.", hint="Send less.")
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if stated.isdigit() and int(stated) > self._limit:
            body = json.dumps({"error": faults.as_json(error)}).encode()
            kind = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            await send({"type": "http.response.start", "status": faults.status(error), "headers": kind})
            await send({"type": "http.response.body", "body": body})
            return
        got = 0

        async def counting() -> Any:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._limit:
                raise error  # within the app, whose handlers answer it
            return message

        await self._app(scope, counting, send)
