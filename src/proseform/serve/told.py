"""What is told of a request that has ended: a count, a line in the log, and a span, which begins with it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from proseform.infer import spans
from proseform.infer.spans import Span
from proseform.serve import logs, metrics
from proseform.serve.exchange import Exchange
from proseform.serve.notes import Notes
from proseform.serve.routes import Route

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_FAULT = 500
_TRACEPARENT = re.compile("[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""W3C Trace Context, section 3.2."""


def span(exchange: Exchange, routes: Sequence[Route]) -> AbstractContextManager[Span]:
    """The span of a request; probes and scrapers have none.

    Args:
        exchange: The request, whose route is not known yet.
        routes: The server's.
    """
    if not spans.on() or any(route.open and route.pattern.fullmatch(exchange.path) for route in routes):
        return nullcontext(Span())
    method = exchange.method if exchange.method in _METHODS else "_OTHER"
    facts = {"http.request.method": method, "proseform.request.id": exchange.id}
    return spans.span(_name(exchange), facts, "server", exchange.headers)


def ended(exchange: Exchange, noted: Notes, task: str, outcome: str, span: Span) -> None:
    """Tell of a request that has ended; of probes and scrapers nothing is told.

    Args:
        exchange: The request.
        noted: What was noted of it.
        task: The server's task.
        outcome: ``answered``, ``refused``, or ``gone`` where the caller had left.
        span: Its span.
    """
    if exchange.quiet:
        return
    seconds = time.monotonic() - exchange.began
    metrics.REQUESTS.labels(noted.protocol, outcome).observe(seconds)
    logs.request(
        {
            "id": exchange.id,
            "trace_id": span.trace or _stated(exchange),
            "protocol": noted.protocol,
            "route": exchange.route,
            "task": task,
            "outcome": outcome,
            "status": exchange.status,
            "reason": noted.reason,
            "seconds": round(seconds, 4),
            "cases": noted.cases,
            "refused": noted.refused,
            "tries": noted.judged.get("evaluator"),
            "attempts": noted.judged.get("formatter"),
            "joined": noted.joined,
            "bundle": noted.bundle,
        }
    )
    span.rename(_name(exchange))
    facts: dict[str, str | int | bool] = {
        "http.route": exchange.route,
        "http.response.status_code": exchange.status,
        "proseform.protocol": noted.protocol,
        "proseform.task": task,
        "proseform.outcome": outcome,
        "proseform.reason": noted.reason,
        "proseform.bundle": noted.bundle,
        "proseform.joined": noted.joined,
    }
    span.set({name: value for name, value in facts.items() if value})
    if exchange.status >= _FAULT:
        span.failed(noted.reason)


def _name(exchange: Exchange) -> str:
    """A span's name by OpenTelemetry's conventions for HTTP: the method, and the route once it is known."""
    method = exchange.method if exchange.method in _METHODS else "HTTP"
    return f"{method} {exchange.route}".strip()


def _stated(exchange: Exchange) -> str:
    """The id of the trace that a caller states; empty where it states none."""
    match = _TRACEPARENT.fullmatch(exchange.headers.get("traceparent", ""))
    return match[1] if match else ""
