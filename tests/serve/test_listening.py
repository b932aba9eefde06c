"""The socket that a server listens on: IPv4, IPv6, or both."""

from __future__ import annotations

import socket

import pytest

from proseform.errors import ConfigError
from proseform.serve import server
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
