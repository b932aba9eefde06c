"""Drives chains: asks the engine what :mod:`proseform.infer.chain` asks for, and waits.

All I/O of an answer stands here.

:func:`one` drives a single chain, with its time-out and its pieces of prose. :func:`many` drives chains in lock step:
what they ask for in one round goes to the engine as one list, in the order of the plans, so that a report holds the
same bytes whatever the timing. :func:`proseform.infer.loop.wait` lets code that is not asynchronous wait for either.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from proseform.bundle import Role
from proseform.errors import ProseformError
from proseform.infer import Engine, OnText, spans
from proseform.infer.chain import State, step
from proseform.infer.moves import (
    Action,
    Ask,
    Begun,
    Cancel,
    Check,
    Checked,
    Completed,
    Count,
    Counted,
    Done,
    Emit,
    Event,
    Failed,
    Left,
    LookedUp,
    LookUp,
    Plan,
    Refuse,
    Restart,
    Store,
    WakeAt,
    Woke,
    Written,
)  # fmt: skip
from proseform.infer.resilience.observer import Observer
from proseform.infer.spans import Span
from proseform.infer.verified import Answer, Formatted

Outcome = Answer | Formatted | ProseformError
_WORKFLOW = "invoke_workflow"
"""What OpenTelemetry's conventions call an answer that several calls to models give."""


class Prose(Protocol):
    """Keeps evaluations, so that another chain need not ask for them again."""

    async def get(self, key: str) -> str | None:
        """What is kept under a key, or None."""

    async def put(self, key: str, prose: str) -> None:
        """Keep prose under a key."""


async def one(
    engine: Engine,
    plan: Plan,
    *,
    on_text: OnText | None = None,
    on_restart: Callable[[], None] | None = None,
    kept: Prose | None = None,
    observer: Observer | None = None,
) -> Answer | Formatted:
    """Drive one chain. Cancelling the awaiting task cancels what it has asked the engine for.

    Args:
        engine: Runs the plan's bundle.
        plan: What the answer is made of.
        on_text: Receives the prose while it is written, as a draft; the plan's ``stream`` asks for it.
        on_restart: Told that the prose is written again, so that what was received does not count any more.
        kept: Where prose is kept, for plans with a key.
        observer: Is told whether completions were accepted.

    Raises:
        ProseformError: As the chain refuses.
    """
    name = plan.task.name if plan.task is not None else "formatter"
    facts = {"gen_ai.operation.name": _WORKFLOW, "gen_ai.workflow.name": name, "proseform.bundle": plan.bundle.digest}
    with spans.span(f"{_WORKFLOW} {name}", facts) as span:
        return await _Driver(engine, plan, on_text, on_restart, kept, observer or Observer(), span).run()


class _Driver:
    """One chain, its open requests, and the events that they bring."""

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        on_text: OnText | None,
        on_restart: Callable[[], None] | None,
        kept: Prose | None,
        observer: Observer,
        span: Span,
    ) -> None:
        self._engine = engine
        self._plan = plan
        self._on_text = on_text
        self._on_restart = on_restart
        self._kept = kept
        self._observer = observer
        self._span = span
        self._tries: dict[Role, int] = {}
        self._events: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        self._asked: dict[int, asyncio.Task[None]] = {}
        self._alarms: list[asyncio.TimerHandle] = []

    async def run(self) -> Answer | Formatted:
        """Take events until the chain has ended."""
        state = State(self._plan)
        self._events.put_nowait(Begun(time.monotonic()))
        try:
            while True:
                event = await self._events.get()
                if isinstance(event, BaseException):
                    raise event  # a fault of ours or of the engine's code, which no chain can judge
                state, actions = self._step(state, event)
                for action in actions:
                    if isinstance(action, Done):
                        return action.outcome
                    if isinstance(action, Refuse):
                        raise action.error
                    await self._take(action)
        except asyncio.CancelledError:
            for action in step(state, Left(time.monotonic()))[1]:
                await self._take(action)
            raise
        finally:
            for alarm in self._alarms:
                alarm.cancel()
            for task in self._asked.values():
                task.cancel()
            await asyncio.gather(*self._asked.values(), return_exceptions=True)

    def _step(self, before: State, event: Event) -> tuple[State, list[Action]]:
        """The chain's next state, and what is to be done; what it made of a completion is told."""
        after, actions = step(before, event)
        if isinstance(event, Completed) and event.id in before.asked:
            if before.turn == "evaluator":
                self._observer.judged("evaluator", event.completion, accepted=after.turn == "formatter")
            else:
                done = any(isinstance(action, Done) for action in actions)
                self._observer.judged("formatter", event.completion, accepted=done)
        return after, actions

    async def _take(self, action: Action) -> None:
        """Do what the chain wants."""
        match action:
            case Check():
                self._asked[action.id] = asyncio.create_task(self._answer(_checked(self._engine, action)))
            case Count():
                self._asked[action.id] = asyncio.create_task(self._answer(_counted(self._engine, action)))
            case Ask():
                self._asked[action.id] = asyncio.create_task(self._ask(action))
            case Cancel(number):
                self._asked[number].cancel()
            case WakeAt(at):
                loop, left = asyncio.get_running_loop(), max(0.0, at - time.monotonic())
                self._alarms.append(
                    loop.call_later(left, lambda: self._events.put_nowait(Woke(max(at, time.monotonic()))))
                )
            case Emit(text) if self._on_text is not None:
                self._on_text(text)
            case Restart() if self._on_restart is not None:
                self._on_restart()
            case LookUp(key):
                prose = await self._kept.get(key) if self._kept is not None else None
                self._span.set({"proseform.prose_kept": prose is not None})
                self._events.put_nowait(LookedUp(time.monotonic(), prose))
            case Store(key, prose) if self._kept is not None:
                await self._kept.put(key, prose)

    async def _answer(self, event: Coroutine[Any, Any, Event]) -> None:
        """Wait for what answers the chain."""
        try:
            self._events.put_nowait(await event)
        except Exception as error:  # noqa: BLE001 - raised again by run()
            self._events.put_nowait(error)

    async def _ask(self, action: Ask) -> None:
        """Ask the engine, and tell the chain what came of it."""

        def written(text: str) -> None:
            self._events.put_nowait(Written(time.monotonic(), action.id, text))

        role = action.request.role
        self._tries[role] = self._tries.get(role, 0) + 1
        try:
            with spans.span(role, {"proseform.try": self._tries[role]}):
                completion = await self._engine.complete(action.request, written if action.stream else None)
        except ProseformError as error:
            self._events.put_nowait(Failed(time.monotonic(), action.id, error))
        except Exception as error:  # noqa: BLE001 - raised again by run()
            self._events.put_nowait(error)
        else:
            self._events.put_nowait(Completed(time.monotonic(), action.id, completion))


