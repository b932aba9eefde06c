"""Routing between bundles in one process, by weights as in an HTTPRoute; bundles and weights may change meanwhile.

Smooth weighted round-robin (nginx, ``ngx_http_upstream_round_robin.c``): of as many choices as the sum of the weights,
each bundle gets exactly its weight, evenly spread. No randomness.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from proseform.errors import ConfigError
from proseform.infer import Engine
from proseform.serve.faults import NotFoundError


@dataclass(frozen=True, slots=True)
class Weighted:
    """An engine and its share.

    Attributes:
        engine: Runs one bundle.
        weight: ≥ 0; its share is weight / sum of weights. 0 gets no traffic.
        alias: By which it was asked for; empty where it was not by an alias.
    """

    engine: Engine
    weight: int = 1
    alias: str = ""


class Router:
    """Chooses engines by their weights. Thread-safe.

    Args:
        engines: At least one, of which at least one has a weight above 0.

    Attributes:
        engines: What is chosen among.

    Raises:
        ConfigError: No engine, a negative weight, or nothing but zeros.

    >>> router = Router([Weighted("a", 2), Weighted("b", 1)])
    >>> [router.choose() for _ in range(6)]
    ['a', 'b', 'a', 'a', 'b', 'a']
    """

    def __init__(self, engines: Sequence[Weighted]) -> None:
        self._lock = threading.Lock()
        self.use(engines)

    @property
    def only(self) -> str:
        """The digest of the bundle that has all traffic; empty where several share it."""
        digests = {weighted.engine.bundle.digest for weighted in self.engines if weighted.weight}
        return digests.pop() if len(digests) == 1 else ""

    def use(self, engines: Sequence[Weighted]) -> None:
        """Choose among these from now on; raises as the constructor."""
        weights = [weighted.weight for weighted in engines]
        if min(weights, default=0) < 0 or sum(weights) <= 0:
            raise ConfigError(
                f"The weights of the bundles are {weights}.", hint="Give at least one above 0, none below."
            )
        with self._lock:
            self.engines = tuple(engines)
            self._credit = [0] * len(engines)

    def weigh(self, weights: Mapping[str, int]) -> None:
        """Give bundles other weights; those that are not named keep theirs.

        Args:
            weights: Alias or digest to weight, ≥ 0.

        Raises:
            NotFoundError: No such alias or bundle here.
            ConfigError: Nothing but zeros would be left.
        """
        known = {name for weighted in self.engines for name in _names(weighted)}
        if strange := sorted(weights.keys() - known):
            raise NotFoundError(f"No bundle {strange[0]!r:.80} here.", hint=f"There are {', '.join(sorted(known))}.")

        def weighed(weighted: Weighted) -> Weighted:
            named = [weights[name] for name in _names(weighted) if name in weights]
            return replace(weighted, weight=named[0]) if named else weighted

        self.use([weighed(weighted) for weighted in self.engines])

    def choose(self, bundle: str = "") -> Engine:
        """The next engine, or one that runs this bundle, whatever its weight.

        Args:
            bundle: A digest; empty takes the next engine by weight.

        Raises:
            NotFoundError: No such bundle here.
        """
        if bundle:
            return self._running(bundle)
        with self._lock:
            for index, weighted in enumerate(self.engines):
                self._credit[index] += weighted.weight
            best = max(range(len(self._credit)), key=self._credit.__getitem__)
            self._credit[best] -= sum(weighted.weight for weighted in self.engines)
            return self.engines[best].engine

    def _running(self, bundle: str) -> Engine:
        """The first engine that runs a bundle."""
        engines = self.engines
        known = [weighted.engine.bundle.digest for weighted in engines]
        if bundle not in known:
            raise NotFoundError(f"No bundle {bundle!r:.80} here.", hint=f"There are {', '.join(known)}.")
        return engines[known.index(bundle)].engine


def _names(weighted: Weighted) -> tuple[str, ...]:
    """What a bundle may be called by: its alias before its digest."""
    return tuple(filter(None, (weighted.alias, weighted.engine.bundle.digest)))
