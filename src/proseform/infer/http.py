"""The engine by URL: any OpenAI-compatible server, foremost vLLM, or several that run the same models.

One deadline bounds the whole call, pauses and slow bodies included; connections are kept for a while
(:mod:`proseform.infer.connections`). Which server is asked, and asked again, is the pool's to say
(:mod:`proseform.infer.resilience`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import aiohttp

from proseform import digest
from proseform.bundle import Bundle, Role
from proseform.errors import ConfigError, EngineError, ProseformError
from proseform.infer import Completion, OnText, Request, genai, late, served, spans, wire
from proseform.infer.connections import Connections
from proseform.infer.context import Encoder
from proseform.infer.genai import Operation
from proseform.infer.resilience import calls
from proseform.infer.resilience.backoff import Backoff
from proseform.infer.resilience.observer import Ended, Observer, Why
from proseform.infer.resilience.pool import PassingError, Pool, Rules
from proseform.infer.resilience.replica import Server
from proseform.infer.spans import Span
from proseform.infer.spec import EngineSpec

_LOG = logging.getLogger("proseform.infer")
_OK, _TOO_MANY, _BROKEN = 200, 429, 500
_NO_COUNTING = frozenset({_OK, 404, 405, 501})
"""Statuses of a server that cannot count: another endpoint's answer, or none there. Any other may pass."""
_COUNTING_S = 2.0
"""Longest wait for a server to count a prompt, in seconds."""
_AT_ONCE = 16_384
"""Characters of a prompt that are counted at once, in some 2 ms: a thread costs a short prompt more than its count."""
_CHECKED = 256
"""Schemas that are remembered as taken."""
BACKOFF = Backoff()
"""Pauses before a call is made again."""
MAX_BODY_BYTES = 16 << 20
"""A response beyond this is no completion."""


@dataclass(frozen=True, slots=True)
class _Response:
    """A response whose body was read: all of it, or as a stream."""

    status: int
    retry_after: str | None
    data: bytes
    stream: wire.Stream | None = None


