"""The guard: who may ask, how often, and how large a request's head may be. It decides before a body is read.

Rates are token buckets, one a key: as many cases at once as its limit a minute, refilled steadily. They hold for this
process; replicas each have their own. No header lets a browser's page of another origin in (CORS is closed).
"""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from proseform.serve.exchange import Exchange
from proseform.serve.faults import ForeignError, HeadError, RateError, UnauthorizedError
from proseform.serve.keys import Key, Keys

HEAD_BYTES = 32 * 1024
"""The largest head of a request: its path and headers."""
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")


@dataclass(slots=True)
class Bucket:
    """What a key may still ask.

    Attributes:
        per_minute: Its limit.
        left: Cases that it may ask at once.
        at: When that was so, on the guard's clock, in seconds.
    """

    per_minute: int
    left: float
    at: float

    def take(self, cases: int, now: float, held: int = 0) -> float:
        """Take cases, or say how many seconds to wait for them; 0 if they were taken.

        More than a minute's cases are taken where a minute's are left, and owed.

        Args:
            cases: All cases of a request.
            now: On the guard's clock, in seconds.
            held: How many of them were taken before; they are put back first.
        """
        self.left = min(float(self.per_minute), self.left + held + (now - self.at) * self.per_minute / 60)
        self.at = now
        lacking = min(cases, self.per_minute) - self.left
        if lacking > 1e-9:  # noqa: PLR2004 - rounding
            return lacking * 60 / self.per_minute
        self.left -= cases
        return 0.0


@dataclass(slots=True)
class Guard:
    """Lets requests in.

    Attributes:
        keys: Who may ask; None lets anybody.
        clock: In seconds.
    """

    keys: Keys | None = None
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def admit(self, exchange: Exchange, *, open: bool) -> None:  # noqa: A002 - as the route says
        """Let a request in, and note whose it is.

        Args:
            exchange: The request.
            open: Whether no key is asked for.

        Raises:
            HeadError: Its head is too large.
            UnauthorizedError: It has no key, or nobody's.
            RateError: The key has asked too often.
        """
        size = len(exchange.path) + sum(len(name) + len(text) for name, text in exchange.headers.items())
        if size > HEAD_BYTES:
            raise HeadError(f"The request's headers have more than {HEAD_BYTES} bytes.", hint="Send fewer.")
        if self.keys is None or open:
            return
        key = self.keys.owner(_token(exchange.headers))
        if key is None:
            raise UnauthorizedError("No valid API key.", hint="Send it as 'Authorization: Bearer KEY'.")
        exchange.key, exchange.tenant = key, key.id
        if exchange.method == "POST":
            self._take(exchange, 1)

    def charge(self, exchange: Exchange, cases: int) -> None:
        """Count all cases of a request that was let in as one; refused, it has taken none.

        Raises:
            RateError: The key has asked too often.
        """
        if cases > 1:
            self._take(exchange, cases, held=1)

    def _take(self, exchange: Exchange, cases: int, held: int = 0) -> None:
        """Count cases against the rate of the request's key; see :meth:`Bucket.take`."""
        key = exchange.key
        if key is None or not key.per_minute:
            return
        bucket = self._bucket(key)
        if wait_s := bucket.take(cases, self.clock(), held):
            hint = f"Retry in {math.ceil(wait_s)} s."
            raise RateError(f"Key '{key.name}' may ask {key.per_minute} cases a minute.", wait_s, hint=hint)

    def _bucket(self, key: Key) -> Bucket:
        """A key's bucket; a new one where its limit has changed."""
        bucket = self._buckets.get(key.id)
        if bucket is None or bucket.per_minute != key.per_minute:
            bucket = self._buckets[key.id] = Bucket(key.per_minute, float(key.per_minute), self.clock())
        return bucket


@dataclass(slots=True)
class Inside(Guard):
    """Lets in what this process asks itself, for a key that was let in before.

    Attributes:
        owner: The key's id.
    """

    owner: str = ""

    def admit(self, exchange: Exchange, *, open: bool) -> None:  # noqa: A002, ARG002 - as the route says
        """Note whose request it is, and that it is part of a batch."""
        exchange.tenant, exchange.rank = self.owner, "batch"


@dataclass(slots=True)
class Local(Guard):
    """Lets in this machine's own programs, and pages of this very server, such as :mod:`proseform.serve.page`.

    A page of another site can have a browser on this machine ask for it. A name of its own may lead to loopback (DNS
    rebinding), so ``Host`` must be loopback's; a browser states whose page asks, so ``Origin`` must be this server's;
    and what it posts is JSON, which no page of another origin can send without asking first.
    """

    def admit(self, exchange: Exchange, *, open: bool) -> None:  # noqa: A002 - as the route says
        """As :meth:`Guard.admit`.

        Raises:
            ForeignError: It was asked for by another site's page, or under another site's name.
        """
        host, origin = exchange.headers.get("host", "").lower(), exchange.headers.get("origin")
        name = _HOST.fullmatch(host)
        if name is None or not loopback(name[1]):
            hint = "Ask for it as localhost or 127.0.0.1."
            raise ForeignError("This server answers under this machine's own names alone.", hint=hint)
        if origin is not None and origin.lower() != f"http://{host}":
            raise ForeignError("A page of another origin asked.", hint=f"Open the page at http://{host}/.")
        if origin is not None and exchange.method == "POST" and exchange.kind != "application/json":
            raise ForeignError("A page's request is JSON here.", hint="Send application/json.")
        Guard.admit(self, exchange, open=open)


def loopback(host: str) -> bool:
    """Whether an address, or the host of a URL, is this machine's alone."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return host == "localhost"


def _token(headers: Mapping[str, str]) -> str:
    """The key that a request brings; empty where it brings none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
