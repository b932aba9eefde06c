"""Heads and bodies come in time and within bounds; no page of another origin is let in."""

import asyncio
import logging
import socket

import pytest

from proseform.serve import connection, exchange, logs
from proseform.serve.faults import SlowError
from proseform.serve.guard import HEAD_BYTES
from tests.serve.light import INPUTS, light, post
from tests.waiting import PATIENCE_S

OURS = "/v1/tasks/toy/answer"


def sent(port, data):
    """A connection on which so much was sent."""
    line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    line.sendall(data)
    return line


def reply(line):
    """All that comes until the server closes the connection."""
    received = b""
    while chunk := line.recv(4096):
        received += chunk
    line.close()
    return received


def told(answer, caplog):
    """The line in the log of a response without a body."""
    number = dict(line.split(": ") for line in answer.decode().splitlines()[1:-1])["x-request-id"]
    (facts,) = [
        one.msg.facts for one in caplog.records if isinstance(one.msg, logs.Line) and one.msg.facts["id"] == number
    ]
    return facts


def test_a_head_that_does_not_end_is_cut(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "proseform")
    with light() as server:
        with monkeypatch.context() as hasty:
            hasty.setattr(connection, "HEAD_S", 0.05)
            answer = reply(sent(server.port, b"POST / HTTP/1.1\r\nhost: x\r\n"))
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert (told(answer, caplog)["status"], told(answer, caplog)["reason"]) == (408, "slow")
        assert post(server.line(), OURS, {"inputs": INPUTS})[0] == 200


def test_a_head_without_bounds_is_cut(caplog):
    caplog.set_level(logging.INFO, "proseform")
    with light() as server:
        line = sent(server.port, b"POST / HTTP/1.1\r\n")
        for _ in range(HEAD_BYTES // 1000 + 2):
            try:
                line.sendall(b"x: " + b"y" * 995 + b"\r\n")
            except OSError:  # it was cut already
                break
        answer = line.recv(4096)
        line.close()
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert told(answer, caplog)["reason"] == "head"


def test_a_head_that_came_at_once_has_bounds_too():
    with light() as server:
        status, _, answer = post(server.line(), OURS, {"inputs": INPUTS}, **{"x-long": "y" * (HEAD_BYTES + 1)})
        assert (status, answer["error"]["reason"]) == (431, "head")


def test_a_body_that_drips_is_cut_long_before_the_deadline(monkeypatch):
    with light(timeout_s=PATIENCE_S) as server:
        head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n" % OURS.encode()
        with monkeypatch.context() as hasty:
            hasty.setattr(exchange, "BODY_S", 0.05)
            answer = reply(sent(server.port, head + b'{"inputs"'))
        assert answer.startswith(b"HTTP/1.1 408")
        assert b'"slow"' in answer
        assert b"connection: close" in answer
        assert post(server.line(), OURS, {"inputs": INPUTS})[0] == 200


def test_what_has_come_of_a_body_buys_it_time(monkeypatch):
    """It is judged by its rate, not by its length: without what has come there would be no time left here."""
    monkeypatch.setattr(exchange, "BODY_S", 0.0)
    chunks = [b"x" * 64 * exchange.LEAST_BYTES_S, b"y"]

    async def receive():
        if len(chunks) == 1:
            await asyncio.sleep(0.01)
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def whole(body):
        scope = {"method": "POST", "path": "/", "headers": []}
        return len(await exchange.Exchange(scope, body, 1 << 30).body())

    async def never():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x"}

    assert asyncio.run(whole(receive)) == 64 * exchange.LEAST_BYTES_S + 1
    with pytest.raises(SlowError):
        asyncio.run(whole(never))


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_no_page_of_another_origin_is_let_in(method):
    asked = {"origin": "https://far.test", "access-control-request-method": "POST"}
    with light() as server:
        line = server.line()
        line.request(method, OURS, "{}", asked)
        response = line.getresponse()
        response.read()
        assert response.status == (405 if method == "OPTIONS" else 422)
        assert not [name for name in response.headers if name.lower().startswith("access-control")]
