"""The calls of one request: the first, another after one that failed, and another beside one that is slow.

A call that fails is made again: at a replica that has not failed this request at once, else after a pause, and always
within the deadline, the number of attempts, and the budget of the replica that would get it. (A pause is for a server
that may be overloaded; another server is not.) The failed probe of a breaker costs no budget: probes are one a second.
A call that is slow beside those of other replicas is not ended: a second replica is asked beside it, and the first
accepted answer wins; the other call is cancelled. Hedging does the same from the backend's 95th percentile on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from proseform.errors import EngineError, ProseformError
from proseform.infer import Completion, OnText, Request, genai, late
from proseform.infer.resilience.breaker import Outcome, Permit
from proseform.infer.resilience.observer import Ended, Why
from proseform.infer.resilience.pool import PassingError, Pool, now
from proseform.infer.resilience.replica import Replica
from proseform.infer.spans import Span

_HEDGED = 0.95
_OUTCOMES: dict[Ended, Outcome] = {"ok": "ok", "refused": "ok", "busy": "none", "cancelled": "none"}
"""What a breaker makes of a call's end; any other is a failure. A server that refuses a request is there."""
_LONGEST_REST_S = 60.0
"""What a server asks for beyond this, in seconds, is taken for a mistake: it may be back before."""


async def complete(pool: Pool, request: Request, on_text: OnText | None = None) -> Completion:
    """One completion of a pool; see :meth:`proseform.infer.Engine.complete`. The caller bounds it by the deadline.

    A completion that ``request.accepts`` refuses is given where no other call is under way: whoever asked judges it.

    Raises:
        EngineError: No call came to an end, or none was let through; with when to try again.
        Refusal: The deadline would pass during a pause.
        ProseformError: A server has refused the request.
    """
    return await _Calls(pool, request, on_text).run()


@dataclass(slots=True, eq=False)
class _Call:
    """A call that is under way, or has ended.

    Attributes:
        replica: Who was asked.
        permit: The breaker's.
        why: Why it was made.
        began: On the event loop's clock.
        slow_s: From when on it is slow, and then when another call beside it is considered again, in seconds.
        hedge_s: When a second replica is asked beside it, in seconds; None is never.
        late: Whether it was found to be slow.
        settled: Whether the breaker knows what came of it.
    """

    replica: Replica
    permit: Permit
    why: Why
    began: float
    slow_s: float
    hedge_s: float | None
    late: bool = False
    settled: bool = False

    def settle(self, outcome: Outcome) -> None:
        """Tell the breaker, once."""
        if not self.settled:
            self.settled = True
            self.replica.settle(self.permit, outcome, now())

    def over(self) -> None:
        """Give the place back; whoever was cancelled tells the breaker nothing."""
        self.replica.server.leave()
        self.settle("none")

    def due(self) -> float:
        """When something is to be done about it while it goes on."""
        return self.began + min(self.slow_s, self.slow_s if self.hedge_s is None else self.hedge_s)


