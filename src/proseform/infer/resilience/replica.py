"""One server as one role uses it: its breaker, its budget, its latency, and how busy it is."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from proseform.bundle import Role
from proseform.infer.resilience.breaker import Breaker, Outcome, Permit
from proseform.infer.resilience.budget import RetryBudget
from proseform.infer.resilience.latency import Latency
from proseform.infer.resilience.observer import Observer


class Server:
    """A server, which several roles may share.

    Attributes:
        root: Its URL, without ``/v1``.
        load: Calls that it has, or that wait for one of its places.

    Args:
        root: As the attribute.
        places: Calls that it may have at once.
    """

    def __init__(self, root: str, places: int) -> None:
        self.root = root
        self.load = 0
        self._places = places
        self._free: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None

    @property
    def full(self) -> bool:
        """Whether a further call would wait."""
        return self.load >= self._places

    async def enter(self) -> None:
        """Wait for a place."""
        self.load += 1
        try:
            await self._semaphore().acquire()
        except BaseException:
            self.load -= 1
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.load -= 1
        self._semaphore().release()

    def _semaphore(self) -> asyncio.Semaphore:
        """The places, for this event loop."""
        loop = asyncio.get_running_loop()
        if self._free is None or self._free[0] is not loop:
            self._free = loop, asyncio.Semaphore(self._places)
        return self._free[1]


@dataclass(slots=True)
class Replica:
    """A backend: a server in one role.

    Attributes:
        server: The server.
        role: The role.
        observer: Is told of the breaker.
        breaker: Whether it is asked.
        budget: How many calls it may get again.
        latency: Of its successful calls.
        resting: Until when it asked not to be called (``Retry-After``), on the event loop's clock, in seconds.
        turn: When it was chosen last, as a serial number.
        lived: When a call last succeeded, on the event loop's clock, in seconds.
        rejected: Of the last texts, whether they were not accepted.
    """

    server: Server
    role: Role
    observer: Observer
    breaker: Breaker = field(default_factory=Breaker)
    budget: RetryBudget = field(default_factory=RetryBudget)
    latency: Latency = field(default_factory=Latency)
    resting: float = 0.0
    turn: int = 0
    lived: float = -1.0
    rejected: deque[bool] = field(default_factory=lambda: deque(maxlen=10))

    @property
    def name(self) -> str:
        """In metrics and answers: the server's host and port, and a path that it may have."""
        return self.server.root.partition("://")[2]

    def open(self, now: float) -> bool:
        """Whether a call may be made now."""
        return now >= self.resting and self.breaker.admits(now)

    def opens(self, now: float) -> float:
        """When to look again, while no call may be made: a probe that is under way is given the pause of a breaker."""
        half = now + self.breaker.rules.open_s
        waits = {"open": self.breaker.until, "half_open": half, "closed": now}[self.breaker.condition]
        return max(waits, self.resting)

    def admit(self, now: float) -> Permit | None:
        """Leave to call, if a call may be made."""
        if not self.open(now):
            return None
        breaker, permit = self.breaker.admit(now)
        self._turned(breaker)
        return permit

    def settle(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Take in what came of a call."""
        self._turned(self.breaker.settle(permit, outcome, now))

    def _turned(self, breaker: Breaker) -> None:
        """The breaker's next state."""
        changed = breaker.condition != self.breaker.condition
        self.breaker = breaker
        if changed:
            self.observer.breaker(self.role, self.name, breaker.condition)