class HttpEngine:
    """An engine behind a URL; see :class:`proseform.infer.Engine`.

    Args:
        spec: Where it is, and how it is asked.
        bundle: What the server runs; the prompts and the schema are taken from it.
        encoders: Turn a role's prompts into the bundle's own token ids; without them text is sent, and vLLM counts it.

    Raises:
        ConfigError: No URL, or no key in the key file.
    """

    ends = False

    def __init__(self, spec: EngineSpec, bundle: Bundle, encoders: Mapping[Role, Encoder] | None = None) -> None:
        if not spec.url:
            raise ConfigError("An engine by URL was asked for without a URL.", hint="Give --engine URL.")
        self.bundle = bundle
        self.spec = spec
        key = spec.key()
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._connections = Connections(headers, spec.connection_s)
        self._encoders = dict(encoders or {})
        servers: dict[str, Server] = {}
        for role in bundle.parts:
            servers |= {root: Server(root, spec.concurrency) for root in spec.roots(role) if root not in servers}
        self._pools = {
            role: Pool(
                role,
                [servers[root] for root in spec.roots(role)],
                Rules(spec.attempts, spec.slow_s, spec.hedge, BACKOFF, spec.prefixes),
                self._tried,
                Observer(),
                traced=self._traced,
            )
            for role in bundle.parts
        }
        self._without_schema: set[tuple[str, str]] = set()
        self._without_system: set[tuple[str, str]] = set()
        self._without_counting: set[str] = set()
        self._checked: dict[str, None] = {}

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """See :meth:`proseform.infer.Engine.complete`."""
        left = None if request.deadline is None else request.deadline - time.monotonic()
        if left is not None and left <= 0:
            raise late(request.role)
        try:
            async with asyncio.timeout(left) as whole:
                return await calls.complete(self._pools[request.role], request, on_text)
        except TimeoutError as error:
            if not whole.expired():
                raise  # a time-out of something else, which is a fault
            raise late(request.role) from error

    async def complete_all(self, requests: Sequence[Request]) -> list[Completion | ProseformError]:
        """See :meth:`proseform.infer.Engine.complete_all`."""

        async def one(request: Request) -> Completion | ProseformError:
            try:
                return await self.complete(request)
            except ProseformError as error:
                return error

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in requests]
        return [task.result() for task in tasks]

    @property
    def tokenizer(self) -> Any:
        """See :class:`proseform.infer.Engine`."""
        encoder = self._encoders.get("evaluator")
        return encoder.tokenizer if encoder else None

    async def check(self, request: Request) -> None:
        """See :meth:`proseform.infer.Engine.check`: only the server knows, so one token is asked for, once a schema."""
        schema = digest.of_json(request.schema)
        if schema not in self._checked:
            await self.complete(replace(request, max_tokens=1, accepts=None))
            self._checked[schema] = None
            if len(self._checked) > _CHECKED:
                del self._checked[next(iter(self._checked))]

    async def room(self, request: Request) -> int | None:
        """See :meth:`proseform.infer.Engine.room`: counted by the bundle's tokenizer if it has one, else by vLLM."""
        if (encoder := self._encoders.get(request.role)) is not None:
            if request.prompt.size <= _AT_ONCE:
                return encoder.room(request)
            return await asyncio.to_thread(encoder.room, request)  # a long prompt keeps no other caller waiting
        root = self._pools[request.role].likely()
        if self.spec.dialect != "vllm" or root in self._without_counting:
            return None
        limit = self.bundle.parts[request.role].generation.context_length
        try:
            async with asyncio.timeout(_COUNTING_S):  # a server that hangs is not waited for to count
                response = await self._sent(root, wire.count(request, self.spec.model(request.role)), None)
        except (EngineError, TimeoutError):
            return None  # whoever asks for the completion is told
        room = wire.room(response.data, limit) if response.status == _OK else None
        if room is None and response.status in _NO_COUNTING:
            _LOG.warning("%s/tokenize does not count: completions are not fitted into the context", root)
            self._without_counting.add(root)
        return room

    async def trouble(self) -> str:
        """See :meth:`proseform.infer.Remote.trouble`: each server is asked for its models, as by OpenAI's API."""
        try:
            async with self._connections.session() as session:
                return await served.trouble(session, [self.spec.roots(role) for role in self.bundle.parts])
        except EngineError as error:
            return error.message

    def observe(self, observer: Observer) -> None:
        """See :class:`proseform.infer.resilience.observer.Observed`."""
        for pool in self._pools.values():
            pool.observe(observer)

    async def close(self) -> None:
        """See :meth:`proseform.infer.Engine.close`."""
        await self._connections.close()

    def _traced(self, root: str, request: Request, why: Why) -> AbstractContextManager[Span]:
        """The span of a call."""
        ids = self.spec.dialect == "vllm" and request.role in self._encoders
        operation: Operation = "text_completion" if ids or request.prompt.style == "plain" else "chat"
        provider = "vllm" if self.spec.dialect == "vllm" else "openai"
        return genai.calling(request, operation, self.spec.model(request.role), provider, root, why=why)

    async def _tried(self, root: str, request: Request, on_text: OnText | None) -> Completion:
        """One completion, asked for once.

        Raises:
            PassingError: It failed in a way that may pass.
        """
        began = time.monotonic()
        response, sent = await self._asked(root, request, on_text)
        if response.status != _OK:
            error = wire.fault(response.status, response.data, request)
            if response.status not in wire.BUSY and response.status < _BROKEN:
                raise error
            ended: Ended = "busy" if response.status == _TOO_MANY else "error"
            asked_s = wire.retry_after(response.retry_after, time.time())
            raise PassingError(ended, error.message, hint=error.hint, asked_s=asked_s)
        seconds = time.monotonic() - began
        try:
            given = (
                response.stream.completion(seconds)
                if response.stream
                else wire.completion(response.data, sent, seconds)
            )
        except EngineError as error:
            raise PassingError("malformed", error.message, hint=error.hint) from error
        held = self.spec.dialect == "vllm" or bool(sent.body.keys() & {"response_format", "tools"})
        return replace(given, constrained=held)

    async def _asked(self, root: str, request: Request, on_text: OnText | None) -> tuple[_Response, wire.Call]:
        """Ask once; a server that takes no schema here, or no system turn, is asked without it, which is remembered."""
        place = root, wire.CHAT if request.prompt.style == "chat" else wire.PLAIN
        model = root, self.spec.model(request.role)
        folded, constrained = model in self._without_system, place not in self._without_schema  # other requests add
        if folded:
            request = replace(request, prompt=request.prompt.folded())
        call = partial(
            wire.call,
            request,
            self.spec.model(request.role),
            self.spec.dialect,
            self._encoders.get(request.role),
            stream=on_text is not None,
        )
        sent = call(constrained=constrained)
        response = await self._sent(root, sent, on_text)
        if not folded and wire.knows_no_system(sent, response.status, response.data):
            if model not in self._without_system:
                _LOG.info("the chat template of %s at %s has no system turn: the user's takes it", model[1], root)
            self._without_system.add(model)
            return await self._asked(root, request, on_text)
        asked = constrained and request.schema is not None and self.spec.dialect == "openai"
        if not (asked and wire.knows_no_schema(response.status, response.data)):
            return response, sent
        if place not in self._without_schema:
            _LOG.warning("%s%s knows no response_format: its JSON is verified, but not constrained", *place)
        self._without_schema.add(place)
        sent = call(constrained=False)
        return await self._sent(root, sent, on_text), sent

    async def _sent(self, root: str, sent: wire.Call, on_text: OnText | None) -> _Response:
        """One HTTP request, its body read to the end under the time limit of one completion."""
        limit_s = self.spec.timeout_s
        try:
            async with (
                asyncio.timeout(limit_s) as own,
                self._connections.session() as session,
                session.post(
                    root + sent.path, json=sent.body, allow_redirects=False, headers=spans.headers()
                ) as response,
            ):
                after = response.headers.get("retry-after")
                kind = response.headers.get("content-type", "")
                if on_text and response.status == _OK and kind.startswith("text/event-stream"):
                    return _Response(response.status, after, b"", await _streamed(response, sent, on_text))
                return _Response(response.status, after, await _body(response))
        except TimeoutError as error:
            if not own.expired():
                raise PassingError("timeout", f"The engine at {root} broke off (time-out).") from error
            raise PassingError("timeout", f"The engine at {root} did not answer within {limit_s:g} s.") from error
        except aiohttp.ClientConnectorError as error:
            raise PassingError("reset", f"The engine at {root} is away ({error}).", hint="Is it running?") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PassingError("reset", f"The engine at {root} broke off ({type(error).__name__}: {error}).") from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """A body, as far as one may be long."""
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise PassingError("malformed", f"The engine's answer is longer than {MAX_BODY_BYTES} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


async def _streamed(response: aiohttp.ClientResponse, sent: wire.Call, on_text: OnText) -> wire.Stream:
    """A stream, handed on while it comes."""
    stream, rest, size = wire.Stream(sent), b"", 0
    if sent.given:
        on_text(sent.given)
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise PassingError("malformed", f"The engine's answer is longer than {MAX_BODY_BYTES} bytes.")
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            try:
                piece = stream.take(line.rstrip(b"\r"))
            except EngineError as error:
                raise PassingError("malformed", error.message, hint=error.hint) from error
            if piece:
                on_text(piece)
        if stream.ended:
            break
    return stream