class _Calls:
    """The calls of one request."""

    def __init__(self, pool: Pool, request: Request, on_text: OnText | None) -> None:
        self._pool = pool
        self._request = request
        self._on_text = on_text
        self._running: dict[asyncio.Task[Completion], _Call] = {}
        self._passed: list[str] = []
        self._calls = self._held = self._pauses = 0
        self._rested = self._shown = self._probed = self._denied = False
        self._error: EngineError | None = None
        self._spare: Completion | None = None

    async def run(self) -> Completion:
        """Call until a completion is accepted, or nothing more can be done."""
        try:
            while True:
                if not self._running:
                    await self._next()
                completion = await self._ended()
                if completion is not None:
                    return completion
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _next(self) -> None:
        """Begin the first call, or another after one that failed."""
        while self._calls + self._held < self._pool.rules.attempts:
            probes = not self._calls and self._on_text is None
            paid = bool(self._calls) and not self._probed
            passed = (*self._request.avoid, *self._passed)
            replica = self._pool.choose(now(), passed, probes=probes, paid=paid, prompt=self._request.prompt)
            if replica is None:
                self._held += 1
            elif self._rested or replica.name not in self._passed:
                if await self._entered(replica):
                    return
                continue
            await self._pause()
        raise self._given_up()

    async def _entered(self, replica: Replica) -> bool:
        """Begin a call once the server has a place for it; False where its breaker has let somebody else through.

        Raises:
            EngineError: It would be a retry for which there is no budget.
        """
        await replica.server.enter()
        permit = replica.admit(now())
        if permit is None:
            replica.server.leave()
            return False
        if not self._calls:
            replica.budget.called()
        elif not (self._probed or replica.budget.spend()):
            replica.settle(permit, "none", now())
            replica.server.leave()
            self._pool.observer.denied(self._pool.role)
            raise self._given_up()
        self._begin(replica, permit, "probe" if permit.probe else "retry" if self._calls else "first")
        return True

    def _begin(self, replica: Replica, permit: Permit, why: Why) -> None:
        """A call as a task; the server has a place for it."""
        self._pool.begun(replica, self._request.prompt)
        hedged = self._pool.rules.hedge and not self._calls and self._on_text is None
        hedge_s = replica.latency.quantile(_HEDGED) if hedged else None
        call = _Call(replica, permit, why, now(), self._pool.slow_s(), hedge_s)
        task = asyncio.create_task(self._sent(call))
        task.add_done_callback(lambda _task: call.over())  # a task that is cancelled before it began runs no finally
        self._running[task] = call
        self._calls += 1

    async def _sent(self, call: _Call) -> Completion:
        """One call in its span, and how it ended there."""
        with self._pool.traced(call.replica.server.root, self._request, call.why) as span:
            return await self._asked(call, span)

    async def _asked(self, call: _Call, span: Span) -> Completion:
        """One call, and what its end says of the backend."""
        ended: Ended = "cancelled"
        blamed, replica, pool = False, call.replica, self._pool
        try:
            completion = await pool.send(replica.server.root, self._request, self._show if self._on_text else None)
            ended = "ok" if _accepted(self._request, completion) else "invalid"
            blamed = self._request.blames and completion.constrained and completion.finish == "stop"
            span.set(genai.given(completion))
        except PassingError as error:
            ended = error.ended
            span.failed(ended)
            if error.retry_after_s is not None:
                replica.resting = now() + min(error.retry_after_s, _LONGEST_REST_S)
            raise
        except ProseformError:
            ended = "refused"
            raise
        else:
            return replace(completion, backend=replica.name)
        finally:
            span.set({"proseform.ended": ended})
            seconds = now() - call.began
            if ended == "ok":
                replica.lived = now()
                replica.latency.add(seconds)
                pool.latency.add(seconds)
            if ended in ("ok", "invalid"):
                replica.rejected.append(ended == "invalid")
            outlier = pool.outlier(replica) and (call.permit.probe or pool.dispensable())
            innocent = ended == "invalid" and not blamed and not outlier
            call.settle("ok" if innocent else _OUTCOMES.get(ended, "silent" if outlier else "failed"))
            pool.observer.called(pool.role, replica.name, call.why, ended, seconds)

    async def _ended(self) -> Completion | None:
        """Wait until a call has ended, or one more is due beside it; gives what is accepted."""
        left_s = max(0.0, min(call.due() for call in self._running.values()) - now())
        done, _ = await asyncio.wait(self._running, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            await self._beside()
        for task in done:
            call = self._running.pop(task)
            try:
                completion = task.result()
            except PassingError as error:
                self._failed(call, error)
                continue
            if _accepted(self._request, completion):
                return completion
            self._spare = completion
        return None if self._running else self._spare

    def _failed(self, call: _Call, error: PassingError) -> None:
        """Remember what failed; what was shown cannot be begun again."""
        self._error = error
        self._passed.append(call.replica.name)
        self._rested = False
        self._probed = call.why == "probe"
        for other in self._running.values():
            if other.late:
                other.slow_s = now() - other.began  # another call beside it, at once
        if self._shown:
            raise self._given_up()

    async def _beside(self) -> None:
        """Ask a second replica beside a call that is slow, or may become so."""
        for call in list(self._running.values()):
            if call.due() > now():
                continue
            if call.hedge_s is not None and call.hedge_s < call.slow_s:
                call.hedge_s = None
                await self._second("hedge")
                continue
            call.slow_s = now() - call.began + self._pool.slow_s()
            if not call.late:
                call.late = True
                self._pool.observer.slow(self._pool.role, call.replica.name)
                if call.permit.probe or self._pool.dispensable():
                    silent = call.replica.lived < call.began and len(self._pool.replicas) > 1
                    call.settle("silent" if silent else "failed")
            await self._second("slow")

    async def _second(self, why: Why) -> None:
        """Another replica beside the one that is asked, if one is free and the budget allows it."""
        if self._on_text is not None or len(self._running) > 1 or self._calls >= self._pool.rules.attempts:
            return
        asked = [call.replica.name for call in self._running.values()]
        replica = self._pool.choose(now(), (*asked, *self._passed), probes=False, paid=True)
        if replica is None or replica.name in asked or replica.server.full or replica.breaker.condition != "closed":
            return
        if not replica.budget.spend():
            if not self._denied:
                self._pool.observer.denied(self._pool.role)
            self._denied = True
            return
        await replica.server.enter()
        permit = replica.admit(now())
        assert permit is not None, "nothing was awaited since it was chosen: there was a place"
        self._begin(replica, permit, why)

    async def _pause(self) -> None:
        """Wait before the next look, until a replica may be called.

        Raises:
            Refusal: The deadline would pass.
        """
        moment = now()
        asked_s = max(0.0, min(replica.opens(moment) for replica in self._pool.replicas) - moment)
        wait_s = self._pool.rules.backoff.pause(self._pauses, self._pool.draw(), asked_s)
        if self._request.deadline is not None and moment + wait_s >= self._request.deadline:
            raise late(self._pool.role) from self._error
        await asyncio.sleep(wait_s)
        self._pauses += 1
        self._rested = True

    def _show(self, piece: str) -> None:
        """Hand a piece of the text on."""
        self._shown = True
        assert self._on_text is not None
        self._on_text(piece)

    def _given_up(self) -> EngineError:
        """Why no further call is made: the last one's error, or that none was let through."""
        moment = now()
        back_s = max(0.0, min(replica.opens(moment) for replica in self._pool.replicas) - moment)
        if self._error is None:
            names = ", ".join(replica.name for replica in self._pool.replicas)
            message = f"The {self._pool.role}'s engine takes no calls now: {names} failed lately."
            return EngineError(message, hint="Try again later.", retry_after_s=back_s)
        error = EngineError(self._error.message, hint=self._error.hint, retry_after_s=back_s)
        error.__cause__ = self._error
        return error


def _accepted(request: Request, completion: Completion) -> bool:
    """Whether nobody needs to be asked again, as far as can be told here."""
    return request.accepts is None or request.accepts(completion.text)
