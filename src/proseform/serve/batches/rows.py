"""A file of requests: one JSON object a line, as OpenAI's batches have them.

``{"custom_id": …, "body": {…}, "method"?: "POST", "url"?: …}``. ``url`` is one of this server's own paths, our own
protocol's unless stated: no row makes anybody ask another address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import jsonl
from proseform.errors import RowError
from proseform.task import Task

_LONGEST_ID = 512
_OPENAI = ("/chat/completions", "/completions")


@dataclass(frozen=True, slots=True)
class Row:
    """One request.

    Attributes:
        custom_id: The caller's name for it; unique in its file.
        path: Of this server.
        body: What is sent there.
    """

    custom_id: str
    path: str
    body: Mapping[str, Any]


def paths(task: Task) -> dict[str, str]:
    """The urls that a row may have, and the path of each."""
    ours = f"/v1/tasks/{task.name}/answer"
    openai = {f"{prefix}/v1{end}": f"/openai/v1{end}" for end in _OPENAI for prefix in ("", "/openai")}
    return {ours: ours, **openai}


def read(path: Path, task: Task) -> list[Row]:
    """The requests of a file, all of them looked at before any is answered.

    Raises:
        RowError: A line that is no request, by file, line and field; or no request at all.
    """
    known, lines = paths(task), {}
    for number, line in enumerate(jsonl.read(path), 1):
        if line.strip():
            where = f"{path.name}, line {number}"
            row = _row(jsonl.parse(line, where), where, known)
            if row.custom_id in lines:
                raise RowError(f"{where}: field 'custom_id' stands in an earlier line too: {row.custom_id!r:.80}.")
            lines[row.custom_id] = row
    if not lines:
        raise RowError(f"{path.name}: holds no request.", hint='A line is {"custom_id": "1", "body": {"inputs": {…}}}.')
    return list(lines.values())


def digest(path: Path) -> str:
    """The SHA-256 of a file, by which its journal is told from another's."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _row(line: Mapping[str, Any], where: str, known: Mapping[str, str]) -> Row:
    """One request."""
    for name in line:
        if name not in {"custom_id", "method", "url", "body"}:
            raise RowError(f"{where}: unknown field {name!r:.60}.", hint="Known: custom_id, method, url, body.")
    custom_id, body = line.get("custom_id"), line.get("body")
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= _LONGEST_ID:
        raise RowError(f"{where}: field 'custom_id' is no text of 1 to {_LONGEST_ID} characters.")
    if line.get("method", "POST") != "POST":
        raise RowError(f"{where}: field 'method' can only be POST.")
    url = line.get("url", next(iter(known)))
    if not isinstance(url, str) or url not in known:
        raise RowError(f"{where}: field 'url' is none of this server's paths.", hint=f"There are {', '.join(known)}.")
    if not isinstance(body, dict):
        raise RowError(f"{where}: field 'body' is {jsonl.kind(body)}, expected an object.")
    if body.get("stream"):
        raise RowError(f"{where}: field 'body.stream': nothing is streamed into a file.")
    return Row(custom_id, known[url], body)
