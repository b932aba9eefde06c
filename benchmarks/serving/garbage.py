"""What searches for garbage cost: ``python -m benchmarks.serving.garbage`` prints their processor time.

Cases of the task ``cv`` are answered in a process that holds what a server does, by the scripted engine over HTTP: as
the process is at first, and as :func:`proseform.serve.server.settle` leaves it.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import mlflow  # noqa: F401 - a server by alias holds it
from benchmarks.serving import cases, subjects
from proseform import task as tasks
from proseform.infer.spec import EngineSpec
from proseform.machine import machine
from proseform.serve import server
from proseform.serve.admission import Admission
from proseform.serve.router import Router, Weighted
from proseform.stages.engine import opened

ANSWERS, AT_ONCE = 1500, 8


class Searches:
    """Notes each search for garbage.

    Attributes:
        seconds: Their processor time.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._began = 0.0

    def __call__(self, phase: str, _info: dict[str, Any]) -> None:
        """As :data:`gc.callbacks` wants it."""
        if phase == "start":
            self._began = time.process_time()
        else:
            self.seconds.append(time.process_time() - self._began)


async def main() -> None:
    """Print both."""
    folder = subjects.bundle(subjects.FOLDER / "bundle", cases.COUNT)
    command = subjects.module("engine", 2, cases.COUNT, folder / "base")
    with subjects.started("engine", command, read=True) as engine:
        spec, cv = EngineSpec(f"http://127.0.0.1:{int(subjects.first_line(engine))}"), tasks.load("cv")
        running = opened(cv, spec, folder, "", "", "")
        admission = Admission(Router([Weighted(running)]), cv, concurrency=AT_ONCE)
        await _answered(admission, 200)
        searches = Searches()
        gc.callbacks.append(searches)
        print(f"{machine()}; {ANSWERS} answers, two calls each, {AT_ONCE} at once")
        for name in ("as it is", "settled"):
            if name == "settled":
                server.settle()
            searches.seconds.clear()
            await _answered(admission, ANSWERS)
            count, each_us = len(searches.seconds), 1e6 * sum(searches.seconds) / ANSWERS
            gc.collect()
            full_ms = 1000 * searches.seconds[-1]
            print(f"{name:10}{count:5} searches, {each_us:6.1f} µs an answer; a search of everything {full_ms:.1f} ms")
        await running.close()


async def _answered(admission: Admission, count: int) -> None:
    """So many cases, some at once."""
    turns = iter(range(count))

    async def some() -> None:
        for turn in turns:
            await admission.answer(cases.drawn(cases.COUNT)[turn % cases.COUNT].inputs)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main())
