"""A circuit breaker as a state machine without I/O: whether a backend is asked, from what came of its last calls.

::

    closed ──(enough of the last calls failed)──► open ──(its pause is over)──► half open ──(probe ok)──► closed
                                                    ▲                              │
                                                    └─────────(probe failed)───────┘

Half open, one call at a time is let through. A call says with its permit under which state it began: what comes of
calls that began before the last change is no news, and is passed over. What counts as failed is the caller's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Condition = Literal["closed", "half_open", "open"]
Outcome = Literal["ok", "failed", "silent", "none"]
"""``silent``: nothing came for so long that one such call is enough. ``none``: the call tells nothing, because its
caller has left or the server asked for time."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a breaker opens, and for how long.

    Attributes:
        row: So many failures in a row open it.
        window: How many of the last calls are looked at.
        most: So many failures among them open it too. Many, because a breaker is for a backend that is broken; one that
            fails now and then is for retries.
        open_s: How long nobody is let through, in seconds.
    """

    row: int = 5
    window: int = 10
    most: int = 8
    open_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to call.

    Attributes:
        epoch: The state under which the call began.
        probe: Whether it is the one call of a breaker that is half open.
    """

    epoch: int
    probe: bool


@dataclass(frozen=True, slots=True)
class Breaker:
    """Where a breaker stands; its methods give the next state.

    Attributes:
        rules: When it opens.
        condition: Closed, open or half open.
        failed: Of the last calls, whether they failed; oldest first.
        until: While it is open: when its pause is over, on the caller's clock, in seconds.
        probing: While it is half open: whether its one call is under way.
        epoch: Counts the changes of state.
    """

    rules: Rules = Rules()
    condition: Condition = "closed"
    failed: tuple[bool, ...] = ()
    until: float = 0.0
    probing: bool = False
    epoch: int = 0

    def admits(self, now: float) -> bool:
        """Whether a call would be let through."""
        if self.condition == "open":
            return now >= self.until
        return not self.probing

    def admit(self, now: float) -> tuple[Breaker, Permit | None]:
        """Let a call through, or not."""
        if not self.admits(now):
            return self, None
        if self.condition == "closed":
            return self, Permit(self.epoch, probe=False)
        half = self if self.condition == "half_open" else self._changed("half_open")
        return replace(half, probing=True), Permit(half.epoch, probe=True)

    def settle(self, permit: Permit, outcome: Outcome, now: float) -> Breaker:
        """Take in what came of a call; once a permit."""
        if permit.epoch != self.epoch:
            return self
        if permit.probe:
            match outcome:
                case "ok":
                    return self._changed("closed")
                case "failed" | "silent":
                    return self._changed("open", now + self.rules.open_s)
            return replace(self, probing=False)
        if outcome == "none":
            return self
        failed = (*self.failed, outcome != "ok")[-max(self.rules.row, self.rules.window) :]
        row = len(failed) >= self.rules.row and all(failed[-self.rules.row :])
        if outcome == "silent" or row or sum(failed[-self.rules.window :]) >= self.rules.most:
            return self._changed("open", now + self.rules.open_s)
        return replace(self, failed=failed)

    def _changed(self, condition: Condition, until: float = 0.0) -> Breaker:
        """Another state, which knows of no call yet."""
        return Breaker(self.rules, condition, until=until, epoch=self.epoch + 1)
