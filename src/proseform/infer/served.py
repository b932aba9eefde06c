"""Which models a server has, and whether it answers at all: asked before anything begins that needs them.

The trap: listing models may fail (HTTP 500) where completing works, as with `transformers serve` without a hub's cache;
and a server that failed may drop the connection, so none is kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

import aiohttp

from proseform.errors import EngineError, EngineFaultError
from proseform.infer import wire
from proseform.infer.spec import EngineSpec

_OK, _BROKEN = 200, 500
_CLOSING = {"connection": "close"}


async def status(session: aiohttp.ClientSession, root: str) -> int:
    """The HTTP status of a server as a whole: that of its models, or of ``/health`` where listing them fails.

    Args:
        session: Asks.
        root: Of the server, without ``/v1``.
    """
    async with session.get(f"{root}/v1/models", allow_redirects=False, headers=_CLOSING) as response:
        if response.status != _BROKEN:
            return response.status
    async with session.get(f"{root}/health", allow_redirects=False, headers=_CLOSING) as response:
        return _OK if response.status == _OK else _BROKEN


async def missing(spec: EngineSpec, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Model names that a server does not serve, and those that it lists.

    A name that is not listed is asked for one token: some servers load a model by its name only then.

    Args:
        spec: Where the server is; its ``timeout_s`` bounds every question.
        names: What is to be served.

    Raises:
        EngineError: The server does not answer, or not with a list of models.
        ConfigError: No key in the key file.
    """
    key, root = spec.key(), spec.root("formatter")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=spec.timeout_s)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            async with session.get(f"{root}/v1/models", allow_redirects=False, headers=_CLOSING) as response:
                listed = _listed(root, response.status, await response.read())
            unlisted = [name for name in dict.fromkeys(names) if name not in listed]
            return [name for name in unlisted if not await _answers(session, root, name)], listed
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        raise EngineError(f"The engine at {root} does not answer ({type(error).__name__}).") from error


def check(spec: EngineSpec, names: Iterable[str]) -> None:
    """Refuse a server that does not serve some models; for code that is not asynchronous.

    Raises:
        EngineFaultError: It does not serve them, and which it does.
        EngineError: As :func:`missing`.
        ConfigError: No key in the key file.
    """
    absent, listed = asyncio.run(missing(spec, names))
    if absent:
        raise EngineFaultError(
            f"The engine at {spec.root('formatter')} does not serve {', '.join(absent)}.",
            hint=f"It lists: {', '.join(listed) or 'nothing'}.",
        )


def _listed(root: str, status: int, data: bytes) -> list[str]:
    """The names of OpenAI's list of models; none where listing them fails.

    Raises:
        EngineError: It is no list.
    """
    if status == _BROKEN:
        return []
    if status != _OK:
        raise EngineError(f"The engine at {root} does not list its models (HTTP {status}).")
    try:
        return [str(model["id"]) for model in json.loads(data)["data"]]
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"The engine at {root} lists its models in a way of its own.") from error


async def _answers(session: aiohttp.ClientSession, root: str, name: str) -> bool:
    """Whether a model writes one token."""
    body = {"model": name, "prompt": "a", "max_tokens": 1}
    async with session.post(f"{root}{wire.PLAIN}", json=body, allow_redirects=False, headers=_CLOSING) as response:
        await response.read()
        return response.status == _OK
