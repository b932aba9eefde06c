"""A connection whose heads come in time and within bounds, and whose responses are taken in time.

The server below, uvicorn, waits for both for ever, and closes a connection only once all that was written is taken.
Bodies are bounded where they are read (:mod:`proseform.serve.exchange`), by the same clock of ours.
"""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proseform.errors import ProseformError
from proseform.serve import faults, logs
from proseform.serve.exchange import REQUEST
from proseform.serve.faults import HeadError, SlowError
from proseform.serve.guard import HEAD_BYTES

HEAD_S = 10.0
"""Longest time from a request's first byte to the end of its head, in seconds."""
TAKEN_S = 30.0
"""Longest time for a peer to take nothing of what is written, in seconds."""
LOOKS = 3
"""How often it is looked at within that time: no peer is cut because the server stood still between two looks."""
_TOO_LATE, _TOO_LARGE = SlowError("The head came too slowly."), HeadError("The head is too large.")


class Connection(HttpToolsProtocol):
    """One connection; a head that is late or too large is refused, and a peer that takes nothing is cut off."""

    _timer: asyncio.TimerHandle | None = None
    _looking: asyncio.TimerHandle | None = None
    _unsent = 0
    _in_vain = 0
    _in_head = True
    _begun = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head as long as between requests."""
        super().connection_made(transport)
        self._wait(float(self.timeout_keep_alive))
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._begun, self._head_bytes = True, True, 0
        self._wait(HEAD_S)

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._in_head = self._begun = False
        self._stop()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next head, whatever bytes come that begin none."""
        super().on_response_complete()
        if self.cycle.response_complete and not self._in_head:
            self._wait(float(self.timeout_keep_alive))

    def resume_writing(self) -> None:
        """The peer has taken so much that more is written."""
        self._unsent = self._in_vain = 0
        super().resume_writing()

    def _look(self) -> None:
        """Cut off a peer that has taken nothing at so many looks; closing would wait for it."""
        unsent = self.transport.get_write_buffer_size()
        self._in_vain = self._in_vain + 1 if 0 < self._unsent <= unsent else 0
        self._unsent = unsent
        if self._in_vain == LOOKS:
            self.transport.abort()
        else:
            self._looking = self.loop.call_later(TAKEN_S / LOOKS, self._look)

    def _wait(self, seconds: float) -> None:
        """Refuse what is not there after so many seconds."""
        self._stop()
        self._timer = self.loop.call_later(seconds, self._refuse, _TOO_LATE)

    def _stop(self) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, error: ProseformError) -> None:
        """Say why, and close; a request that has begun has an id, and its line in the log."""
        self._stop()
        if self.transport.is_closing():
            return
        status, number = HTTPStatus(faults.status(error)), secrets.token_hex(16)
        if self._begun:
            reason = faults.reason(error)
            logs.request({"id": number, "outcome": "refused", "status": status.value, "reason": reason})
        first = f"HTTP/1.1 {status.value} {status.phrase}"
        lines = (first, f"{REQUEST}: {number}", "connection: close", "content-length: 0", "", "")
        self.transport.write("\r\n".join(lines).encode())
        self.transport.close()
