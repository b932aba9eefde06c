"""An engine that gives the completions that a test wrote."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from proseform.bundle import Bundle
from proseform.errors import ProseformError
from proseform.infer import Completion, OnText, Request

Script = Callable[[Request], str | Exception | Awaitable[str | Exception]]


class ScriptedEngine:
    """An engine that says what it is told.

    Args:
        bundle: What it claims to run.
        script: A function from a request to its text, awaited where it is a coroutine, or texts that are said in order
            (prefill included). An exception in the place of a text is raised.
        finish: How every completion ends.
    """

    ends = False
    tokenizer = None

    def __init__(self, bundle: Bundle, script: Script | Sequence[str | Exception], finish: str = "stop") -> None:
        self.bundle = bundle
        self.requests: list[Request] = []
        self._script = script if callable(script) else _in_order(script)
        self._finish = finish

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """See :meth:`proseform.infer.Engine.complete`; every request is kept in ``requests``."""
        self.requests.append(request)
        text = self._script(request)
        if isinstance(text, Awaitable):
            text = await text
        if isinstance(text, Exception):
            raise text
        for piece in re.findall(r"\s*\S+|\s+$", text) if on_text else ():
            on_text(piece)  # type: ignore[misc]  # it is there
        return Completion(text, self._finish, 1, 0.0)  # type: ignore[arg-type]

    async def complete_all(self, requests: Sequence[Request]) -> list[Completion | ProseformError]:
        """See :meth:`proseform.infer.Engine.complete_all`; one after another."""
        outcomes: list[Completion | ProseformError] = []
        for request in requests:
            try:
                outcomes.append(await self.complete(request))
            except ProseformError as error:
                outcomes.append(error)
        return outcomes

    async def check(self, request: Request) -> None:
        """Every schema will do."""

    async def room(self, request: Request) -> int | None:
        """Nobody can count."""
        del request
        return None

    async def close(self) -> None:
        """Nothing to release."""


def _in_order(texts: Sequence[str | Exception]) -> Script:
    """Texts one after another."""
    rest = iter(texts)
    return lambda _request: next(rest)
