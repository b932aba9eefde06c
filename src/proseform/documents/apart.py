"""Documents of strangers are read in processes of their own, within limits that hold for every kind.

A file can make a library take all memory and time that there is, or end the process that it runs in. What is read here
costs its caller an error, and nobody else anything: as many documents as :data:`SIDE_BY_SIDE` are read at a time, each
in its own process.

Only plain text in UTF-8, at most 1 MiB, is read in the caller's process (:func:`is_plain`): that takes a few passes
over its bytes, and no library.
"""

from __future__ import annotations

import atexit
from dataclasses import asdict
from typing import cast

from proseform.confined import Confined, Exceeded
from proseform.documents import kinds, readers
from proseform.documents.extract import Extract, Limits
from proseform.documents.kinds import Kind
from proseform.errors import DocumentError, Refusal
from proseform.input import Finding

MEMORY = 160 << 20
"""Bytes that reading a document may need; with what the process has before, about 200 MiB."""

SECONDS = 5.0
"""Processor time that reading a document may need."""

SIDE_BY_SIDE = 8
"""Documents that are read at a time."""

_PLAIN_BYTES = 1 << 20
"""Plain text that is read in the caller's process, at most."""

_MARKUP = (b"<", b"{", b"%PDF", b"PK\3\4")
"""What a document of another kind has near its beginning."""

_PRINT = "Open it, print it to PDF and give that, or give the pages that matter."
_CONFINED = Confined(
    "proseform.documents.inside:answer", memory=MEMORY, seconds=SECONDS, processes=SIDE_BY_SIDE, idle=2
)
atexit.register(_CONFINED.close)


def extract(
    data: bytes, suffix: str, where: str, limits: Limits, deadline: float | None = None
) -> tuple[Kind, Extract]:
    """As :func:`proseform.documents.readers.extract`, within limits.

    Args:
        data: The whole file, not empty.
        suffix: The suffix of its name, in lower case.
        where: Its name as messages show it.
        limits: What it may be at most.
        deadline: When to give up, on the clock of :func:`time.monotonic`.

    Raises:
        DocumentError: As there, or it takes too much time or memory, or ends the process.
        Refusal: ``deadline``.
    """
    if is_plain(data, suffix):
        return readers.plain(data, where, limits)
    question = {"suffix": suffix, "where": where, "limits": asdict(limits)}
    try:
        reply = _CONFINED.call(question, data, deadline=deadline)
    except Exceeded as exceeded:
        raise _error(exceeded, where) from exceeded
    if "refused" in reply:
        raise DocumentError(reply["refused"], hint=reply["hint"])
    findings = tuple(Finding(**finding) for finding in reply["findings"])
    return cast("Kind", reply["kind"]), Extract(reply["raw"], findings, reply["pages"], reply["encoding"])


def is_plain(data: bytes, suffix: str) -> bool:
    """Whether a document is plain text, by its name, its bytes, and what tells kinds apart (:mod:`.kinds`)."""
    markup = any(mark in data[:1024] for mark in _MARKUP)
    if suffix != ".txt" or len(data) > _PLAIN_BYTES or b"\0" in data or markup:
        return False
    try:
        return kinds.container(data, suffix, "") == kinds.of_text(data.decode("utf-8-sig"), suffix, "") == "text"
    except (UnicodeDecodeError, DocumentError):
        return False


def _error(exceeded: Exceeded, where: str) -> DocumentError | Refusal:
    """Why a document could not be read within its limits."""
    match exceeded.cause:
        case "deadline":
            return Refusal("deadline", f"Time was up before {where} was read.", hint="Allow more time, or retry.")
        case "time":
            return DocumentError(f"{where} takes too long to read (over {SECONDS:g} s of processor time).", hint=_PRINT)
        case "memory":
            return DocumentError(f"{where} is too large to read: it needs over {MEMORY >> 20} MiB.", hint=_PRINT)
        case "crash":
            return DocumentError(f"{where} is damaged, or too large: it ends the program that reads it.", hint=_PRINT)
