"""Evaluations that replicas share: behind each replica's own memory, a Valkey or Redis server.

What lies there is sealed (AES-256-GCM under a key that is derived from the deployment's secret) and bound to its key,
so that whoever reads the server learns nothing, and nobody can put one evaluation in the place of another. What cannot
be opened is nothing. The time of writing is sealed with it: its age counts from there in every replica, by clocks that
agree. The server is a help and never a need: it is asked for a moment only, and left alone for a while
after it failed; what it gives is verified anew by the chain, as what a model gives.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proseform.errors import ConfigError
from proseform.infer.kept import ProseCache

_LOG = logging.getLogger("proseform.serve")
LIMIT_S = 0.25
"""Longest time that a request waits for the server, in seconds."""
REST_S = 5.0
"""How long a server that failed is left alone, in seconds."""
_PUTS = 64
"""Most evaluations on their way to the server; beyond that none is sent."""
_LONGEST = 1 << 20
"""Longest sealed evaluation, in bytes."""
_FORM = b"\x02"
_NONCE = 12


class SharedCache(ProseCache):
    """A :class:`~proseform.infer.kept.ProseCache` that replicas share.

    Args:
        secret: Of the deployment, at least 16 bytes, the same in all replicas.
        max_bytes: Most bytes that are kept in this process, about.
        age_s: How long prose is kept, here and there, in seconds.
        url: Of the server: ``redis://``, ``rediss://`` or ``unix://``, with a password where it asks for one.
        clock: Seconds, which only grow.
        today: Seconds since 1970, about the same in all replicas.

    Raises:
        ConfigError: No such URL.
        ValueError: A secret that can be guessed.
    """

    def __init__(
        self,
        secret: bytes,
        max_bytes: int,
        age_s: float,
        url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(secret, max_bytes, age_s, clock=clock)
        self._today = today
        self._seal = AESGCM(HKDF(SHA256(), 32, None, b"proseform evaluations 1").derive(secret))
        self._server = _client(url)
        self._rests_until = 0.0
        self._puts: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> str | None:
        """What is kept under a key, in this process or at the server, or None."""
        prose = await super().get(key)
        if prose is not None:
            return prose
        sealed = await self._asked(self._server.get(_name(key)))
        if sealed is None:
            return None
        opened = self._opened(key, sealed)
        if opened is None:
            self.observer.cached("shared_invalid")
            return None
        prose, written = opened
        left_s = self._age_s - max(0.0, self._today() - written)
        if left_s <= 0:
            return None
        self.observer.cached("shared_hit")
        self._keep(key, prose, left_s)
        return prose

    async def put(self, key: str, prose: str) -> None:
        """Keep prose under a key; nobody waits for the server."""
        await super().put(key, prose)
        sealed = self._sealed(key, prose)
        if len(sealed) > _LONGEST or len(self._puts) >= _PUTS:
            return
        sending = asyncio.create_task(self._sent(key, sealed))
        self._puts.add(sending)
        sending.add_done_callback(self._puts.discard)

    async def begin(self) -> None:
        """Say in the log if the server is away; see :class:`proseform.serve.draining.Beside`."""
        await self._asked(self._server.ping())

    async def end(self, _grace_s: float) -> None:
        """Send what is on its way, and close connections."""
        await asyncio.gather(*self._puts, return_exceptions=True)
        await self._server.aclose()

    async def _sent(self, key: str, sealed: bytes) -> None:
        """Send an evaluation to the server."""
        if await self._asked(self._server.set(_name(key), sealed, px=max(1, int(self._age_s * 1000)))):
            self.observer.cached("shared_stored")

    async def _asked(self, call: Any) -> Any:
        """What the server answers in time, or None."""
        from redis.exceptions import RedisError

        if self._clock() < self._rests_until:
            call.close()
            return None
        try:
            async with asyncio.timeout(LIMIT_S):
                return await call
        except (RedisError, OSError, TimeoutError) as error:
            if self._clock() >= self._rests_until:
                _LOG.warning("the shared cache is left alone for %g s: %s", REST_S, type(error).__name__)
            self._rests_until = self._clock() + REST_S
            self.observer.cached("shared_away")
            return None

    def _sealed(self, key: str, prose: str) -> bytes:
        """Prose that only the deployment can read, and only under its key."""
        nonce = os.urandom(_NONCE)
        text = json.dumps({"prose": prose, "written": self._today()}).encode()  # ASCII: lone surrogates are escaped
        return _FORM + nonce + self._seal.encrypt(nonce, text, key.encode())

    def _opened(self, key: str, sealed: Any) -> tuple[str, float] | None:
        """The prose and when it was written; None where it is not this deployment's, or not this key's."""
        if not isinstance(sealed, bytes) or not sealed.startswith(_FORM) or len(sealed) > _LONGEST:
            return None
        try:
            text = self._seal.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], key.encode())
        except (InvalidTag, ValueError):
            return None
        entry = json.loads(text)
        return str(entry["prose"]), float(entry["written"])


def _name(key: str) -> str:
    """Under which name the server keeps a key's evaluation."""
    return f"proseform:prose:{key}"


def _client(url: str) -> Any:
    """A client of the server, which connects when it is first asked.

    Raises:
        ConfigError: No such URL; it is not repeated, since it may hold a password.
    """
    from redis.asyncio import Redis

    try:
        return Redis.from_url(url, max_connections=_PUTS, socket_connect_timeout=LIMIT_S, socket_timeout=LIMIT_S)
    except ValueError as error:
        hint = "Such as redis://:PASSWORD@valkey:6379/0, or rediss:// with TLS."
        raise ConfigError("--cache-url-file: the file holds no URL of a Valkey or Redis server.", hint=hint) from error