async def many(engine: Engine, plans: Sequence[Plan]) -> list[Outcome]:
    """Drive chains in lock step: an outcome for each plan, in order; an error of one ends no other.

    Deadlines are the engine's to keep here: every request carries its own.
    """
    lockstep = _LockStep(plans)
    while lockstep.counts or lockstep.asks:
        counts, lockstep.counts = lockstep.counts, []
        looks = [_checked(engine, one) if isinstance(one, Check) else _counted(engine, one) for _, one in counts]
        for (index, _), event in zip(counts, await asyncio.gather(*looks), strict=True):
            lockstep.advance(index, event)
        if lockstep.counts:
            continue
        asks, lockstep.asks = sorted(lockstep.asks, key=lambda pair: (pair[0], pair[1].id)), []
        results = await engine.complete_all([action.request for _, action in asks])
        for (index, action), result in zip(asks, results, strict=True):
            now = time.monotonic()
            if isinstance(result, ProseformError):
                lockstep.advance(index, Failed(now, action.id, result))
            else:
                lockstep.advance(index, Completed(now, action.id, result))
    return [outcome for outcome in lockstep.outcomes if outcome is not None]


class _LockStep:
    """Chains that go on together.

    Attributes:
        counts: What they want checked or counted in this round: which chain, and what.
        asks: What they ask for in this round.
        outcomes: Of the chains that have ended.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._states = [State(plan) for plan in plans]
        self.counts: list[tuple[int, Check | Count]] = []
        self.asks: list[tuple[int, Ask]] = []
        self.outcomes: list[Outcome | None] = [None] * len(plans)
        for index in range(len(plans)):
            self.advance(index, Begun(time.monotonic()))

    def advance(self, index: int, event: Event) -> None:
        """Take one chain on to what it wants next, or to its end."""
        self._states[index], actions = step(self._states[index], event)
        for action in actions:
            match action:
                case Check() | Count():
                    self.counts.append((index, action))
                case Ask():
                    self.asks.append((index, action))
                case LookUp():
                    self.advance(index, LookedUp(time.monotonic(), None))
                case Done(outcome):
                    self.outcomes[index] = outcome
                case Refuse(error):
                    self.outcomes[index] = error


async def _checked(engine: Engine, action: Check) -> Event:
    """Whether the engine can enforce a request's schema."""
    try:
        await engine.check(action.request)
    except ProseformError as error:
        return Failed(time.monotonic(), action.id, error)
    return Checked(time.monotonic(), action.id)


async def _counted(engine: Engine, action: Count) -> Event:
    """A request's room in the model's context, or why nobody can count it."""
    try:
        room = await engine.room(action.request)
    except ProseformError as error:
        return Failed(time.monotonic(), action.id, error)
    return Counted(time.monotonic(), action.id, room)
