"""The ways in which an engine fails: each answers one request, given the text that would have been right.

``HARD`` faults give no completion; ``SOFT`` ones give an HTTP 200 with a completion that is not what was asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Fault = Callable[[web.Request, bool, str], Awaitable[web.StreamResponse]]
"""A request, whether it is a chat, and the right text."""


def completion(chat: bool, text: Any) -> dict[str, Any]:
    """A completion in OpenAI's form."""
    choice = {"message": {"content": text}} if chat else {"text": text}
    return {"choices": [{**choice, "finish_reason": "stop"}], "usage": {"completion_tokens": 20}}


def _status(status: int, **headers: str) -> Fault:
    """An HTTP status without a completion."""

    async def fault(_request: web.Request, _chat: bool, _text: str) -> web.StreamResponse:
        return web.json_response({"error": {"message": "scripted"}}, status=status, headers=headers)

    return fault


def _says(change: Callable[[str], Any]) -> Fault:
    """A completion whose text is changed."""

    async def fault(_request: web.Request, chat: bool, text: str) -> web.StreamResponse:
        return web.json_response(completion(chat, change(text)))

    return fault


async def _hangs(_request: web.Request, _chat: bool, _text: str) -> web.StreamResponse:
    """Nothing, for ever."""
    await asyncio.Event().wait()
    raise AssertionError("only its caller's leaving ends it")


async def _drips(request: web.Request, _chat: bool, _text: str) -> web.StreamResponse:
    """A body that never ends, a byte at a time."""
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


async def _resets(request: web.Request, _chat: bool, _text: str) -> web.StreamResponse:
    """A connection that is closed without a word."""
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(60)
    raise AssertionError("aborted by its transport")


async def _cuts(request: web.Request, chat: bool, text: str) -> web.StreamResponse:
    """A body that ends in the middle."""
    data = json.dumps(completion(chat, text)).encode()
    response = web.StreamResponse(headers={"content-type": "application/json", "content-length": str(len(data))})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


async def _wrong_shape(_request: web.Request, _chat: bool, _text: str) -> web.StreamResponse:
    """A 200 in which nothing is of its type."""
    return web.json_response({"choices": {"0": {"text": 5}}, "usage": "many"})


async def _wrong_encoding(_request: web.Request, chat: bool, text: str) -> web.StreamResponse:
    """A 200 that claims UTF-8 and is Latin-1."""
    data = json.dumps(completion(chat, text + " für"), ensure_ascii=False).encode("latin-1", "replace")
    return web.Response(body=data, headers={"content-type": "application/json; charset=utf-8"})


def _doubled(text: str) -> str:
    """JSON whose first key stands twice; prose stated twice."""
    return text.replace("{", '{"verdict": "refuse", ', 1) if text.startswith("{") else f"{text} {text}"


def _mistyped(text: str) -> Any:
    """JSON whose number is a text; prose whose number is none."""
    digits = next((word for word in text.replace(",", " ").split() if word.isdigit()), "0")
    return text.replace(digits, f'"{digits}"' if text.startswith("{") else "many", 1)


HARD: dict[str, Fault] = {
    "HTTP 500": _status(500),
    "HTTP 502": _status(502),
    "HTTP 503, Retry-After": _status(503, **{"retry-after": "1"}),
    "HTTP 429, Retry-After": _status(429, **{"retry-after": "1"}),
    "hang": _hangs,
    "drip": _drips,
    "reset": _resets,
    "200, body cut": _cuts,
    "200, wrong shape": _wrong_shape,
    "200, wrong encoding": _wrong_encoding,
}
SOFT: dict[str, Fault] = {
    "200, text cut": _says(lambda text: text[: len(text) // 2]),
    "200, wrong types": _says(_mistyped),
    "200, 250k blanks": _says(lambda _text: " " * 250_000),
    "200, doubled keys": _says(_doubled),
}
FAULTS = {**HARD, **SOFT}
