"""How long to wait before a call is made again: doubling, with full jitter, and no less than the server asked for.

Full jitter draws from the whole interval, which spreads callers that failed together furthest (Marc Brooker,
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015). Pure: the random number is given.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """The policy.

    Attributes:
        first_s: The longest first pause, in seconds; each further one may be twice as long.
        longest_s: The longest pause that is drawn, in seconds.

    >>> [Backoff().pause(retry, 1.0) for retry in range(5)]
    [1.0, 2.0, 4.0, 8.0, 8.0]
    >>> Backoff().pause(1, 0.25, asked_s=3.0)
    3.0
    """

    first_s: float = 1.0
    longest_s: float = 8.0

    def pause(self, retry: int, drawn: float, asked_s: float = 0.0) -> float:
        """Seconds to wait.

        Args:
            retry: Which retry this is, from 0.
            drawn: A random number in [0, 1].
            asked_s: What the server asked for (``Retry-After``), in seconds.
        """
        return max(asked_s, drawn * min(self.first_s * 2.0 ** min(retry, 60), self.longest_s))
