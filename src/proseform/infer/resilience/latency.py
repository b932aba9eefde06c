"""How long calls take: the last of them, their quantiles, and from when on a call counts as slow."""

from __future__ import annotations

import math
from collections import deque

LEAST = 20
"""So many calls are known before anything follows from them."""
_KEPT = 200
_TIMES = 8.0
_FLOOR_S = 0.5


class Latency:
    """Durations of the last successful calls."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_KEPT)

    def add(self, seconds: float) -> None:
        """One more call."""
        self._seconds.append(seconds)

    def quantile(self, share: float) -> float | None:
        """Seconds within which that share of calls ended (nearest rank); None below :data:`LEAST` calls.

        >>> latency = Latency()
        >>> for tenths in range(1, 21): latency.add(tenths / 10)
        >>> latency.quantile(0.95), Latency().quantile(0.5)
        (1.9, None)
        """
        if len(self._seconds) < LEAST:
            return None
        return sorted(self._seconds)[max(0, math.ceil(share * len(self._seconds)) - 1)]


def slow_after(peers: Latency, most_s: float) -> float:
    """Seconds from which on a call is slow beside those of other replicas; ``most_s`` where too few are known.

    A multiple of the median: one replica of three that is slow moves a high quantile, and not the median; an overload,
    which slows all down, moves the median.
    """
    median = peers.quantile(0.5)
    return most_s if median is None else min(most_s, max(_FLOOR_S, _TIMES * median))
