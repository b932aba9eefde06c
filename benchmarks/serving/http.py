"""HTTP/1.1 over kept connections for the engine and the load, by llhttp's parser: what is measured is not they.

aiohttp costs a caller five times as much, httpx fifty times (``python -m benchmarks.serving.clients``). Event loops
here wait by select, whose time-outs have microseconds; epoll's, and so uvloop's, have milliseconds, which is as
much as a gateway may cost. Left out: TLS, redirects, chunked requests, more than one request at a time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import httptools

MOST_OPEN = 900
"""Connections at once: select takes files below 1024."""
Answer = Callable[[str, bytes], Awaitable[bytes]]
"""From a path and a body to the JSON of a response."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a program on an event loop with exact timers."""
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main)


class BrokenError(Exception):
    """A connection broke off before its response was whole."""


class Served(asyncio.Protocol):
    """A server's side of one connection.

    Args:
        answer: Answers each request.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._body: list[bytes] = []
        self._path = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A caller has come."""
        self._transport: Any = transport
        self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left: what it asked is not answered."""
        del exc
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """A request begins."""
        self._path, self._body = url, []

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """It is whole."""
        task = asyncio.ensure_future(self._respond(self._path.decode(), b"".join(self._body)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, path: str, body: bytes) -> None:
        """Answer it; a caller whose request cannot be answered sees its connection break."""
        try:
            data = await self._answer(path, body)
        except Exception:
            self._transport.abort()
            raise
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data)
        )


class Line(asyncio.Protocol):
    """A caller's connection, for one request at a time."""

    def __init__(self) -> None:
        self._done: asyncio.Future[tuple[int, bytes]] | None = None
        self._pieces: list[bytes] = []
        self._kept = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self._done is not None and not self._done.done():
            self._done.set_exception(BrokenError(str(exc or "closed")))

    def data_received(self, data: bytes) -> None:
        """Bytes of a response."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """It is whole."""
        self._kept = self._parser.should_keep_alive()
        if self._done is not None and not self._done.done():
            self._done.set_result((self._parser.get_status_code(), b"".join(self._pieces)))

    @property
    def usable(self) -> bool:
        """Whether it may be asked again."""
        return self._kept and not self._transport.is_closing()

    async def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        """A request's status and body; nothing else is asked meanwhile.

        Raises:
            BrokenError: The connection broke off.
        """
        self._pieces = []
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(
            b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (path.encode(), len(body), body)
        )
        return await self._done

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()


class Lines:
    """Kept connections to one server.

    Args:
        port: On this machine.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Line] = []
        self._places = asyncio.Semaphore(MOST_OPEN)

    async def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        """A request on a connection that is free, or on a new one.

        Raises:
            BrokenError: The connection broke off; OSError: there is none.
        """
        async with self._places:
            line = await self._line()
            try:
                response = await line.ask(path, body)
            except BaseException:
                line.close()
                raise
            if line.usable:
                self._idle.append(line)
            else:
                line.close()
            return response

    async def _line(self) -> Line:
        """A connection that is free."""
        while self._idle:
            line = self._idle.pop()
            if line.usable:
                return line
        _, line = await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", self._port)
        return line

    def close(self) -> None:
        """Hang up."""
        for line in self._idle:
            line.close()
