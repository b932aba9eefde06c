"""Requests as values: inputs from JSON or from an upload, and the caller's schema.

Large bodies are parsed in a few threads and schemas compiled in a few others, so that neither block the event loop nor
one another. Documents are read in processes of their own (:mod:`proseform.documents.apart`), each awaited by a thread
of its own, so that none waits for another's. The request's deadline covers schemas and documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Any

from proseform import documents
from proseform.errors import InputError
from proseform.infer.grammars.examine import examined
from proseform.infer.samples import MOST
from proseform.input import Input
from proseform.schema import Schema
from proseform.serve import exchange as http
from proseform.serve.exchange import Exchange
from proseform.serve.faults import TooLargeError
from proseform.task import Task

_INLINE_BYTES = 64 * 1024
"""Larger bodies are parsed in a thread."""
_BESIDE = ("schema", "timeout_s", "stream", "samples", "bundle")
"""Fields of a request beside its inputs."""
_SUFFIX = 12
"""Characters of a file's ending that are kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to our own protocol.

    Attributes:
        inputs: Input name to text; other values are kept for the task's check to reject.
        schema: The caller's schema; None takes the bundle's.
        timeout_s: The caller's time-out, in seconds; None takes the server's.
        stream: Whether the prose is streamed while it is written.
        samples: How many evaluations are made; not with ``stream``.
        bundles: The digests of those that are to answer; empty takes one by weight.
    """

    inputs: Mapping[str, Any]
    schema: Schema | None = None
    timeout_s: float | None = None
    stream: bool = False
    samples: int = 1
    bundles: tuple[str, ...] = ()


class Reader:
    """Reads requests, with a few threads for bodies and for schemas, and one for each document that is read at a time.

    Args:
        task: The task whose inputs are read.
        threads: The number of threads for bodies, and of those for schemas.
    """

    def __init__(self, task: Task, threads: int = 4) -> None:
        self.task = task
        self._bodies = ThreadPoolExecutor(threads, thread_name_prefix="reading")
        self._schemas = ThreadPoolExecutor(threads, thread_name_prefix="schema")
        self._documents = ThreadPoolExecutor(documents.SIDE_BY_SIDE, thread_name_prefix="document")

    async def json(self, data: bytes) -> Any:
        """A body as JSON."""
        if len(data) <= _INLINE_BYTES:
            return http.read(data, "The body")
        return await asyncio.get_running_loop().run_in_executor(self._bodies, http.read, data, "The body")

    async def schema(self, value: Any, deadline: float | None) -> Schema:
        """A caller's schema; see :func:`as_schema`."""
        return await asyncio.get_running_loop().run_in_executor(self._schemas, as_schema, value, deadline)

    async def document(self, name: str, data: bytes, filename: str, deadline: float | None) -> Input:
        """A file as an input.

        Raises:
            InputError: It cannot be read as text.
            TooLargeError: It is larger than a document may be.
        """
        read = partial(_document, self.task, name, data, filename, deadline)
        return await asyncio.get_running_loop().run_in_executor(self._documents, read)

    async def read(self, exchange: Exchange, deadline: float | None = None) -> Asked:
        """A request to ``/v1/tasks/{task}/answer``.

        JSON: ``{"inputs": {name: text or object}, "schema"?: object, "timeout_s"?: number, "stream"?: boolean,
        "samples"?: integer, "bundle"?: digest or list of digests}``.
        Multipart: one part for each input, text or a file, and the optional others, as JSON.

        Args:
            exchange: The request.
            deadline: When to give up, on the clock of :func:`time.monotonic`; ``timeout_s`` may end sooner.

        Raises:
            InputError: The request is invalid; the field is named.
            Refusal: ``deadline``: reading a document or compiling the schema took too long.
        """
        if exchange.kind == "multipart/form-data":
            fields, rest = await self._form(exchange, deadline)
        elif exchange.kind in {"application/json", ""}:
            fields, rest = self._fields(await self.json(await exchange.body()))
        else:
            hint = "Send application/json, or multipart/form-data with files."
            raise InputError(f"The body is {exchange.kind!r:.80}.", hint=hint)
        schema = rest.get("schema")
        timeout_s = _seconds(rest.get("timeout_s"))
        stream = rest.get("stream", False)
        if not isinstance(stream, bool):
            raise InputError(f"Field 'stream' is {_shown(stream)}, expected true or false.")
        bundles = _bundles(rest.get("bundle", []))
        many = _samples(rest.get("samples", max(1, len(bundles))), len(bundles), stream=stream)
        if schema is None:
            return Asked(fields, None, timeout_s, stream, many, bundles)
        known = [deadline, None if timeout_s is None else exchange.began + timeout_s]
        until = min((one for one in known if one is not None), default=None)
        return Asked(fields, await self.schema(schema, until), timeout_s, stream, many, bundles)

    def _fields(self, body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The inputs of a JSON body, and all of its fields."""
        hint = 'Send {"inputs": {…}}.'
        if not isinstance(body, dict):
            raise InputError(f"The body is {type(body).__name__}, expected an object.", hint=hint)
        unknown = body.keys() - {"inputs", *_BESIDE}
        if unknown:
            raise InputError(f"Unknown field {_shown(min(unknown))}.", hint=f"Known: inputs, {', '.join(_BESIDE)}.")
        if not isinstance(body.get("inputs"), dict):
            hint = f"Task '{self.task.name}' has the inputs {', '.join(self.task.inputs)}."
            raise InputError("Field 'inputs' is missing or no object.", hint=hint)
        return {name: as_text(self.task, name, value) for name, value in body["inputs"].items()}, body

    async def _form(self, exchange: Exchange, deadline: float | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The inputs of a multipart body, and its other fields."""
        inputs: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        async for name, part, filename in parts(exchange, len(self.task.inputs) + len(_BESIDE) + 1):
            beside = name in _BESIDE and name not in self.task.inputs
            if name in inputs or name in rest:
                raise InputError(f"Field {_shown(name)} occurs twice.")
            if beside:
                rest[name] = http.read(part, f"Field '{name}'")
            elif isinstance(part, str):
                inputs[name] = as_text(self.task, name, part)
            else:
                inputs[name] = await self.document(name, part, filename, deadline)
        return inputs, rest


def body_limit(task: Task) -> int:
    """The largest body in bytes: the largest document for each input, and 1 MiB for the rest."""
    return documents.MAX_BYTES * len(task.inputs) + (1 << 20)


def as_text(task: Task, name: str, value: Any) -> Any:
    """An input as text: JSON objects by the task's ``from_json``; other values are kept for the task's check to reject.

    Raises:
        InputError: An object, and the task reads text only.
        TooLargeError: More characters than a document may have.
    """
    if isinstance(value, dict):
        if task.from_json is None:
            raise InputError(f"Input {_shown(name)} is an object; task '{task.name}' reads text only.")
        value = task.from_json(name, value)
    if isinstance(value, str) and len(value) > documents.MAX_CHARS:
        raise TooLargeError(
            f"Input {_shown(name)} has {len(value)} characters; {documents.MAX_CHARS} are allowed.", hint="Shorten it."
        )
    return value


def as_schema(value: Any, deadline: float | None = None) -> Schema:
    """A caller's schema, read and compiled within limits, so that it is refused here rather than by an engine.

    Args:
        value: JSON that should be a schema.
        deadline: When to give up, on the clock of :func:`time.monotonic`.

    Raises:
        InputError: It is not a schema, or one that cannot be enforced; with the place in it and the reason.
        Refusal: ``deadline``: it took too long.
    """
    return examined(Schema(value, "schema"), deadline)


async def parts(exchange: Exchange, most: int) -> AsyncIterator[tuple[str, str | bytes, str]]:
    """The parts of a multipart body: name, text or a file's bytes, and the file's name.

    Raises:
        InputError: It is malformed, or has too many parts.
    """
    from starlette.datastructures import Headers, UploadFile
    from starlette.formparsers import MultiPartException, MultiPartParser

    headers = Headers({"content-type": exchange.headers["content-type"]})
    parser = MultiPartParser(
        headers, exchange.chunks(), max_files=most, max_fields=most, max_part_size=documents.MAX_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InputError(f"The body is no form ({error.message}).", hint="Send multipart/form-data.") from error
    except (KeyError, LookupError, ValueError) as error:  # no boundary, an unknown charset, bytes that are no text
        raise InputError(f"The body is no form ({type(error).__name__}: {error}).") from error
    try:
        for name, part in form.multi_items():
            if isinstance(part, UploadFile):
                yield name, await part.read(), part.filename or name
            else:
                yield name, part, ""
    finally:
        await form.close()


def _document(task: Task, name: str, data: bytes, filename: str, deadline: float | None) -> Input:
    """A file as an input."""
    if len(data) > documents.MAX_BYTES:
        raise TooLargeError(
            f"Input {_shown(name)} has {len(data)} bytes; {documents.MAX_BYTES} are allowed.",
            hint="Send a smaller file.",
        )
    called = f"{name}{PurePath(filename).suffix[:_SUFFIX]}"  # a file's own name may be a person's
    document = documents.read_bytes(data, called, deadline=deadline)
    if document.kind == "json" and task.from_json is not None:
        text = task.from_json(name, document.data)
        return Input.of(text, origin=document.input.origin, findings=document.input.findings)
    return document.input


def _bundles(value: Any) -> tuple[str, ...]:
    """The bundles that are to answer."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        hint = "GET /v1/bundle lists them."
        raise InputError(f"Field 'bundle' is {_shown(value)}, expected a digest or a list of them.", hint=hint)
    if len(set(listed)) != len(listed) or len(listed) > MOST:
        raise InputError(f"Field 'bundle' names a bundle twice, or more than {MOST}.", hint="Name each once.")
    return tuple(filter(None, listed))


def _samples(value: Any, bundles: int, *, stream: bool) -> int:
    """How many evaluations are made, of so many bundles."""
    if type(value) is not int or not 1 <= value <= MOST:
        raise InputError(f"Field 'samples' is {_shown(value)}, expected a whole number from 1 to {MOST}.")
    if value < bundles:
        raise InputError(f"Field 'samples' is {value}, and {bundles} bundles are to answer.", hint="Leave it out.")
    if value > 1 and stream:
        raise InputError("Fields 'samples' and 'stream' exclude each other.", hint="Several evaluations have no draft.")
    return value


def _seconds(value: Any) -> float | None:
    """The caller's time-out in seconds, at most a day; the server's is shorter."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"Field 'timeout_s' is {_shown(value)}, expected a number of seconds above 0.")
    return float(min(value, 86400))


def _shown(value: Any) -> str:
    """A caller's value for a message, cut to 60 characters."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**20 else "a long number"
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004
