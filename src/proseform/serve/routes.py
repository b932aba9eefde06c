"""Routes: which handler answers a path, and in which shape its errors are written."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from proseform.serve.events import Stream
from proseform.serve.exchange import Exchange, Response
from proseform.serve.faults import MethodError, NotFoundError

Handler = Callable[[Exchange, Mapping[str, str]], Awaitable[Response | Stream]]


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes:
        path: A pattern of the whole path; its named groups are handed to the handler.
        method: GET, which answers HEAD too, POST or DELETE.
        handler: Answers.
        open: Whether no key is asked for, since probes and scrapers have none.
    """

    path: str
    method: str
    handler: Handler
    open: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path's pattern, compiled."""
        return re.compile(self.path)


def matching(routes: Sequence[Route], exchange: Exchange) -> tuple[Route, Mapping[str, str]]:
    """The route of a request, and the values in its path.

    Raises:
        NotFoundError: No such path.
        MethodError: The path has another method.
    """
    other = ""
    for route in routes:
        match = route.pattern.fullmatch(exchange.path)
        if match is None:
            continue
        if exchange.method in ({route.method, "HEAD"} if route.method == "GET" else {route.method}):
            return route, match.groupdict()
        other = f"{other}, {route.method}" if other else route.method
    if other:
        raise MethodError(exchange.method, other)
    raise NotFoundError(f"No route {exchange.path!r:.80}.", hint="POST /v1/tasks/{task}/answer answers one case.")
