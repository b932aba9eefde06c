"""Routes: which handler answers a path, and in which shape its errors are written."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from proseform.serve.events import Stream
from proseform.serve.exchange import Exchange, Response
from proseform.serve.faults import MethodError, NotFoundError

Handler = Callable[[Exchange, Mapping[str, str]], Awaitable[Response | Stream]]
Protocol = Literal["proseform", "openai", "v1", "v2", "grpc", "batches"]
_PREFIXES: tuple[tuple[str, Protocol], ...] = (
    ("/openai/v1/files", "batches"),
    ("/openai/v1/batches", "batches"),
    ("/v1/files", "batches"),
    ("/v1/batches", "batches"),
    ("/openai/", "openai"),
    ("/v1/models", "v1"),
    ("/v2", "v2"),
    ("/inference.", "grpc"),
)


def protocol(path: str) -> Protocol:
    """The protocol of a path; what no other protocol has is ours.

    >>> protocol("/v1/models/toy:predict"), protocol("/v1/tasks/toy/answer")
    ('v1', 'proseform')
    """
    return next((name for prefix, name in _PREFIXES if path.startswith(prefix)), "proseform")


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


def template(path: str, match: re.Match[str]) -> str:
    """A path as its route has it: each value that stands in it as its name, so that no caller's words are left.

    >>> template("/v1/tasks/toy/answer", re.fullmatch("/v1/tasks/(?P<task>[^/]+)/answer", "/v1/tasks/toy/answer"))
    '/v1/tasks/{task}/answer'
    """
    spans = sorted((match.span(name), name) for name in match.groupdict() if match[name] is not None)
    for (start, end), name in reversed(spans):
        path = f"{path[:start]}{{{name}}}{path[end:]}"
    return path


def matching(routes: Sequence[Route], exchange: Exchange) -> tuple[Route, Mapping[str, str]]:
    """The route of a request, which is noted in it, and the values in its path.

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
            exchange.route, exchange.quiet = template(exchange.path, match), route.open
            return route, match.groupdict()
        other = f"{other}, {route.method}" if other else route.method
    if other:
        raise MethodError(exchange.method, other)
    raise NotFoundError(f"No route {exchange.path!r:.80}.", hint="POST /v1/tasks/{task}/answer answers one case.")


def check_model(name: str, version: str, here: str) -> None:
    """Whether a model of KServe's protocols is here.

    Args:
        name: As a request has it.
        version: As a request has it; empty where it has none.
        here: The name of the model that is here.

    Raises:
        NotFoundError: It is not.
    """
    if name != here:
        raise NotFoundError(f"No model {name!r:.80} here; this server has '{here}'.")
    if version:
        raise NotFoundError(f"'{here}' has no versions here.", hint="Leave the version out.")
