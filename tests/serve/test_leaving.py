"""Deadlines, and callers that disconnect: work for which nobody waits is cancelled."""

import asyncio
import contextlib
import json
import socket
import threading
import time

import pytest

from proseform import testing
from proseform.serve import exchange, reading
from tests.serve.light import INPUTS, JSON, PROSE, light, post
from tests.waiting import LIMITS, PATIENCE_S

OURS = "/v1/tasks/toy/answer"


class Waiting(testing.ScriptedEngine):
    """An engine whose evaluator waits for an event, and that records a cancelled request."""

    def __init__(self):
        super().__init__(testing.toy_bundle(testing.toy_task()), self._waits)
        self.asked, self.cancelled, self.free = threading.Event(), threading.Event(), threading.Event()

    async def _waits(self, request):
        if request.role == "formatter":
            return JSON
        self.asked.set()
        try:
            while not self.free.is_set():  # noqa: ASYNC110 - set by the test, from another thread
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return PROSE


def begun(port, body, length=None):
    """The connection of a request that was sent."""
    line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    headers = f"host: x\r\ncontent-type: application/json\r\ncontent-length: {length or len(body)}"
    head = f"POST {OURS} HTTP/1.1\r\n{headers}\r\n\r\n"
    line.sendall(head.encode() + body)
    return line


def test_a_caller_that_leaves_cancels_its_chain_down_to_the_engine():
    engine = Waiting()
    with light(engine=engine, concurrency=1, queue=0) as server:
        line = begun(server.port, json.dumps({"inputs": INPUTS}).encode())
        assert engine.asked.wait(PATIENCE_S)
        line.close()
        assert engine.cancelled.wait(PATIENCE_S)
        engine.free.set()
        status, _, answer = post(server.line(), OURS, {"inputs": INPUTS})
        assert status == 200, answer
    assert [request.role for request in engine.requests] == ["evaluator", "evaluator", "formatter"]


def test_a_request_without_a_place_is_turned_away_before_its_body_is_read():
    engine = Waiting()
    with light(engine=engine, concurrency=1, queue=0) as server:
        first = begun(server.port, json.dumps({"inputs": INPUTS}).encode())
        assert engine.asked.wait(PATIENCE_S)
        line = begun(server.port, b'{"inputs"', length=5000)
        answer = line.recv(1000).lower()
        assert answer.startswith(b"http/1.1 503")
        assert b"retry-after: 1" in answer
        assert b"connection: close" in answer, "the rest of the body would be taken for a request"
        line.close()
        engine.free.set()
        first.close()


@pytest.mark.parametrize("path", ["/v1/models/proseform-toy:predict", "/v2/models/proseform-toy/infer"])
def test_a_caller_of_kserves_protocols_may_leave_too(path):
    engine = Waiting()
    tensors = [{"name": name, "shape": [1], "datatype": "BYTES", "data": [text]} for name, text in INPUTS.items()]
    body = json.dumps({"instances": [INPUTS]} if "v1" in path else {"inputs": tensors}).encode()
    with light(engine=engine) as server:
        line = server.line()
        line.request("POST", path, body)
        assert engine.asked.wait(PATIENCE_S)
        line.close()
        assert engine.cancelled.wait(PATIENCE_S)


def test_a_body_that_does_not_come_is_504_at_the_deadline_which_begins_with_the_first_byte():
    with light(timeout_s=0.3) as server:
        line = begun(server.port, b'{"inputs"', length=500)
        assert line.recv(100).startswith(b"HTTP/1.1 504")
        line.close()


def test_a_caller_may_allow_less_time_than_the_server_does():
    engine = Waiting()
    with light(engine=engine) as server:
        line = server.line()
        status, _, answer = post(line, OURS, {"inputs": INPUTS, "timeout_s": 0.05})
        assert (status, answer["error"]["reason"]) == (504, "deadline")
        if engine.asked.is_set():  # on a busy machine time is up before
            assert engine.cancelled.wait(PATIENCE_S)
        engine.free.set()
        assert post(line, OURS, {"inputs": INPUTS})[0] == 200


def form(file: bytes) -> bytes:
    """A form whose parcel is a file."""
    return (
        b'--b\r\nContent-Disposition: form-data; name="parcel"; filename="a.txt"\r\n\r\n' + file + b"\r\n"
        b'--b\r\nContent-Disposition: form-data; name="rule"\r\n\r\nx\r\n--b--\r\n'
    )


