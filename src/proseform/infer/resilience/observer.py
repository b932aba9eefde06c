"""What metrics are told about calls, caches and texts; without metrics nobody listens."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from proseform.bundle import Role
from proseform.infer import Completion
from proseform.infer.resilience.breaker import Condition

Why = Literal["first", "retry", "slow", "hedge", "probe"]
"""Why a call was made: the first of a request, again, beside one that is slow, beside one that may become slow, or as
the probe of a breaker."""
Ended = Literal["ok", "invalid", "refused", "busy", "error", "timeout", "reset", "malformed", "cancelled"]
"""What came of a call: a completion, one that its schema does not allow, a refusal of the request, HTTP 429, another
status, no answer in time, a connection that broke, a 200 that is no completion, or a caller that has left."""

Cached = Literal["hit", "miss", "stored", "evicted", "shared_hit", "shared_stored", "shared_invalid", "shared_away"]
"""What came of keeping an evaluation in this process, or at the server that replicas share: there, one that cannot be
opened is invalid, and a server that does not answer in time is away."""


class Observer:
    """Is told what happens, and does nothing; metrics override what they count."""

    def called(self, role: Role, backend: str, why: Why, ended: Ended, seconds: float) -> None:
        """A call has ended, after so many seconds."""

    def slow(self, role: Role, backend: str) -> None:
        """A call counts as slow."""

    def denied(self, role: Role) -> None:
        """A retry was not made: there was no budget for it."""

    def breaker(self, role: Role, backend: str, condition: Condition) -> None:
        """A breaker stands so from now on."""

    def judged(self, role: Role, completion: Completion, *, accepted: bool) -> None:
        """A completion was verified."""

    def cached(self, outcome: Cached) -> None:
        """Prose was looked up, kept, or made room for others."""


@runtime_checkable
class Observed(Protocol):
    """What tells an observer."""

    def observe(self, observer: Observer) -> None:
        """Tell this one from now on."""
