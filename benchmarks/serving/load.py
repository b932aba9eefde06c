"""The load: ``python -m benchmarks.serving.load`` reads a :class:`Plan` as JSON, and prints a :class:`Window` as JSON.

It is open: requests begin at their times, evenly spread, whatever became of others, and a latency counts from the time
that was planned. So a server that stalls is charged for everybody who would have come meanwhile (no coordinated
omission). Every response is compared with what is right, once its latency is known.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from benchmarks.serving import cases, http
from benchmarks.serving.cases import Mode
from proseform import lifetime

LIMIT_S = 10.0
"""A request that takes longer is given up, in seconds."""
WARM, COUNTED = "warm", "counted"
"""Lines on standard output: from now on requests count; the last that counts has begun."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked.

    Attributes:
        subject: Who answers.
        mode: How many calls a request costs.
        port: Where it listens.
        rate: Requests a second.
        seconds: For so long requests count.
        warm_s: For so long before that they do not.
        count: Cases that are asked about in turn.
    """

    subject: str
    mode: Mode
    port: int
    rate: float
    seconds: float
    warm_s: float = 1.0
    count: int = cases.COUNT


@dataclass(slots=True)
class Window:
    """What became of the requests that count.

    Attributes:
        answers: Of each right answer, when its request was planned, since the first that counts, and its latency; in
            seconds.
        failed: The others, by what happened.
        late_s: How long after its time a request was sent, for most (99 %), in seconds: the load's own fault.
    """

    answers: list[tuple[float, float]] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    late_s: float = 0.0


@dataclass(slots=True)
class Load:
    """A load that is running."""

    plan: Plan
    lines: http.Lines
    window: Window = field(default_factory=Window)

    async def run(self) -> None:
        """Begin each request at its time, and wait for all."""
        plan, loop = self.plan, asyncio.get_running_loop()
        asked = [cases.asks(plan.subject, plan.mode, case) for case in cases.drawn(plan.count)]
        warm, tasks, began = int(plan.rate * plan.warm_s), set[asyncio.Task[None]](), loop.time() + 0.01
        late = list[float]()
        for number in range(warm + int(plan.rate * plan.seconds)):
            planned = began + number / plan.rate
            if planned > loop.time():
                await asyncio.sleep(planned - loop.time())
            if number == warm:
                print(WARM, flush=True)
            late.append(loop.time() - planned)
            since = (number - warm) / plan.rate if number >= warm else None
            task = asyncio.create_task(self._ask(asked[number % plan.count], planned, since))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        print(COUNTED, flush=True)
        self.window.late_s = quantile(late[warm:], 0.99)

    async def _ask(self, asks: list[cases.Ask], planned: float, since: float | None) -> None:
        """One request, or the calls that take its place where the engine itself is asked; None does not count."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(planned + LIMIT_S):
                given = [await self.lines.ask(ask.path, ask.body) for ask in asks]
        except (TimeoutError, OSError, http.BrokenError) as error:
            seconds, trouble = LIMIT_S, type(error).__name__
        else:
            seconds, trouble = loop.time() - planned, judged(asks, given)
        if since is None:
            return
        if trouble:
            self.window.failed[trouble] = self.window.failed.get(trouble, 0) + 1
        else:
            self.window.answers.append((since, seconds))


def judged(asked: list[cases.Ask], given: list[tuple[int, bytes]]) -> str:
    """What is wrong with responses; empty where they are right."""
    for ask, (status, body) in zip(asked, given, strict=True):
        if status != 200:  # noqa: PLR2004 - OK
            return f"HTTP {status}"
        try:
            if not ask.right(json.loads(body)):
                return "another answer"
        except (ValueError, LookupError, TypeError):
            return "no answer"
    return ""


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies (nearest rank); infinity without any."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("inf")


async def main() -> None:
    """Play a plan."""
    lifetime.end_with_parent()
    plan = Plan(**json.loads(sys.stdin.readline()))
    load = Load(plan, http.Lines(plan.port))
    await load.run()
    load.lines.close()
    print(json.dumps(asdict(load.window)), flush=True)


if __name__ == "__main__":
    http.run(main())
