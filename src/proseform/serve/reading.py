"""Requests as values: inputs from JSON or from an upload, and a schema of the caller's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proseform import documents
from proseform.errors import InputError
from proseform.schema import Schema
from proseform.serve.faults import TooLargeError
from proseform.task import Task

MAX_SCHEMA_BYTES = 64 * 1024
"""Of a caller's own schema, as JSON."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one request asks.

    Attributes:
        inputs: Input name to text (or to whatever stood there; the task's check names it).
        schema: The caller's own; None takes the bundle's.
        timeout_s: The caller's patience, in seconds; None takes the server's.
    """

    inputs: Mapping[str, Any]
    schema: Schema | None = None
    timeout_s: float | None = None


def body_limit(task: Task) -> int:
    """The largest body in bytes: a document for each input, and something for the rest."""
    return documents.MAX_BYTES * len(task.inputs) + (1 << 20)


async def read(request: Any, task: Task) -> Asked:
    """A Starlette request to ``/v1/tasks/{task}/answer``.

    JSON: ``{"inputs": {name: text or object}, "schema"?: {…}, "timeout_s"?: number}``. Multipart: one part for each
    input, text or a file, and the same two beside them, ``schema`` as JSON.

    Raises:
        InputError: What is wrong with it, and in which field.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _form(request, task)
    if kind not in {"application/json", ""}:
        raise InputError(f"The body is '{kind}'.", hint="Send application/json, or multipart/form-data with files.")
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise InputError(f"The body is not JSON ({error}).", hint='Send {"inputs": {…}}.') from error
    if not isinstance(body, dict):
        raise InputError(f"The body is {type(body).__name__}, expected an object.", hint='Send {"inputs": {…}}.')
    unknown = body.keys() - {"inputs", "schema", "timeout_s"}
    if unknown:
        raise InputError(f"Unknown field '{min(unknown)}'.", hint="Known: inputs, schema, timeout_s.")
    if not isinstance(body.get("inputs"), dict):
        raise InputError(
            "Field 'inputs' is missing or no object.", hint=f"Task '{task.name}' wants {', '.join(task.inputs)}."
        )
    inputs = {name: as_text(task, name, value) for name, value in body["inputs"].items()}
    return Asked(inputs, _schema(body.get("schema")), _seconds(body.get("timeout_s")))


def as_text(task: Task, name: str, value: Any) -> Any:
    """An input as text: JSON objects by the task's ``from_json``; other things stay, for the task's check to name.

    Raises:
        InputError: Too long, or JSON that the task does not read.
    """
    if isinstance(value, dict):
        if task.from_json is None:
            raise InputError(f"Input '{name}' is an object; task '{task.name}' reads text only.")
        value = task.from_json(name, value)
    if isinstance(value, str) and len(value) > documents.MAX_CHARS:
        raise TooLargeError(
            f"Input '{name}' has {len(value)} characters; {documents.MAX_CHARS} are allowed.", hint="Shorten it."
        )
    return value


def as_schema(value: Any) -> Schema:
    """A caller's own schema: an enforceable JSON schema of a sane size.

    Raises:
        InputError: It is none; the reason is named.
    """
    if not isinstance(value, dict):
        raise InputError(f"Field 'schema' is {type(value).__name__}, expected an object.")
    try:
        if len(json.dumps(value)) > MAX_SCHEMA_BYTES:
            raise InputError(
                f"Field 'schema' is larger than {MAX_SCHEMA_BYTES} bytes.", hint="State it in fewer words."
            )
        return Schema(value, "schema")
    except RecursionError as error:
        raise InputError("Field 'schema' is nested too deeply.") from error
    except ValueError as error:
        raise InputError(f"Field 'schema' cannot be used: {error}.") from error


async def _form(request: Any, task: Task) -> Asked:
    """A multipart body."""
    inputs: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    async with request.form(max_files=len(task.inputs) + 1, max_part_size=documents.MAX_BYTES) as form:
        for name, part in form.multi_items():
            target = rest if name in {"schema", "timeout_s"} and name not in task.inputs else inputs
            if name in target:
                raise InputError(f"Field '{name}' stands twice.")
            if isinstance(part, str):
                target[name] = part if target is rest else as_text(task, name, part)
                continue
            data = await part.read()
            if target is rest:
                target[name] = data.decode(errors="replace")
            else:
                target[name] = await asyncio.to_thread(_document, task, name, data, part.filename)
    try:
        schema = json.loads(rest["schema"]) if "schema" in rest else None
        seconds = json.loads(rest["timeout_s"]) if "timeout_s" in rest else None
    except (ValueError, RecursionError) as error:
        raise InputError(f"Field 'schema' or 'timeout_s' is not JSON ({error}).") from error
    return Asked(inputs, _schema(schema), _seconds(seconds))


def _document(task: Task, name: str, data: bytes, filename: str | None) -> str:
    """A file as text."""
    if len(data) > documents.MAX_BYTES:
        raise TooLargeError(
            f"Input '{name}' has {len(data)} bytes; {documents.MAX_BYTES} are allowed.", hint="Send a smaller file."
        )
    document = documents.read_bytes(data, filename or name)
    if document.kind == "json" and task.from_json is not None:
        return task.from_json(name, document.data)
    return document.text


def _schema(value: Any) -> Schema | None:
    """See :func:`as_schema`; nothing stays nothing."""
    return None if value is None else as_schema(value)


def _seconds(value: Any) -> float | None:
    """The caller's patience."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"Field 'timeout_s' is {value!r:.40}, expected a number of seconds above 0.")
    return float(value)
