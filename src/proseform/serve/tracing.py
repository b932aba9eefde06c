"""Traces by OpenTelemetry: spans are sent to a collector over OTLP/HTTP, from a thread of their own.

Off unless an option or the standard variables ask for it; OpenTelemetry is imported then. A collector that is away or
slow costs no answer anything: spans wait in a queue of bounded length, and are dropped where it is full. Taken in from
a request and passed on to engines is W3C's Trace Context; baggage is not, since it may hold anything.
Left out: metrics and logs over OTLP (Prometheus and stderr have them), and OTLP over gRPC.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from proseform.errors import ConfigError
from proseform.infer import spans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

_LOG = logging.getLogger("proseform.serve")
_END_S = 3.0
"""Longest wait at the end for spans that were not sent yet, in seconds."""
_PROTOCOL = "http/protobuf"


@contextmanager
def traced(url: str, environment: Mapping[str, str]) -> Iterator[bool]:
    """Have spans sent to a collector meanwhile, if that is asked for; gives whether it is.

    Args:
        url: The collector's, without ``/v1/traces``; empty asks the variables.
        environment: The process's variables.

    Raises:
        ConfigError: It is asked for in a way that is not spoken here, or a library is missing.
    """
    if not asked(url, environment):
        yield False
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from proseform.serve.recorder import Recorder
    except ImportError as error:
        hint = "Install proseform[serve], or leave --traces and OTEL_* out."
        raise ConfigError(f"Traces were asked for, and a library is missing ({error.name}).", hint=hint) from error
    processor = BatchSpanProcessor(OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces" if url else None))
    spans.install(Recorder(processor))
    try:
        yield True
    finally:
        spans.install(None)
        _end(processor)


def asked(url: str, environment: Mapping[str, str]) -> bool:
    """Whether traces are asked for, by the option or by OpenTelemetry's variables.

    Raises:
        ConfigError: In a way that is not spoken here.

    >>> asked("http://collector:4318", {}), asked("", {}), asked("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"})
    (True, False, True)
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    named = environment.get("OTEL_TRACES_EXPORTER", "")
    endpoint = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not url and (named == "none" or not (named or endpoint)):
        return False
    if url and urlsplit(url).scheme not in {"http", "https"}:
        raise ConfigError(
            f"--traces {url}: no http or https URL.", hint="Give a collector's, as http://collector:4318."
        )
    if not url and named not in {"", "otlp"}:
        raise ConfigError(f"OTEL_TRACES_EXPORTER is {named!r:.40}.", hint="Only otlp and none are known here.")
    protocol = (
        environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or _PROTOCOL
    )
    if protocol != _PROTOCOL:
        raise ConfigError(f"The variables ask for OTLP by {protocol!r:.40}.", hint=f"Only {_PROTOCOL} is spoken here.")
    return True


def _end(processor: SpanProcessor) -> None:
    """Send what was not sent yet, for no longer than :data:`_END_S`: a collector that is away keeps nobody waiting."""
    sending = threading.Thread(target=processor.shutdown, name="last-spans", daemon=True)
    sending.start()
    sending.join(_END_S)
    if sending.is_alive():
        _LOG.warning("the last spans were not taken within %g s, and are dropped", _END_S)
