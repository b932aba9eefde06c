"""A scripted server on loopback, for tests whose subject is what the far side does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Far:
    """A running server.

    Attributes:
        url: Its address.
        asked: What it was asked, in order: path, body, headers, and the caller's port.
    """

    url: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.asked]


@dataclass(frozen=True)
class Asked:
    path: str
    body: dict[str, Any]
    headers: Any
    port: int


Handler = Callable[[web.Request, Asked], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def far(handler: Handler, port: int = 0) -> AsyncIterator[Far]:
    """A server whose every POST goes to the handler, on any port or on this one."""
    server = Far("")

    async def take(request: web.Request) -> web.StreamResponse:
        asked = Asked(
            request.path, await request.json(), request.headers, request.transport.get_extra_info("peername")[1]
        )
        server.asked.append(asked)
        return await handler(request, asked)

    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def body(text: Any, finish: Any = "stop", *, chat: bool = True, **rest: Any) -> dict[str, Any]:
    """A completion, as OpenAI's protocol writes it."""
    choice = {"message": {"content": text}} if chat else {"text": text}
    return {"choices": [{**choice, "finish_reason": finish}], "usage": {"completion_tokens": 4}, **rest}


def says(text: Any, finish: Any = "stop", **rest: Any) -> Handler:
    """A handler that always says the same."""

    async def handler(_request: web.Request, asked: Asked) -> web.Response:
        return web.json_response(body(text, finish, chat=asked.path.endswith("chat/completions"), **rest))

    return handler


def refuses(status: int, answer: Any = None, **headers: str) -> Handler:
    """A handler that always refuses."""

    async def handler(_request: web.Request, _asked: Asked) -> web.Response:
        return web.Response(
            status=status, text=json.dumps(answer or {}), headers=headers, content_type="application/json"
        )

    return handler


def in_turn(*handlers: Handler) -> Handler:
    """Handlers one after another; the last one stays."""
    rest = list(handlers)

    async def handler(request: web.Request, asked: Asked) -> web.StreamResponse:
        return await (rest.pop(0) if len(rest) > 1 else rest[0])(request, asked)

    return handler


def drips(started: asyncio.Event, ended: asyncio.Event, chunk: bytes = b" ") -> Handler:
    """A handler whose body never ends, and that tells when its caller has gone."""

    async def handler(request: web.Request, _asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        started.set()
        try:
            while True:
                await response.write(chunk)
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    return handler


async def resets(request: web.Request, _asked: Asked) -> web.StreamResponse:
    """A handler that closes the connection without a word."""
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(60)
    raise AssertionError("aborted by its transport")
