"""Scenarios: an open-loop load of cases, faults that come and go, and what became of every request."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from benchmarks.storm.backend import Backend
from proseform.bundle import ROLES, Role
from proseform.errors import ProseformError
from proseform.infer.http import HttpEngine
from proseform.infer.resilience.breaker import Condition
from proseform.infer.resilience.observer import Ended, Observer, Why
from proseform.infer.spec import EngineSpec
from proseform.serve.admission import Admission
from proseform.serve.router import Router, Weighted
from proseform.testing import SCHEMA, toy_bundle, toy_task

GRACE_S = 0.5
"""How late an answer may be seen on a busy machine, in seconds, and still be in time."""
_THINGS = ("a wool hat", "two books", "a tin of tea", "a clay cup", "some seeds", "a map")


class Watch(Observer):
    """When breakers changed, and why calls were made."""

    def __init__(self) -> None:
        self.changes: list[tuple[float, str, Condition]] = []
        self.calls: Counter[tuple[Why, Ended]] = Counter()
        self.refused_retries = 0

    def called(self, role: Role, backend: str, why: Why, ended: Ended, seconds: float) -> None:
        """Count a call."""
        del role, backend, seconds
        self.calls[why, ended] += 1

    def denied(self, role: Role) -> None:
        """Count a retry that was not made."""
        del role
        self.refused_retries += 1

    def breaker(self, role: Role, backend: str, condition: Condition) -> None:
        """Note a change."""
        del role
        self.changes.append((time.monotonic(), backend, condition))

    def first(self, backend: Backend, condition: Condition, since: float) -> float:
        """Seconds until a backend's breaker stood so; infinity is never."""
        name = backend.url.partition("://")[2]
        times = (at - since for at, one, now in self.changes if (one, now) == (name, condition) and at >= since)
        return next(times, float("inf"))


@dataclass
class Result:
    """What became of the requests of a scenario.

    Attributes:
        requests: How many there were.
        valid: Answers that are right.
        invalid: Answers that are not valid, or not right: there must be none.
        refused: Typed refusals, by reason.
        untyped: Any other exception: there must be none.
        late: What ended after its deadline, an answer or not: there must be none.
        calls: Completions that engines were asked for.
        aborted: Of them, those that were cancelled at the engine.
        seconds: Of each answer, sorted.
        figures: Of this scenario alone.
    """

    requests: int = 0
    valid: int = 0
    invalid: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    untyped: int = 0
    late: int = 0
    calls: int = 0
    aborted: int = 0
    seconds: list[float] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Valid answers of all requests."""
        return self.valid / self.requests

    @property
    def ratio(self) -> float:
        """Calls beside those of a run without faults, which makes two for each request."""
        return self.calls / (2 * self.requests)

    def quantile(self, share: float) -> float:
        """Seconds within which that share of the answers came; infinity without answers."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


