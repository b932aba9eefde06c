"""How many calls may be made again: a share of a backend's first calls, so that retries do not feed an outage.

A token bucket over calls, not over time (Finagle's RetryBudget has the same rule): where a whole backend fails, its
load grows by the share at most, whatever the number of attempts that a caller allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class RetryBudget:
    """The budget of one backend: at all times, retries ≤ ``reserve`` + ``share`` * first calls.

    Attributes:
        share: Retries that each first call pays for.
        reserve: Retries that may be saved up, and those at the beginning: where hardly anybody calls, ten percent of
            the calls is no call.
        tokens: Retries that may be made now, in [0, reserve].
    """

    share: float = 0.1
    reserve: float = 10.0
    tokens: float = field(default=-1.0)

    def __post_init__(self) -> None:
        if self.tokens < 0:
            self.tokens = self.reserve

    def called(self) -> None:
        """A first call was made."""
        self.tokens = min(self.reserve, self.tokens + self.share)

    def spend(self) -> bool:
        """Take a token for a retry; False where there is none."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
