"""Carries gRPC calls to the application, as requests whose path is the method, and its responses back as outcomes.

A call's message is read when the application asks for it, so a call that the guard refuses is not read at all. A call
that its client cancels, or whose deadline passes, is a caller that has disconnected. When the server ends, calls that
have begun are answered; one that is on its way at that very moment gRPC itself ends as CANCELLED. Left out: compressed
messages, of which a small one can unfold to gigabytes before its size is looked at.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import grpc.aio

from proseform.errors import InputError
from proseform.serve.app import App
from proseform.serve.exchange import BUNDLE, REQUEST
from proseform.serve.grpc import messages
from proseform.serve.grpc.door import ASKS
from proseform.serve.listening import authority, unusable

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    431: grpc.StatusCode.INVALID_ARGUMENT,
    502: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""Each HTTP status (:mod:`proseform.serve.faults`) as gRPC's; any other is INTERNAL. 422 is a refusal of the models."""
_TOLD = (REQUEST, BUNDLE, "retry-after")
"""Headers of a response that become trailing metadata."""
_PUSHBACK = "grpc-retry-pushback-ms"
"""When a client that retries by itself is to come again (gRPC's design A6)."""
_SLACK = 64 * 1024
"""Bytes of a message beside its texts."""
_HANDSHAKE_MS = 10_000
_STREAMS = 1024
"""Most calls at a time on one connection."""


class Carrier:
    """Listens for gRPC.

    Args:
        app: What is served, with the routes of :mod:`proseform.serve.grpc.door`.
        host: As for :func:`proseform.serve.server.run`.
        port: TCP port; 0 takes a free one.
        limit: The largest request, in bytes.
        kept_s: Longest pause on a connection, in seconds.

    Attributes:
        port: Where it listens, once it has begun.
    """

    def __init__(self, app: App, host: str, port: int, limit: int, kept_s: int) -> None:
        self.port = port
        self._app = app
        self._host = host
        self._options = [
            ("grpc.so_reuseport", 0),  # a second server on this port is told so
            ("grpc.max_receive_message_length", limit + _SLACK),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", _STREAMS),
            ("grpc.max_connection_idle_ms", kept_s * 1000),
            ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
            ("grpc.compression_enabled_algorithms_bitset", 1 << grpc.Compression.NoCompression.value),
        ]
        self._server: grpc.aio.Server | None = None

    async def begin(self) -> None:
        """Listen.

        Raises:
            ConfigError: Nothing can listen there.
        """
        server = grpc.aio.server(options=self._options)
        server.add_generic_rpc_handlers((_Methods(self._app),))
        try:
            self.port = server.add_insecure_port(authority(self._host, self.port))
        except RuntimeError as error:
            raise unusable(self._host, "--grpc-port", self.port) from error
        await server.start()
        self._server = server

    async def end(self, grace_s: float) -> None:
        """Take no further call, and let those that have begun end, for so many seconds."""
        if self._server is not None:
            await self._server.stop(grace_s)


class _Methods(grpc.GenericRpcHandler):
    """Every method of the service; others are UNIMPLEMENTED by gRPC itself."""

    def __init__(self, app: App) -> None:
        self._app = app

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The handler of a method: its one message is read as if it were a stream, which is to say when asked for."""
        path = handler_call_details.method
        if not path.startswith(f"/{messages.SERVICE}/"):
            return None

        async def handle(incoming: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
            return await _carried(self._app, path, incoming, context)

        return grpc.stream_unary_rpc_method_handler(handle)


async def _carried(app: App, path: str, incoming: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
    """One call: the response's message, or the call ends with an error."""
    call = _Call(incoming)
    headers = [
        (name.encode(), text if isinstance(text, bytes) else text.encode())
        for name, text in context.invocation_metadata() or ()
    ]
    method = "POST" if path == ASKS else "GET"
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    working = asyncio.ensure_future(app(scope, call.receive, call.send))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        call.left.set()
        await working
        raise
    told = tuple((name, call.headers[name]) for name in _TOLD if name in call.headers)
    if call.status == 200:  # noqa: PLR2004 - OK
        context.set_trailing_metadata(told)
        return call.body
    if "retry-after" in call.headers:
        told += ((_PUSHBACK, str(1000 * int(call.headers["retry-after"]))),)
    words = json.loads(call.body)["error"]
    code = _CODES.get(call.status, grpc.StatusCode.INTERNAL)
    await context.abort(code, words.encode("ascii", "backslashreplace").decode(), told)
    raise AssertionError  # abort has raised


class _Call:
    """One call as ASGI's receive and send.

    Attributes:
        left: Set once the client has cancelled.
        status: Of the response, as HTTP's.
        headers: Of the response.
        body: Of the response.
    """

    def __init__(self, incoming: AsyncIterator[bytes]) -> None:
        self._incoming: AsyncIterator[bytes] | None = incoming
        self.left = asyncio.Event()
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.body = b""

    async def receive(self) -> Any:
        """The message, once; then word that the client has left, once it has."""
        if self._incoming is None:
            await self.left.wait()
            return {"type": "http.disconnect"}
        incoming, self._incoming = aiter(self._incoming), None
        message = await anext(incoming, None)
        if self.left.is_set():
            return {"type": "http.disconnect"}
        if message is None or await anext(incoming, None) is not None:
            raise InputError("The call has not exactly one message.")
        return {"type": "http.request", "body": message}

    async def send(self, message: Mapping[str, Any]) -> None:
        """A part of the response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in message["headers"]}
        else:
            self.body += message.get("body", b"")