class Scene:
    """Backends, and a server's admission before them.

    Attributes:
        backends: By role.
        watch: What the engine tells.
        result: What became of the requests so far.
    """

    def __init__(self, backends: dict[Role, list[Backend]], spec: dict[str, Any], deadline_s: float) -> None:
        self.backends = backends
        self.watch = Watch()
        self.result = Result()
        urls = {role: ",".join(backend.url for backend in backends[role]) for role in ROLES}
        task = toy_task()
        self.engine = HttpEngine(EngineSpec(urls["formatter"], urls["evaluator"], **spec), toy_bundle(task))
        self._admission = Admission(
            Router([Weighted(self.engine)]), task, timeout_s=deadline_s, concurrency=256, queue=1024
        )
        self.engine.observe(self.watch)
        self._deadline_s = deadline_s
        self._judge = Draft202012Validator(SCHEMA)  # another validator than the one that serves
        self._number = 0

    async def load(self, rate: float, seconds: float) -> None:
        """Requests at a rate, each begun at its time whatever became of others."""
        began, tasks = time.monotonic(), list[asyncio.Task[None]]()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(self.ask()))
        await asyncio.gather(*tasks)

    async def ask(self) -> None:
        """One request, and what became of it."""
        self._number += 1
        thing, grams, allowed = _THINGS[self._number % 6], 1 + self._number % 998, 100 * (1 + self._number % 9)
        right = {"verdict": "send" if grams <= allowed else "refuse", "grams": grams, "note": thing}
        result, began = self.result, time.monotonic()
        result.requests += 1
        try:
            answer = await self._admission.answer({"parcel": f"{thing}, {grams} g", "rule": f"at most {allowed} g"})
        except ProseformError as error:
            result.refused[getattr(error, "reason", type(error).__name__)] += 1
        except Exception:  # noqa: BLE001 - whatever a caller would get is counted
            result.untyped += 1
        else:
            valid = self._judge.is_valid(answer.value) and answer.value == right
            result.valid += valid
            result.invalid += not valid
            result.seconds.append(time.monotonic() - began)
        result.late += time.monotonic() - began > self._deadline_s + GRACE_S

    def total(self) -> Result:
        """The result, with what the backends counted."""
        every = [backend for role in ROLES for backend in self.backends[role]]
        self.result.calls = sum(backend.calls for backend in every)
        self.result.aborted = sum(backend.aborted for backend in every)
        return self.result


@asynccontextmanager
async def scene(replicas: int = 3, deadline_s: float = 10.0, **spec: Any) -> AsyncIterator[Scene]:
    """Running backends of both roles."""
    backends = {role: [Backend(100 * at + number) for number in range(replicas)] for at, role in enumerate(ROLES)}
    every = [backend for role in ROLES for backend in backends[role]]
    for backend in every:
        await backend.start()
    one = Scene(backends, spec, deadline_s)
    try:
        yield one
    finally:
        await one.engine.close()
        for backend in every:
            await backend.stop()


async def one_faulty(names: tuple[str, ...], rate: float, seconds: float, turns: int) -> Result:
    """One replica of each role fails always, and after a while another one in its place."""
    async with scene() as stage:
        await stage.load(rate, max(2.0, seconds / 10))  # what calls take is known, as it is after a start
        stage.result = Result()
        for backend in (one for role in ROLES for one in stage.backends[role]):
            backend.calls = 0

        async def turning() -> None:
            for turn in range(turns):
                for role in ROLES:
                    for number, backend in enumerate(stage.backends[role]):
                        backend.fails = names if number == turn % len(stage.backends[role]) else ()
                await asyncio.sleep(seconds / turns)

        await asyncio.gather(turning(), stage.load(rate, seconds))
        return stage.total()


async def all_faulty(names: tuple[str, ...], share: float, rate: float, seconds: float) -> Result:
    """Every replica fails in a share of its calls."""
    async with scene() as stage:
        for backend in (one for role in ROLES for one in stage.backends[role]):
            backend.fails, backend.share = names, share
        await stage.load(rate, seconds)
        result = stage.total()
        result.figures["retries denied"] = stage.watch.refused_retries
        return result


async def outage(kind: str, replicas: int, rate: float) -> Result:
    """A formatter's server dies and comes back: when its breaker opens and closes."""
    async with scene(replicas, slow_s=0.5) as stage:
        dead = stage.backends["formatter"][0]
        load = asyncio.create_task(stage.load(rate, 10))
        await asyncio.sleep(3)
        died = time.monotonic()
        await _dies(dead, kind)
        await asyncio.sleep(3)
        await _returns(dead, kind)
        back = time.monotonic()
        await load
        result = stage.total()
        result.figures = {
            "opens_s": stage.watch.first(dead, "open", died),
            "heals_s": stage.watch.first(dead, "closed", back),
        }
        return result


async def _dies(backend: Backend, kind: str) -> None:
    """Be away, or fail in one way."""
    if kind == "away":
        await backend.stop()
    backend.fails = () if kind == "away" else (kind,)


async def _returns(backend: Backend, kind: str) -> None:
    """Answer again."""
    backend.fails = ()
    if kind == "away":
        await backend.start()


Play = Callable[[], Awaitable[Result]]
