"""One HTTP exchange over ASGI: the request's body, of limited size; the response; reading and writing JSON.

JSON is read strictly: NaN, infinities and numbers that overflow are errors. Any value can be written, also with lone
surrogates from a caller or a model. Left out: compressed bodies.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proseform import strict
from proseform.errors import InputError
from proseform.serve.faults import SlowError, TooLargeError
from proseform.serve.keys import Key
from proseform.serve.line import Kind

BUNDLE = "x-proseform-bundle"
"""The header with the digest of the bundle that answered, or refused."""
REQUEST = "x-request-id"
"""The header with a request's id."""
_HARMLESS = re.compile(r"[A-Za-z0-9._:=+/-]{1,128}")
BODY_S = 10.0
"""A body may take so many seconds, and more as it comes: a slow one is cut, so that it holds no connection."""
LEAST_BYTES_S = 64 * 1024
"""Bytes of a body that buy it one more second."""
_SMALL_BYTES = 64 * 1024
"""A body that nobody asked for is read up to so many bytes, so that another request can follow on its connection."""
MOST_VALUES = 1_000_000
"""Values that JSON may hold, commas within texts counted too: 20 MiB of empty lists are a second in which nobody else
is answered, and half a gigabyte."""
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class GoneError(Exception):
    """The caller has disconnected."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response.

    Attributes:
        status: HTTP status.
        body: The bytes.
        kind: Content type.
        headers: Further headers, names in lower case.
    """

    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """A JSON value as a response."""
        return cls(status, written(value), headers=headers or {})

    async def sent(self, send: Send) -> None:
        """Send it."""
        headers = {"content-type": self.kind, "content-length": str(len(self.body)), **self.headers}
        lines = [(name.encode("latin-1"), text.encode("latin-1", "replace")) for name, text in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": lines})
        await send({"type": "http.response.body", "body": self.body})


class Exchange:
    """A request as it arrives.

    Attributes:
        id: The caller's, if it is harmless in a header and a log, else one of our own.
        method: In upper case.
        path: Decoded, without the query.
        headers: Names in lower case; if a header is repeated, its last value.
        route: The pattern of its path, with the names of values in the place of values; empty where there is none.
        quiet: Whether it is a probe's or a scraper's, of which no line is logged.
        status: Of its response; 0 while it has none.
        began: When its first bytes arrived, on :func:`time.monotonic`'s clock.
        whole: Whether the body was read to its end.
        at_once: Whether the response does not wait for what is left of the body, since some of it was read in vain or
            the error says so.
        key: Whose request it is; None where no key is asked for.
        tenant: The id of that key; empty where no key is asked for.
        rank: Its class in the queue.
        limit: The largest body, in bytes.

    Args:
        scope: ASGI's.
        receive: ASGI's.
        limit: The largest body, in bytes.
    """

    def __init__(self, scope: Mapping[str, Any], receive: Receive, limit: int) -> None:
        self.method = str(scope["method"]).upper()
        self.path = str(scope["path"])
        self.headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in scope["headers"]}
        given = self.headers.get(REQUEST, "")
        self.id = given if _HARMLESS.fullmatch(given) else secrets.token_hex(16)
        self.route = ""
        self.quiet = False
        self.status = 0
        self.began = time.monotonic()
        self.whole = False
        self.at_once = "expect" in self.headers
        self.key: Key | None = None
        self.tenant = ""
        self.rank: Kind = "interactive"
        self._receive = receive
        self.limit = limit

    @property
    def kind(self) -> str:
        """The body's content type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body, chunk by chunk as it arrives.

        Raises:
            TooLargeError: It is, or claims to be, larger than the limit.
            SlowError: It comes more slowly than :data:`LEAST_BYTES_S` after :data:`BODY_S`.
            GoneError: The caller has disconnected.
        """
        self.at_once = True
        stated = self.headers.get("content-length", "0")
        if stated.isascii() and stated.isdigit() and (len(stated) > 18 or int(stated) > self.limit):  # noqa: PLR2004
            raise self._too_large()
        size = 0
        while not self.whole:
            try:
                async with asyncio.timeout(self.began + BODY_S + size / LEAST_BYTES_S - time.monotonic()) as slow:
                    message = await self._receive()
            except TimeoutError as error:
                if not slow.expired():
                    raise
                hint = "Send it at once, or over a faster line."
                raise SlowError(f"Only {size} bytes of the body came in time.", hint=hint) from error
            if message["type"] == "http.disconnect":
                raise GoneError
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self.limit:
                raise self._too_large()
            self.whole = not message.get("more_body", False)
            yield chunk

    async def body(self) -> bytes:
        """The whole body; raises as :meth:`chunks`."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def ended(self) -> bool:
        """Whether no part of the body is left on its way; a small one of which nothing was read is read now.

        Where some is left, the response closes the connection: the server below reads on, and by no clock.

        Raises:
            GoneError: The caller has disconnected.
        """
        stated = self.headers.get("content-length", "")
        if self.whole or ("transfer-encoding" not in self.headers and not stated.strip("0")):
            return True
        if self.at_once:
            return False
        self.limit = _SMALL_BYTES
        try:
            await self.body()
        except InputError:
            return False
        return True

    async def gone(self) -> None:
        """Return once the caller has disconnected; call it after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _too_large(self) -> TooLargeError:
        """The error of a body beyond the limit."""
        return TooLargeError(f"The body is larger than {self.limit} bytes.", hint="Send less.")


def read(data: bytes | str, what: str) -> Any:
    """A JSON value, strictly.

    Args:
        data: Its text; bytes in UTF-8, 16 or 32, which are told apart as in RFC 4627.
        what: Its name in errors, such as "The body".

    Raises:
        InputError: It is not strict JSON; with place and reason.
        TooLargeError: It may hold more than :data:`MOST_VALUES` values.
    """
    if len(data) > MOST_VALUES and _values(data) > MOST_VALUES:
        hint = "Send less. Each comma and each opening bracket counts, within texts too."
        raise TooLargeError(f"{what} may hold more than {MOST_VALUES:,} values.", hint=hint)
    try:
        return json.loads(data, parse_constant=strict.no_constant, parse_float=strict.finite)
    except RecursionError as error:
        raise InputError(f"{what} is nested too deeply.", hint="Send JSON of fewer levels.") from error
    except ValueError as error:
        raise InputError(f"{what} is not JSON ({error}).", hint="Send JSON, in UTF-8.") from error


def _values(data: bytes | str) -> int:
    """Values in JSON, at most: what follows a comma or opens an array or an object, within texts too."""
    raw = data.encode(errors="surrogatepass") if isinstance(data, str) else data
    return sum(raw.count(mark) for mark in (b",", b"[", b"{"))


def written(value: Any) -> bytes:
    """A value as JSON; a lone surrogate, which UTF-8 cannot encode, is escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
