"""Spans of a trace: how long each part of an answer took. Nobody records them unless a tracer is installed.

The seam between what is traced and whoever records it (:mod:`proseform.serve.recorder`), so that nothing below serving
knows OpenTelemetry. Names and facts of a span are fixed words, digests and figures: nothing of an input, of prose or of
an answer is among them. Names of facts are OpenTelemetry's where it has one (``gen_ai.*``, ``server.*``), else
``proseform.*``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

Facts = Mapping[str, str | int | float | bool | Sequence[str]]
Kind = Literal["server", "client", "internal"]


class Span:
    """A span that nobody records.

    Attributes:
        trace: The id of its trace, in hexadecimal digits; empty where it has none.
    """

    trace = ""

    def set(self, facts: Facts) -> None:
        """State facts."""

    def rename(self, name: str) -> None:
        """Give it a name that was not known at its beginning."""

    def failed(self, kind: str) -> None:
        """Say that what it stands for failed, by one word."""


class Tracer(Protocol):
    """Records spans."""

    def span(
        self, name: str, facts: Facts, kind: Kind, headers: Mapping[str, str] | None
    ) -> AbstractContextManager[Span]:
        """See :func:`span`."""

    def headers(self) -> Mapping[str, str]:
        """See :func:`headers`."""


_NOBODYS = nullcontext(Span())
_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Have spans of this process recorded from now on; None ends it."""
    global _tracer  # noqa: PLW0603 - one a process, as tracing is
    _tracer = tracer


def on() -> bool:
    """Whether anybody records spans."""
    return _tracer is not None


def span(
    name: str, facts: Facts | None = None, kind: Kind = "internal", headers: Mapping[str, str] | None = None
) -> AbstractContextManager[Span]:
    """A span, inside of the one that the running task is in.

    An exception that leaves it is named in it by its kind, without its words.

    Args:
        name: One of few.
        facts: What is known at its beginning.
        kind: Whether it answers a call, makes one, or neither.
        headers: Of a request, names in lower case: the span goes on with the trace that they state (W3C Trace Context).
    """
    return _NOBODYS if _tracer is None else _tracer.span(name, facts or {}, kind, headers)


def headers() -> Mapping[str, str]:
    """The headers by which a server that is asked goes on with the trace; none where nobody records it."""
    return {} if _tracer is None else _tracer.headers()
