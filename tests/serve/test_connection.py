"""A connection ends where its peer sends no more of a body that nobody reads, or takes no more of a response."""

import asyncio
import socket
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest
import uvicorn
from uvicorn.server import ServerState

from proseform.serve import connection, exchange, keys, server
from proseform.serve.admin import Admin, Listener
from proseform.serve.batches.shelf import Shelf
from proseform.serve.connection import Connection
from proseform.serve.guard import Guard
from proseform.serve.keys import Keys
from tests.serve.light import INPUTS, light, post
from tests.serve.test_limits import OURS, reply, sent
from tests.waiting import LIMITS, PATIENCE_S

UNREAD = {
    "nobody's key": ("POST", OURS, {}, 401),
    "no such path": ("POST", "/nowhere", {"authorization": ""}, 404),
    "another method": ("PUT", OURS, {}, 405),
    "a body of another kind": ("POST", OURS, {"content-type": "application/xml", "authorization": "KEY"}, 422),
    "a probe that brings one": ("GET", "/livez", {}, 200),
}
"""Requests whose bodies nobody asks for, and the statuses of their responses."""
LENGTHS = {
    "small, and the rest does not come": (b"content-length: 500", b"x"),
    "larger than what is read in vain": (b"content-length: 9999999", b"x" * 1000),
    "of no stated length": (b"transfer-encoding: chunked", b"1\r\nx\r\n"),
    "not sent before it is asked for": (b"expect: 100-continue\r\ncontent-length: 500", b""),
}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("which", UNREAD)
def test_a_body_that_nobody_asked_for_and_that_does_not_end_closes_its_connection(monkeypatch, tmp_path, which, length):
    monkeypatch.setattr(exchange, "BODY_S", 0.05)
    method, path, more, status = UNREAD[which]
    stated, body = LENGTHS[length]
    token = keys.new(tmp_path / "keys.json", "ci", 0)
    headers = "".join(f"{name}: {value.replace('KEY', f'Bearer {token}')}\r\n" for name, value in more.items())
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}".encode() + stated
    with light(guard=Guard(Keys(tmp_path / "keys.json"))) as serving:
        answer = reply(sent(serving.port, head + b"\r\n\r\n" + body))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in answer


def test_an_administrators_connection_closes_likewise(monkeypatch, tmp_path):
    monkeypatch.setattr(exchange, "BODY_S", 0.05)
    keys.new(tmp_path / "keys.json", "ops", 0)
    listeners = []

    def beside(admission):
        listeners.append(Listener(Admin(admission.router, Guard(Keys(tmp_path / "keys.json"))), "127.0.0.1", 0))
        return listeners[0]

    with light(alongside=[beside]):
        head = b"PUT /admin/weights HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n"
        answer = reply(sent(listeners[0].port, head + b"{"))
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"connection: close" in answer


def test_bytes_that_begin_no_head_keep_no_connection(monkeypatch):
    """Each stops uvicorn's own clock. A head has as long as a pause here, so one that was late is sent again."""
    for kept_s in LIMITS:
        monkeypatch.setattr(server, "_KEPT_S", kept_s)
        with light() as serving, suppress(ConnectionError):  # it was closed before the bytes came
            line = sent(serving.port, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = line.recv(4096)
            line.sendall(b"\r\n")
            reply(line)
            if answer.startswith(b"HTTP/1.1 200"):
                return
    raise AssertionError("no head came in time")


class Peer:
    """A transport whose peer takes what it is told to, and a loop whose time does not pass."""

    def __init__(self):
        self.unsent, self.aborted, self.pauses = 0, False, []

    def get_write_buffer_size(self):
        return self.unsent

    def abort(self):
        self.aborted = True

    def call_later(self, seconds, _work):
        self.pauses.append(seconds)


def looked(unsent, taken=()):
    """At which look a peer is cut off, if at any; ``taken`` are those before which more could be written."""
    peer = Peer()
    line = Connection.__new__(Connection)
    line.transport = line.loop = peer
    line.flow = SimpleNamespace(resume_writing=lambda: None)
    for number, peer.unsent in enumerate(unsent):
        if number in taken:
            line.resume_writing()
        line._look()
        if peer.aborted:
            return number
    assert peer.pauses == [connection.TAKEN_S / connection.LOOKS] * len(unsent)
    return None


def test_a_peer_that_takes_nothing_is_cut_off_after_so_many_looks():
    assert looked([5000] * 9) == connection.LOOKS
    assert looked([0, 0, 5000, 5000, 6000, 6000, 6000]) == 2 + connection.LOOKS, "what is added is not taken"


@pytest.mark.parametrize(
    ("unsent", "taken"),
    [
        ([0] * 20, ()),  # all is taken at once
        ([5000 - number for number in range(20)], ()),  # a byte a look
        ([5000 - number // connection.LOOKS for number in range(20)], ()),  # now and then
        ([5000] * 20, range(0, 20, 3)),  # as much is written as is taken
    ],
)
def test_a_peer_that_takes_something_is_not(unsent, taken):
    assert looked(unsent, taken) is None


def test_a_response_that_nobody_takes_keeps_no_connection(monkeypatch, tmp_path):
    """A file's content that is never read."""
    monkeypatch.setattr(connection, "TAKEN_S", 0.2)
    lost, plain = threading.Event(), Connection.connection_lost

    def connection_lost(self, error):
        plain(self, error)
        lost.set()

    monkeypatch.setattr(Connection, "connection_lost", connection_lost)
    shelf = Shelf(tmp_path / "shelf")
    file = shelf.put("", b'{"custom_id": "7"}\n' * (1 << 20), "in.jsonl", "batch")
    with light(shelf=shelf) as serving, socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", serving.port))
        line.sendall(b"GET /v1/files/%s/content HTTP/1.1\r\nhost: x\r\n\r\n" % file["id"].encode())
        assert lost.wait(PATIENCE_S)
        assert post(serving.line(), OURS, {"inputs": INPUTS})[0] == 200


def test_closing_a_connection_waits_for_its_peer_no_longer(monkeypatch):
    """As for a stream that its caller does not take: what was written before is not taken either."""
    monkeypatch.setattr(connection, "TAKEN_S", 0.2)

    async def nothing(_scope, _receive, _send):
        """An application that nobody asks."""

    async def closed():
        loop, lost = asyncio.get_running_loop(), asyncio.Event()

        class Written(Connection):
            def __init__(self):
                config = uvicorn.Config(nothing, ws="none", lifespan="off", log_config=None)
                super().__init__(config, ServerState(), {})

            def connection_made(self, transport):
                super().connection_made(transport)
                transport.write(b"x" * (64 << 20))
                transport.close()

            def connection_lost(self, error):
                super().connection_lost(error)
                lost.set()

        listening = await loop.create_server(Written, "127.0.0.1", 0)
        with socket.create_connection(listening.sockets[0].getsockname()):
            await asyncio.wait_for(lost.wait(), PATIENCE_S)
        listening.close()

    asyncio.run(closed())
    uvloop = pytest.importorskip("uvloop")
    uvloop.run(closed())
