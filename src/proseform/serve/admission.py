"""Admission: lets requests in, has them answered, and counts what becomes of them.

Admission is bounded twice: so many are answered at once, so many may wait; the next one is rejected at once
(:class:`~proseform.serve.faults.BusyError`), because a queue that only grows answers nobody. A caller that leaves, leaves
the queue too, and what was begun for it is cancelled. Left out: classes of callers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter, Histogram

from proseform.errors import Refusal
from proseform.infer import answer as path
from proseform.infer.answer import Answer
from proseform.schema import Schema
from proseform.serve import faults
from proseform.serve.router import Router
from proseform.task import Task

ANSWERS = Counter("proseform_answers", "Verified answers.", ["task", "bundle"])
REFUSALS = Counter("proseform_refusals", "Requests that got an error instead, by reason.", ["task", "reason"])
_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
SECONDS = Histogram("proseform_answer_seconds", "From admission to the verified answer.", ["task"], buckets=_BUCKETS_S)


class Admission:
    """Answers cases of one task.

    Args:
        router: The engines.
        task: The task; every engine's bundle must have been made for it.
        timeout_s: Longest time for one answer, waiting included, in seconds.
        concurrency: Answers in the making at once.
        queue: Requests that may wait.

    Raises:
        TaskError: A bundle that was made for another task, or another state of it.
    """

    def __init__(
        self, router: Router, task: Task, *, timeout_s: float = 60.0, concurrency: int = 1, queue: int = 64
    ) -> None:
        for weighted in router.engines:
            path.agree(weighted.engine.bundle, task)
        self.router = router
        self.task = task
        self.timeout_s = timeout_s
        self._places = concurrency + queue
        self._taken = 0
        self._slots = asyncio.Semaphore(concurrency)

    async def answer(
        self, inputs: Mapping[str, Any], *, schema: Schema | None = None, timeout_s: float | None = None
    ) -> Answer:
        """A verified answer.

        Args:
            inputs: The task's inputs as text.
            schema: Answer this schema instead of the bundle's.
            timeout_s: Less time than the server allows.

        Raises:
            ProseformError: As :func:`proseform.infer.answer.answer`, and :class:`~proseform.serve.faults.BusyError`.
        """
        began = time.monotonic()
        try:
            values = path.read_inputs(self.task, inputs)
            answer = await self._admitted(values, schema, began + min(timeout_s or self.timeout_s, self.timeout_s))
        except Exception as error:
            REFUSALS.labels(self.task.name, faults.reason(error)).inc()
            raise
        ANSWERS.labels(self.task.name, answer.bundle).inc()
        SECONDS.labels(self.task.name).observe(time.monotonic() - began)
        return answer

    async def _admitted(self, inputs: Mapping[str, Any], schema: Schema | None, deadline: float) -> Answer:
        """Wait for a slot, then answer."""
        if self._taken >= self._places:
            hint = f"Come again in {faults.RETRY_AFTER_S} s."
            raise faults.BusyError(f"{self._taken} requests are being answered or waiting.", hint=hint)
        self._taken += 1
        try:
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await self._slots.acquire()
            except TimeoutError as error:
                raise Refusal(
                    "deadline", "Time was up in the queue.", hint="Allow more time, or come again."
                ) from error
            try:
                engine = self.router.choose()
                return await path.answered(engine, self.task, inputs, deadline=deadline, schema=schema)
            finally:
                self._slots.release()
        finally:
            self._taken -= 1
