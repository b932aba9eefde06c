"""Answers the rows of a batch that are left, many at a time, by the routes of the server.

A row whose engine is away or busy (429, 503) is no result: it is asked again, with growing pauses. Where no row has
been answered for a while, the batch ends; the same command goes on.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proseform.errors import EngineError
from proseform.serve.app import App
from proseform.serve.batches.journal import Journal
from proseform.serve.batches.rows import Row

_AWAY = frozenset({429, 503})
_LONGEST_PAUSE_S = 30.0
_SYNC_S = 5.0
"""The disk holds what is older than so many seconds."""
Told = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class Work:
    """The state of a batch.

    Attributes:
        app: The server, which nobody listens for.
        journal: What was answered.
        patience_s: How long no row may be answered, in seconds, before the batch ends.
        told: Gets each result.
    """

    app: App
    journal: Journal
    patience_s: float
    told: Told
    _alive: float = field(default_factory=time.monotonic)
    _synced: float = field(default_factory=time.monotonic)

    async def done(self, rows: Sequence[Row], concurrency: int) -> None:
        """Answer the rows that are left.

        Args:
            rows: All rows.
            concurrency: How many are answered at a time.

        Raises:
            EngineError: No row was answered for too long; what was answered is kept.
        """
        left = iter([row for row in rows if row.custom_id not in self.journal])
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(self._some(left))
        except* EngineError as errors:
            raise errors.exceptions[0] from None
        finally:
            self.journal.sync()

    async def _some(self, left: Iterable[Row]) -> None:
        """Answer rows, as long as there are any."""
        for row in left:
            result = await self._answered(row)
            self.journal.add(result)
            self.told(result)
            now = time.monotonic()
            if now - self._synced > _SYNC_S:
                self._synced = now
                await asyncio.to_thread(self.journal.sync)

    async def _answered(self, row: Row) -> dict[str, Any]:
        """A row's result, in OpenAI's form."""
        tries = 0
        while True:
            status, headers, body = await called(self.app, row.path, row.body)
            if status not in _AWAY:
                self._alive = time.monotonic()
                response = {"status_code": status, "request_id": headers["x-request-id"], "body": body}
                return {"id": f"batch_req_{secrets.token_hex(12)}", "custom_id": row.custom_id, "response": response}
            if time.monotonic() - self._alive > self.patience_s:
                hint = "What was answered is kept: the same command goes on."
                error = body["error"]
                raise EngineError(f"No row was answered for {self.patience_s:g} s: {error['message']}", hint=hint)
            tries += 1
            asked_s = float(headers.get("retry-after", 0))
            await asyncio.sleep(min(_LONGEST_PAUSE_S, self.patience_s / 4, max(asked_s, 2.0**tries / 4)))


async def called(app: App, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, str], Any]:
    """One request to a server that listens to nobody: status, headers, and the body's JSON.

    Args:
        app: The server.
        path: Of the request.
        body: JSON.
    """
    sent: list[Mapping[str, Any]] = []
    whole = [{"type": "http.request", "body": json.dumps(body).encode()}]

    async def receive() -> Any:
        if whole:
            return whole.pop()
        return await asyncio.Event().wait()  # nobody leaves

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    await app({"type": "http", "method": "POST", "path": path, "headers": headers}, receive, send)
    text = b"".join(message.get("body", b"") for message in sent)
    answered = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, json.loads(text)
