"""Evaluations that are kept, so that another attempt at their JSON does not pay for the evaluator again.

A key tells nothing: it is an HMAC under a secret of the deployment, so that nobody who sees keys can ask whether an
input has been judged. It covers whatever the prose depends on, and the tenant, so that no tenant learns from the time
of an answer what another has asked. In memory, bounded by bytes and age: what is too old is forgotten with the next
look-up or writing. What is found is verified anew by the chain.
What replicas share is :mod:`proseform.infer.shared`.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.metadata
import json
import os
import time
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from proseform.errors import ConfigError
from proseform.infer import asks
from proseform.infer.moves import Plan
from proseform.infer.resilience.observer import Observer

_OVERHEAD = 400
"""Bytes of an entry beside its prose."""


class ProseCache:
    """See :class:`proseform.infer.drive.Prose`.

    Attributes:
        bytes: What is kept takes so many, about.
        observer: Is told of hits and misses.

    Args:
        secret: Of the deployment, at least 16 bytes; replicas need not share it.
        max_bytes: Most bytes that are kept, about.
        age_s: How long prose is kept, in seconds.
        observer: As the attribute.
        clock: Seconds, which only grow.

    Raises:
        ValueError: A secret that can be guessed.
    """

    def __init__(
        self,
        secret: bytes,
        max_bytes: int,
        age_s: float,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(secret) < 16:  # noqa: PLR2004 - 128 bits
            raise ValueError("a secret of fewer than 16 bytes")
        self._secret = secret
        self._max_bytes = max_bytes
        self._age_s = age_s
        self.observer = observer or Observer()
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, str, int]] = OrderedDict()
        self._ends: list[tuple[float, str]] = []
        self.bytes = 0

    def key(self, tenant: str, plan: Plan) -> str:
        """The key of a plan's evaluation, in hexadecimal digits.

        Args:
            tenant: Whose request it is; empty where there is one alone.
            plan: With a task, whose inputs are values already.
        """
        assert plan.task is not None, "the formatter's turn alone has no evaluator"
        part, request = plan.bundle.evaluator, asks.evaluation(plan, 0)
        models = [part.base_digest, part.adapter_digest, asdict(part.generation), part.grammar]
        asked = [request.prompt.to_json(), request.prefill, request.max_tokens, request.temperature, request.seed]
        inputs = {name: value.raw for name, value in plan.inputs.items()}
        return self.digest([tenant, plan.task.contract, _READER, plan.bundle.accept, models, asked, inputs])

    def digest(self, value: object) -> str:
        """A JSON value under the secret, in hexadecimal digits."""
        text = json.dumps(value, sort_keys=True).encode()  # ASCII: lone surrogates are escaped
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    async def get(self, key: str) -> str | None:
        """What is kept under a key and young enough, or None."""
        self._expire()
        if key not in self._entries:
            self.observer.cached("miss")
            return None
        self._entries.move_to_end(key)
        self.observer.cached("hit")
        return self._entries[key][1]

    async def put(self, key: str, prose: str) -> None:
        """Keep prose under a key; what was asked for longest ago makes room."""
        self._keep(key, prose, self._age_s)

    def _keep(self, key: str, prose: str, left_s: float) -> None:
        """Keep prose for so many seconds."""
        self._expire()
        size = len(prose.encode(errors="surrogatepass")) + _OVERHEAD
        if size > self._max_bytes:
            return
        if key in self._entries:
            self._drop(key)
        while self.bytes + size > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self.observer.cached("evicted")
        until = self._clock() + left_s
        self._entries[key] = until, prose, size
        insort(self._ends, (until, key))
        self.bytes += size
        self.observer.cached("stored")

    def _drop(self, key: str) -> None:
        """Forget an entry."""
        until, _, size = self._entries.pop(key)
        del self._ends[bisect_left(self._ends, (until, key))]
        self.bytes -= size

    def _expire(self) -> None:
        """Forget what is too old."""
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            self._drop(self._ends[0][1])


def cache(megabytes: float, age_s: float, secret: Path | None, url_file: Path | None = None) -> ProseCache | None:
    """The cache that options describe; None where it has no room.

    Args:
        megabytes: Room, in 10^6 bytes.
        age_s: See :class:`ProseCache`.
        secret: A file that holds the secret; None draws one.
        url_file: A file with the URL of a server that replicas share (:mod:`proseform.infer.shared`); None shares none.

    Raises:
        ConfigError: A file cannot be read, or what it holds cannot be used.
    """
    room = megabytes > 0 and age_s > 0
    if url_file is not None and (secret is None or not room):
        raise ConfigError(
            "--cache-url-file wants --cache-secret, the same in all replicas, and some --cache-mb and --cache-age-s.",
            hint="head -c 32 /dev/urandom > FILE makes a secret.",
        )
    if not room:
        return None
    given = os.urandom(32) if secret is None else _read(secret, "--cache-secret")
    try:
        if url_file is None:
            return ProseCache(given, int(megabytes * 1_000_000), age_s)
        from proseform.infer.shared import SharedCache

        url = _read(url_file, "--cache-url-file").decode(errors="replace").strip()
        return SharedCache(given, int(megabytes * 1_000_000), age_s, url)
    except ValueError as error:
        hint = "It holds 16 bytes or more: head -c 32 /dev/urandom > FILE."
        raise ConfigError(f"--cache-secret {secret}: cannot be used ({error}).", hint=hint) from error


def _read(path: Path, option: str) -> bytes:
    """A file's bytes."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{option} {path}: cannot be read ({error.strerror}).") from error


_READER = importlib.metadata.version("proseform")
"""Of what reads documents and cleans texts."""
