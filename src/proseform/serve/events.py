"""Responses that are written while they come: server-sent events (HTML standard, section 9.2).

Until the first event is there, nothing is sent, so that an error has its HTTP status. An error after that is an event
of its own: no stream just ends. While nothing comes, a comment every few seconds keeps proxies from closing the
connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from proseform.serve.exchange import Exchange, GoneError, Send, written
from proseform.serve.waiting import unless_gone

BEAT_S = 10.0
"""A comment is sent after so many seconds without an event."""
_SEND_S = 30.0
"""Longest time for a caller to take a piece of the stream, in seconds."""
_COMMENT = b": waiting\n\n"

Put = Callable[[bytes], None]
"""Sends an event, which :func:`event` writes."""
Work = Callable[[Put], Awaitable[None]]


def event(data: Any, name: str = "") -> bytes:
    r"""A JSON value as an event.

    >>> event({"text": "It weighs"}, "draft")
    b'event: draft\ndata: {"text":"It weighs"}\n\n'
    """
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + written(data) + b"\n\n"


class Stream:
    """A response in events.

    Args:
        work: Puts events; what it raises ends the stream.
        failed: The last events of a stream that an error ends.
    """

    def __init__(self, work: Work, failed: Callable[[Exception], bytes]) -> None:
        self._failed = failed
        self._events: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._first: bytes | Exception | None = _COMMENT
        self._task = asyncio.create_task(self._run(work))

    async def begun(self, exchange: Exchange) -> Stream:
        """The stream, once its first event is there, or after :data:`BEAT_S`.

        Raises:
            Exception: What the work raised before its first event.
            GoneError: The caller has disconnected.
        """
        try:
            self._first = await unless_gone(exchange, self._next())
        except BaseException:
            await self._end()
            raise
        if isinstance(self._first, Exception):
            raise self._first
        return self

    async def sent(self, exchange: Exchange, send: Send, more: Mapping[str, str]) -> None:
        """Send it; a caller that disconnects, or takes nothing, ends the work.

        Args:
            exchange: The request.
            send: ASGI's.
            more: Further headers, names in lower case.

        Raises:
            GoneError: The caller has not taken all of it.
        """
        headers = {"content-type": "text/event-stream", "cache-control": "no-store", **more}
        lines = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        leaving = asyncio.ensure_future(exchange.gone())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": lines})
            piece = self._first
            while not leaving.done():
                last = not isinstance(piece, bytes)
                if isinstance(piece, Exception):
                    piece = self._failed(piece)
                try:
                    async with asyncio.timeout(_SEND_S):
                        await send({"type": "http.response.body", "body": piece or b"", "more_body": not last})
                except TimeoutError as error:
                    raise GoneError from error
                if last:
                    return
                following = asyncio.ensure_future(self._next())
                await asyncio.wait({following, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    break
                piece = following.result()
            raise GoneError
        finally:
            leaving.cancel()
            await self._end()

    async def _next(self) -> bytes | Exception | None:
        """What is to be sent next; None at the end."""
        try:
            async with asyncio.timeout(BEAT_S):
                return await self._events.get()
        except TimeoutError:
            return _COMMENT

    async def _run(self, work: Work) -> None:
        """Do the work, and put how it ended."""
        try:
            await work(self._events.put_nowait)
        except Exception as error:  # noqa: BLE001 - raised or sent by whoever takes the events
            self._events.put_nowait(error)
        else:
            self._events.put_nowait(None)

    async def _end(self) -> None:
        """End the work."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
