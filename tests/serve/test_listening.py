"""The socket that a server listens on: IPv4, IPv6, or both."""

from __future__ import annotations

import gc
import socket

import pytest

from proseform import testing
from proseform.errors import ConfigError
from proseform.serve import server
from proseform.serve.router import Weighted
from tests.waiting import PATIENCE_S


def connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture
def ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")


def test_ipv4_alone_is_the_default() -> None:
    with server.listening("127.0.0.1", 0) as listens:
        assert connects("127.0.0.1", listens.getsockname()[1])


@pytest.mark.parametrize("host", ["::", "[::]"])
def test_all_of_ipv6_takes_ipv4_too(ipv6: None, host: str) -> None:
    """asyncio's own servers would not: a dual-stack cluster may ask by either."""
    with server.listening(host, 0) as listens:
        port = listens.getsockname()[1]
        assert connects("::1", port)
        assert connects("127.0.0.1", port)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_one_address_of_ipv6_is_that_address(ipv6: None, host: str) -> None:
    with server.listening(host, 0) as listens:
        port = listens.getsockname()[1]
        assert connects("::1", port)
        assert not connects("127.0.0.1", port)


def test_a_port_that_is_taken_is_told_in_words() -> None:
    with server.listening("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match="nothing can listen there"):
        server.listening("127.0.0.1", taken.getsockname()[1])


def test_a_server_looks_for_garbage_among_what_came_after_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it loaded stays to its end: while it is searched, nobody is answered."""
    seen: list[tuple[int, int]] = []

    class Running:
        def run(self, sockets: list[socket.socket]) -> None:
            seen.append((gc.get_freeze_count(), gc.get_threshold()[0]))
            sockets[0].close()

    monkeypatch.setattr(server, "uvicorn_server", lambda *_: Running())
    before, task = gc.get_threshold(), testing.toy_task()
    engine = testing.ScriptedEngine(testing.toy_bundle(task), [])
    try:
        server.run([Weighted(engine)], task, port=0)
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    ((frozen, young),) = seen
    assert frozen > 1000
    assert young > before[0]
