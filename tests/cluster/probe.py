"""Questions to a part of the cluster: does it answer over HTTP, does it know a name.

And a question asked until something comes.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any


def answers(url: str, *, authority: Path | None = None, token: str = "") -> bool:
    """Whether an address answers 200.

    Args:
        url: Over https without an authority, whatever certificate it shows is taken: these are ports of this machine.
        authority: The certificate to hold the server to.
        token: The bearer's.
    """
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context(cafile=str(authority)) if authority else ssl._create_unverified_context()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with suppress(OSError), urllib.request.urlopen(request, timeout=3, context=context) as answer:
        return bool(answer.status == 200)
    return False


def resolves(name: str, server: str, timeout_s: float = 1.0) -> bool:
    """Whether a name server has an IPv4 address for a name.

    Source: RFC 1035, section 4: a header of 12 bytes, then the question as labels with their lengths, type A, class IN.
    """
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(timeout_s)
        asking.sendto(query, (server, 53))
        _, flags, _, answers, _, _ = struct.unpack("!6H", asking.recv(512)[:12])
        return flags & 15 == 0 and answers > 0
    return False


def eventually(ask: Callable[[], Any], seconds: float = 60) -> Any:
    """The first answer that is true, asked for five times a second.

    Raises:
        AssertionError: There was none in so many seconds.
    """
    until = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < until, f"nothing came in {seconds} s"
        time.sleep(0.2)
    return answer
