"""The replicas of a role, and which of them gets a call: the least loaded one whose breaker lets it through.

Where that is asked for, one that has read the beginning of the call's prompt and is hardly busier comes before it
(:mod:`proseform.infer.resilience.homes`).

Left out: weights, and replicas that come and go (a Service has both).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from proseform.bundle import Role
from proseform.errors import EngineError
from proseform.infer import Completion, OnText, Request
from proseform.infer.resilience.backoff import Backoff
from proseform.infer.resilience.homes import Homes
from proseform.infer.resilience.latency import Latency, slow_after
from proseform.infer.resilience.observer import Ended, Observer, Why
from proseform.infer.resilience.replica import Replica, Server
from proseform.infer.spans import Span
from proseform.prompt import Rendered

Send = Callable[[str, Request, OnText | None], Awaitable[Completion]]
"""Asks the server of a URL once."""
Traced = Callable[[str, Request, Why], AbstractContextManager[Span]]
"""The span of a call to the server of a URL, and why it is made."""


_ROW = 5
"""So many texts in a row tell of a replica."""
_BUSIER, _MORE = 1.25, 1
"""A replica that has read the beginning of a prompt is asked up to this multiple of the least load and so many more."""


class PassingError(EngineError):
    """A call failed in a way that may pass.

    Args:
        ended: How.
        message: For whoever gives up.
        hint: As for every error.
        asked_s: What the server asked for (``Retry-After``), in seconds.
    """

    def __init__(self, ended: Ended, message: str, *, hint: str = "", asked_s: float | None = None) -> None:
        super().__init__(message, hint=hint, retry_after_s=asked_s)
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Rules:
    """How a pool behaves.

    Attributes:
        attempts: How often one request is sent, or held back by breakers, at most.
        slow_s: From when on a call is slow in any case, in seconds.
        hedge: Whether a second replica is asked before a call is slow.
        backoff: The pauses.
        prefixes: Whether a call goes where the beginning of its prompt was read last, unless that is much busier.
    """

    attempts: int = 5
    slow_s: float = 120.0
    hedge: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    prefixes: bool = False


class Pool:
    """The replicas of one role.

    Args:
        role: The role.
        servers: At least one.
        rules: How it behaves.
        send: Asks a server once. It raises a :class:`PassingError` where asking again can help.
        observer: Is told what happens.
        draw: Gives random numbers in [0, 1), for the pauses.
        traced: Gives the span of a call; None records none.
    """

    def __init__(
        self,
        role: Role,
        servers: Sequence[Server],
        rules: Rules,
        send: Send,
        observer: Observer,
        draw: Callable[[], float] = random.random,
        traced: Traced | None = None,
    ) -> None:
        self.role = role
        self.replicas = [Replica(server, role, observer) for server in servers]
        self.rules = rules
        self.send = send
        self.observer = observer
        self.draw = draw
        self.traced = traced or _untraced
        self.latency = Latency()
        self._turns = 0
        self._homes = Homes() if rules.prefixes else None

    def choose(
        self, now: float, passed: Sequence[str], *, probes: bool, paid: bool = False, prompt: Rendered | None = None
    ) -> Replica | None:
        """The replica to ask, or None.

        Args:
            now: On the event loop's clock.
            passed: Names of replicas to pass over where there are others.
            probes: Whether a breaker whose pause is over comes first instead of last: somebody's call has to be the
                probe, or no breaker closes while others are.
            paid: Whether the call costs a token of the replica's budget: those that have one come first.
            prompt: What is asked; None has no beginning that a replica could have read.
        """
        ready = [replica for replica in self.replicas if replica.open(now)]
        home = self._homes.of(prompt) if self._homes is not None and prompt is not None else ""
        bearable = _BUSIER * min((replica.server.load for replica in ready), default=0) + _MORE if home else 0.0

        def rank(replica: Replica) -> tuple[bool, bool, bool, bool, bool, int, int]:
            closed, poor = replica.breaker.condition == "closed", paid and replica.budget.tokens < 1
            away = replica.name != home or replica.server.load > bearable
            return closed and probes, poor, not closed, replica.name in passed, away, replica.server.load, replica.turn

        return min(ready, key=rank) if ready else None

    def begun(self, replica: Replica, prompt: Rendered) -> None:
        """A call has begun: the next one goes to another of those that are equally loaded."""
        self._turns += 1
        replica.turn = self._turns
        if self._homes is not None:
            self._homes.read(prompt, replica.name)

    def likely(self) -> str:
        """The URL of a server that answers, as far as is known: for what needs no permit."""
        best = self.choose(now(), (), probes=False)
        return (best or self.replicas[0]).server.root

    def observe(self, observer: Observer) -> None:
        """Tell this observer from now on, and how the breakers stand."""
        self.observer = observer
        for replica in self.replicas:
            replica.observer = observer
            observer.breaker(self.role, replica.name, replica.breaker.condition)

    def slow_s(self) -> float:
        """From when on a call is slow, in seconds: alone there is nothing beside which it could be."""
        return self.rules.slow_s if len(self.replicas) == 1 else slow_after(self.latency, self.rules.slow_s)

    def outlier(self, replica: Replica) -> bool:
        """Whether texts of a replica are not accepted while those of others are.

        The models are the same, so it is the server that cuts or alters them. Where no replica's texts are accepted,
        the model is weak or the cases are hard, and no breaker helps.
        """
        others = [one for other in self.replicas if other is not replica for one in other.rejected]
        row = list(replica.rejected)[-_ROW:]
        return len(others) >= _ROW and 2 * sum(others) < len(others) and row == [True] * _ROW

    def dispensable(self) -> bool:
        """Whether at least half of the replicas stay closed without one that is merely slow.

        Else an overload, in which every call is slow, would open every breaker.
        """
        closed = sum(replica.breaker.condition == "closed" for replica in self.replicas)
        return len(self.replicas) == 1 or 2 * (closed - 1) >= len(self.replicas)


def _untraced(_root: str, _request: Request, _why: Why) -> AbstractContextManager[Span]:
    """No span."""
    return nullcontext(Span())


def now() -> float:
    """The event loop's clock, in seconds; that of :func:`time.monotonic`, except under a test's virtual clock."""
    return asyncio.get_running_loop().time()
