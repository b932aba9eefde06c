"""The routes of files and batches, in OpenAI's form, under ``/v1`` and ``/openai/v1``."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from proseform.errors import InputError
from proseform.serve import exchange as http
from proseform.serve import reading
from proseform.serve.admission import Admission
from proseform.serve.batches import rows
from proseform.serve.batches.clerk import Clerk
from proseform.serve.batches.shelf import FILE_BYTES, OPEN, WINDOW_S, Shelf
from proseform.serve.exchange import Exchange, Response
from proseform.serve.faults import NotFoundError
from proseform.serve.routes import Route
from proseform.serve.waiting import in_time

_ROOT = "(/openai)?/v1"
_BODY_BYTES = 256 << 10
"""The largest request for a batch: metadata of the largest size, every character escaped, are half of it."""
_PAIRS, _KEY, _VALUE = 16, 64, 512
"""Of metadata: the most pairs, and the most characters of a key and of a value; OpenAI's numbers."""


class Door:
    """Takes files, and has them answered.

    Args:
        shelf: Where they are kept.
        admission: Answers cases.
        concurrency: Rows that are answered at a time.
    """

    def __init__(self, shelf: Shelf, admission: Admission, concurrency: int) -> None:
        self._shelf = shelf
        self._admission = admission
        self._clerk = Clerk(shelf, admission, concurrency)
        self._working: asyncio.Task[None] | None = None
        file, batch = f"{_ROOT}/files/(?P<id>[^/]+)", f"{_ROOT}/batches/(?P<id>[^/]+)"
        self.routes = [
            Route(f"{_ROOT}/files", "POST", self._upload),
            Route(f"{_ROOT}/files", "GET", self._files),
            Route(file, "GET", self._record),
            Route(file, "DELETE", self._delete),
            Route(f"{file}/content", "GET", self._content),
            Route(f"{_ROOT}/batches", "POST", self._create),
            Route(f"{_ROOT}/batches", "GET", self._batches),
            Route(batch, "GET", self._record),
            Route(f"{batch}/cancel", "POST", self._cancel),
        ]

    def begin(self) -> None:
        """Work on what is there."""
        self._working = asyncio.create_task(self._clerk.run())

    async def end(self) -> None:
        """Work no more; a batch goes on when a server begins again."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    async def _upload(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Keep a file."""
        exchange.limit = FILE_BYTES

        async def work() -> Response:
            data: bytes | None = None
            name, purpose = "", "batch"
            async for field, part, filename in reading.parts(exchange, 8):
                if field == "purpose" and isinstance(part, str):
                    purpose = part
                elif field == "file" and isinstance(part, bytes):
                    data, name = part, filename
            if data is None or purpose != "batch":
                raise InputError("There is no file, or its purpose is not 'batch'.", hint="Send both as a form.")
            return Response.of_json(await asyncio.to_thread(self._shelf.put, exchange.tenant, data, name, purpose))

        return await in_time(exchange, self._admission, work(), answers=False)

    async def _files(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """The key's files."""
        return _listed(await asyncio.to_thread(self._shelf.records, exchange.tenant, "file"))

    async def _batches(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """The key's batches."""
        return _listed(await asyncio.to_thread(self._shelf.records, exchange.tenant, "batch"))

    async def _record(self, exchange: Exchange, values: Mapping[str, str]) -> Response:
        """One file or batch."""
        return Response.of_json(self._shelf.record(exchange.tenant, values["id"]))

    async def _delete(self, exchange: Exchange, values: Mapping[str, str]) -> Response:
        """Delete a file that no open batch needs."""
        await asyncio.to_thread(self._shelf.delete, exchange.tenant, values["id"])
        return Response.of_json({"id": values["id"], "object": "file", "deleted": True})

    async def _content(self, exchange: Exchange, values: Mapping[str, str]) -> Response:
        """A file's data."""
        if self._shelf.record(exchange.tenant, values["id"])["object"] != "file":
            raise NotFoundError("No file of this id.", hint="It is a batch's.")
        data = await asyncio.to_thread(self._shelf.data(exchange.tenant, values["id"]).read_bytes)
        return Response(200, data, "application/jsonl")

    async def _create(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Begin a batch."""
        exchange.limit = _BODY_BYTES

        async def work() -> Response:
            body = http.read(await exchange.body(), "The body")
            record = self._batch(body if isinstance(body, dict) else {})
            await asyncio.to_thread(self._shelf.begin, exchange.tenant, record)
            self._clerk.wake()
            return Response.of_json(record)

        return await in_time(exchange, self._admission, work(), answers=False)

    def _batch(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new batch's record."""
        endpoints = rows.paths(self._admission.task)
        if body.get("endpoint") not in endpoints:
            hint = f"There are {', '.join(endpoints)}."
            raise InputError("Field 'endpoint' is none of this server's paths.", hint=hint)
        if body.get("completion_window") != "24h":
            raise InputError("Field 'completion_window' can only be 24h.")
        number = body.get("input_file_id")
        if not isinstance(number, str):
            raise InputError("Field 'input_file_id' is no file's id.", hint="Upload the file first.")
        now = int(self._shelf.clock())
        return {
            "id": f"batch_{secrets.token_hex(16)}",
            "object": "batch",
            "endpoint": body["endpoint"],
            "input_file_id": number,
            "completion_window": "24h",
            "status": "validating",
            "created_at": now,
            "in_progress_at": None,
            "expires_at": now + WINDOW_S,
            "output_file_id": None,
            "errors": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": _metadata(body.get("metadata")),
        }

    async def _cancel(self, exchange: Exchange, values: Mapping[str, str]) -> Response:
        """End a batch; what was answered becomes its output."""
        fields = {"status": "cancelling", "cancelling_at": int(self._shelf.clock())}
        record = await asyncio.to_thread(self._shelf.change, exchange.tenant, values["id"], OPEN, fields)
        if record["status"] == "cancelling":
            self._clerk.cancel(record["id"])
        return Response.of_json(record)


def _metadata(value: Any) -> dict[str, str] | None:
    """The caller's metadata.

    Raises:
        InputError: They are not as OpenAI has them.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > _PAIRS:
        raise InputError(f"Field 'metadata' is no object of at most {_PAIRS} pairs.", hint="Send fewer.")
    for key, text in value.items():
        if len(key) > _KEY or not isinstance(text, str) or len(text) > _VALUE:
            message = f"Field 'metadata' has keys of at most {_KEY} characters, and texts of at most {_VALUE}."
            raise InputError(message, hint="Shorten them.")
    return value


def _listed(records: list[dict[str, Any]]) -> Response:
    """A list of records, all of it."""
    ends = {"first_id": records[0]["id"], "last_id": records[-1]["id"]} if records else {}
    return Response.of_json({"object": "list", "data": records, "has_more": False, **ends})
