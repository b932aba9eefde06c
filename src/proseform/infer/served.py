"""Which models a server has, and whether it answers at all: asked before anything begins that needs them.

The trap: listing models may fail (HTTP 500) where completing works, as with `transformers serve` without a hub's cache;
and a server that failed may drop the connection, so none is kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence

import aiohttp

from proseform.errors import EngineError, EngineFaultError
from proseform.infer import wire
from proseform.infer.spec import EngineSpec

_OK, _BROKEN = 200, 500
_NO_KEY = frozenset({401, 403})
_NOT_READY = frozenset({_BROKEN, 502, 503, 504})
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


async def trouble(session: aiohttp.ClientSession, roles: Sequence[Sequence[str]]) -> str:
    """Why some role is answered by none of its servers; empty where each has one that answers.

    A replica that hangs keeps nobody waiting beside one that answers. How long to wait is the caller's to say.

    Args:
        session: Asks.
        roles: The servers of each role.
    """
    asked = {asyncio.create_task(_trouble(session, root)): root for root in {root for role in roles for root in role}}
    told: dict[str, str] = {}
    try:
        while len(told) < len(asked):
            done, _ = await asyncio.wait(
                [task for task, root in asked.items() if root not in told], return_when=asyncio.FIRST_COMPLETED
            )
            told |= {asked[task]: task.result() for task in done}
            if all("" in (told.get(root) for root in role) for role in roles):
                return ""
        return next(told[role[0]] for role in roles if all(told[root] for root in role))
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def _trouble(session: aiohttp.ClientSession, root: str) -> str:
    """Why one server answers nothing now; empty where it answers."""
    try:
        code = await status(session, root)
    except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
        return f"The engine at {root} does not answer ({type(error).__name__})."
    if code in _NO_KEY:
        return f"The engine at {root} refuses the key (HTTP {code})."
    if code in _NOT_READY:
        return f"The engine at {root} is not ready (HTTP {code})."
    return ""


async def missing(spec: EngineSpec, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Model names that a server (of several: one of them) does not serve, and those that are listed.

    A name that is not listed is asked for one token: some servers load a model by its name only then.

    Args:
        spec: Where the server is; its ``timeout_s`` bounds every question.
        names: What is to be served.

    Raises:
        EngineError: The server does not answer, or not with a list of models.
        ConfigError: No key in the key file.
    """
    key, absent, known = spec.key(), list[str](), list[str]()
    headers = {"authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=spec.timeout_s)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        for root in spec.roots("formatter"):
            lacks, lists = await _missing(session, root, list(dict.fromkeys(names)))
            absent += lacks
            known += lists
    return list(dict.fromkeys(absent)), list(dict.fromkeys(known))


async def _missing(session: aiohttp.ClientSession, root: str, names: list[str]) -> tuple[list[str], list[str]]:
    """As :func:`missing`, of one server."""
    try:
        async with session.get(f"{root}/v1/models", allow_redirects=False, headers=_CLOSING) as response:
            listed = _listed(root, response.status, await response.read())
        unlisted = [name for name in names if name not in listed]
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
            f"The engine at {', '.join(spec.roots('formatter'))} does not serve {', '.join(absent)}.",
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
