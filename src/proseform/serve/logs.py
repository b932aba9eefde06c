"""Logs of a server: a line a request, and what else is told, as text or as JSON (one object a line).

A request's line has facts alone: its id, how it ended, how long it took, which bundle. Nothing of an input, of prose or
of an answer is in it. What was raised is logged as types and lines of code: its words may quote an input.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from proseform.serve import faults

Format = Literal["text", "json"]
_LOG = logging.getLogger("proseform.serve.requests")


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says, as a message that a logger takes.

    >>> str(Line({"id": "7", "seconds": 0.25}))
    'id=7 seconds=0.25'
    """

    facts: Mapping[str, Any]

    def __str__(self) -> str:
        """As text."""
        return " ".join(f"{name}={value}" for name, value in self.facts.items())


class Json(logging.Formatter):
    """A record as one JSON object: ``time``, ``level``, ``logger``, and a request's facts or ``message``."""

    def format(self, record: logging.LogRecord) -> str:
        """See :class:`logging.Formatter`."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {"time": when, "level": record.levelname.lower(), "logger": record.name}
        facts = record.msg.facts if isinstance(record.msg, Line) else {"message": record.getMessage()}
        raised = {"raised": self.formatException(record.exc_info)} if record.exc_info else {}
        return json.dumps({**head, **facts, **raised})

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's
        """What was raised, without its words."""
        return _raised(ei)


class Text(logging.Formatter):
    """A record as a line for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's
        """What was raised, without its words."""
        return _raised(ei)


def configure(form: Format) -> None:
    """Have this process log to stderr: what is Proseform's from INFO on, anything else from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else Text())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("proseform").setLevel(logging.INFO)


def request(facts: Mapping[str, Any]) -> None:
    """Log a request that has ended.

    Args:
        facts: What is known of it; what is empty or zero is left out.
    """
    if _LOG.isEnabledFor(logging.INFO):
        _LOG.info(Line({name: value for name, value in facts.items() if value}))


def _raised(what: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """An exception of a log record as types and lines of code."""
    return faults.traced(what[1])
