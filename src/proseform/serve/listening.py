"""Addresses to listen on."""

from __future__ import annotations

import socket

from proseform.errors import ConfigError

_BACKLOG = 2048


def address(host: str, port: int) -> str:
    """The URL of a server.

    >>> address("127.0.0.1", 8080), address("::1", 8080), address("[::1]", 8080)
    ('http://127.0.0.1:8080/', 'http://[::1]:8080/', 'http://[::1]:8080/')
    """
    return f"http://{authority(host, port)}/"


def authority(host: str, port: int) -> str:
    """Host and port as one text; an IPv6 address gets brackets where it has none."""
    bare = host.removeprefix("[").removesuffix("]")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def unusable(host: str, option: str, port: int, why: str = "") -> ConfigError:
    """The error where nothing can listen at an address.

    Args:
        host: Address.
        option: By which the port was given.
        port: TCP port.
        why: The system's reason; empty where it is not known.
    """
    return ConfigError(
        f"--host {host} {option} {port}: nothing can listen there{f' ({why})' if why else ''}.",
        hint="Is the port taken, or the address another machine's?",
    )


def listening(host: str, port: int, option: str = "--port") -> socket.socket:
    """A listening socket; ``::`` accepts IPv4 too, which asyncio's own would not.

    Args:
        host: Address.
        port: TCP port; 0 takes a free one.
        option: By which the port was given, for errors.

    Raises:
        ConfigError: The address cannot be listened on; with the system's reason.
    """
    address = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    both = address == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((address, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise unusable(host, option, port, error.strerror or str(error)) from error
