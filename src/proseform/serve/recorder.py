"""Spans as OpenTelemetry's SDK records them; imported only where traces are asked for."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from opentelemetry import context, trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from proseform.errors import Refusal
from proseform.infer.spans import Facts, Kind, Span

_KINDS: dict[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "internal": SpanKind.INTERNAL,
}


class Recorder:
    """Records spans; see :class:`proseform.infer.spans.Tracer`.

    Args:
        processor: Gets the spans that have ended.
    """

    def __init__(self, processor: SpanProcessor) -> None:
        resource = Resource.create({"service.version": importlib.metadata.version("proseform")})
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):  # no OTEL_SERVICE_NAME
            resource = resource.merge(Resource({SERVICE_NAME: "proseform"}))
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("proseform")
        self._propagator = TraceContextTextMapPropagator()

    def span(self, name: str, facts: Facts, kind: Kind, headers: Mapping[str, str] | None) -> Recorded:
        """See :func:`proseform.infer.spans.span`."""
        outer = None if headers is None else self._propagator.extract(headers)
        return Recorded(self._tracer.start_span(name, outer, _KINDS[kind], facts))

    def headers(self) -> Mapping[str, str]:
        """See :func:`proseform.infer.spans.headers`."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier


class Recorded(Span):
    """A span that is recorded: the one that its task is in, between entering and leaving it.

    The SDK's own context manager would record the words of exceptions, and takes longer.

    Args:
        span: The SDK's, which has begun.
    """

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._told = False
        self.trace = format(span.get_span_context().trace_id, "032x")

    def __enter__(self) -> Self:
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self.set({"proseform.cancelled": True})
        elif error is not None and not self._told:
            self.failed(error.reason if isinstance(error, Refusal) else type(error).__name__)
        context.detach(self._token)
        self._span.end()

    def set(self, facts: Facts) -> None:
        """See :class:`proseform.infer.spans.Span`, as for the next methods."""
        self._span.set_attributes(facts)

    def rename(self, name: str) -> None:
        """See above."""
        self._span.update_name(name)

    def failed(self, kind: str) -> None:
        """See above."""
        self._told = True
        self._span.set_attributes({"error.type": kind})
        self._span.set_status(Status(StatusCode.ERROR))
