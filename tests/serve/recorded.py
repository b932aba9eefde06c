"""Spans of a process: kept in memory, or received by a collector that speaks OTLP over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from proseform.infer import spans
from proseform.serve.recorder import Recorder


@contextmanager
def kept() -> Iterator[InMemorySpanExporter]:
    """Keep the spans of this process meanwhile."""
    exporter = InMemorySpanExporter()
    spans.install(Recorder(SimpleSpanProcessor(exporter)))
    try:
        yield exporter
    finally:
        spans.install(None)


class Tree:
    """Spans by what they are inside of.

    Args:
        recorded: Of one trace or of several, which have ended.
    """

    def __init__(self, recorded: tuple[ReadableSpan, ...]) -> None:
        self.spans = sorted(recorded, key=lambda one: one.start_time)

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of a name, in the order in which they began."""
        return [one for one in self.spans if one.name == name]

    def one(self, name: str) -> ReadableSpan:
        """The span of a name."""
        (found,) = self.named(name)
        return found

    def inside(self, outer: ReadableSpan) -> list[ReadableSpan]:
        """The spans right inside of one, in the order in which they began."""
        return [one for one in self.spans if one.parent and one.parent.span_id == outer.context.span_id]


class Collector:
    """A collector.

    Attributes:
        url: Its address.
        requests: What it received, parsed.
        paths: Where that was sent.
        held: While it is set, nothing is answered.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: list[str] = []
        self.asked = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def spans(self) -> list[Any]:
        """All spans that it received."""
        return [
            one
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for one in scope.spans
        ]


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on loopback; its answers wait until it is free."""
    told = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            told.asked.set()
            told.free.wait()
            told.paths.append(self.path)
            told.requests.append(ExportTraceServiceRequest.FromString(data))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        told.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield told
        finally:
            told.free.set()
            server.shutdown()