FORM = {"content-type": "multipart/form-data; boundary=b"}


def test_a_document_that_takes_long_to_read_is_bounded_too(monkeypatch):
    """Its reader gets the deadline; even where it does not keep it, the caller gets a response in time."""
    release, deadlines = threading.Event(), []

    def slow(*_arguments, deadline):
        deadlines.append(deadline)
        release.wait(PATIENCE_S)

    monkeypatch.setattr(reading.documents, "read_bytes", slow)
    for seconds in LIMITS:
        before = time.monotonic()
        with light(timeout_s=seconds) as server:
            status, _, answer = post(server.line(), OURS, form(b"x"), **FORM)
            assert (status, answer["error"]["reason"]) == (504, "deadline")
            release.set()
        if deadlines:
            break
        release.clear()
    assert before < deadlines[0] <= time.monotonic() + seconds


SLOW = b"a map, 90 g, by slow post"


def test_slow_documents_of_others_keep_nobody_waiting(monkeypatch):
    release, real, begun_to_read = threading.Event(), reading.documents.read_bytes, threading.Semaphore(0)

    def read_bytes(data, *arguments, **options):
        begun_to_read.release()
        if data == SLOW:
            release.wait(PATIENCE_S)
        return real(data, *arguments, **options)

    monkeypatch.setattr(reading.documents, "read_bytes", read_bytes)
    others = reading.documents.SIDE_BY_SIDE - 1
    with light(concurrency=64, queue=64) as server:
        lines = [server.line() for _ in range(others)]
        for line in lines:
            line.request("POST", OURS, form(SLOW), FORM)
            assert begun_to_read.acquire(timeout=PATIENCE_S)
        assert post(server.line(), OURS, form(b"a map, 90 g"), **FORM)[0] == 200
        release.set()
        assert [line.getresponse().status for line in lines] == [200] * others


KIND = {"content-type": "application/json"}


class Slow:
    """Schemas whose compiling ends when the test says so."""

    def __init__(self, monkeypatch):
        self.deadlines, self.begun, self.release = [], threading.Semaphore(0), threading.Event()
        monkeypatch.setattr(reading, "as_schema", self.compiled)

    def compiled(self, _value, deadline=None):
        self.deadlines.append(deadline)
        self.begun.release()
        self.release.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("deadline", "timeout_s", "ends"),
    [
        (None, None, None),  # nothing ends it
        (50.0, None, 50.0),  # the server's alone
        (None, 20.0, 20.0),  # the caller's alone
        (50.0, 20.0, 20.0),  # the caller's is sooner
        (50.0, 80.0, 50.0),  # the server's is sooner
    ],
)
def test_a_schema_is_compiled_until_the_first_deadline_that_is_known(monkeypatch, deadline, timeout_s, ends):
    slow = Slow(monkeypatch)
    slow.release.set()
    body = {"inputs": INPUTS, "schema": {}, **({} if timeout_s is None else {"timeout_s": timeout_s})}

    async def receive():
        return {"type": "http.request", "body": json.dumps(body).encode()}

    async def read():
        asked = exchange.Exchange({"method": "POST", "path": OURS, "headers": []}, receive, 1 << 20)
        await reading.Reader(testing.toy_task()).read(asked, None if deadline is None else asked.began + deadline)
        return asked.began

    began = asyncio.run(read())
    assert slow.deadlines == [None if ends is None else began + ends]


def test_schemas_of_others_keep_no_large_body_waiting(monkeypatch):
    slow = Slow(monkeypatch)
    with light(concurrency=64, queue=64, timeout_s=PATIENCE_S) as serving:
        lines = [serving.line() for _ in range(8)]
        for line in lines:
            line.request("POST", OURS, json.dumps({"inputs": INPUTS, "schema": {"title": "x"}}), KIND)
        for _ in range(4):
            assert slow.begun.acquire(timeout=PATIENCE_S)
        large = {"inputs": INPUTS, "x" * (100 << 10): 1}
        assert post(serving.line(), OURS, large)[0] == 422
        slow.release.set()


def test_what_was_begun_is_answered_before_the_server_ends():
    engine = Waiting()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(light(engine=engine))
        line = begun(server.port, json.dumps({"inputs": INPUTS}).encode())
        assert engine.asked.wait(PATIENCE_S)
        closing = threading.Thread(target=stack.close)
        closing.start()
        engine.free.set()
        assert line.recv(100).startswith(b"HTTP/1.1 200")
        line.close()
        closing.join(PATIENCE_S)
