"""What the two sides of a confined process write to each other: lengths, then JSON, then bytes."""

from __future__ import annotations

import struct
from typing import Literal

Cause = Literal["time", "memory", "crash", "deadline"]

REQUEST = struct.Struct(">QQ")
"""Length of the argument and of the bytes, which follow."""

REPLY = struct.Struct(">Q")
"""Length of the outcome, which follows."""


class Exceeded(Exception):  # noqa: N818 - a result of the call, turned into an error of the domain by whoever called
    """A call was stopped.

    Attributes:
        cause: ``time`` or ``memory`` (its limit), ``crash`` (the process ended itself, for want of memory or by a
            fault), or ``deadline`` (the caller's).
    """

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause: Cause = cause
