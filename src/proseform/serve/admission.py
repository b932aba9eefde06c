"""Admission: admits requests within limits, has them answered, and counts the outcomes.

There are two limits: on requests that are answered concurrently, and on requests that wait. A further request is
rejected immediately (:class:`~proseform.serve.faults.BusyError`), since in a queue without a limit every answer would
come too late. If a caller disconnects, its request leaves the queue, or its work is cancelled. Left out: priorities.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from prometheus_client import Counter, Histogram

from proseform.errors import InputError, ProseformError, Refusal
from proseform.infer import Engine, OnText
from proseform.infer import answer as path
from proseform.infer.answer import Answer, Formatted
from proseform.schema import Schema
from proseform.serve import faults
from proseform.serve.exchange import GoneError
from proseform.serve.reading import as_text
from proseform.serve.router import Router
from proseform.task import Task

ANSWERS = Counter("proseform_answers", "Verified answers.", ["task", "bundle"])
REFUSALS = Counter("proseform_refusals", "Requests that got an error instead, by reason.", ["task", "reason"])
_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
SECONDS = Histogram("proseform_answer_seconds", "From admission to the verified answer.", ["task"], buckets=_BUCKETS_S)
MAX_INSTANCES = 64
"""Most cases in one request."""
T = TypeVar("T")


class Admission:
    """Answers cases of one task.

    Args:
        router: The engines.
        task: The task; every engine's bundle must have been made for it.
        timeout_s: Longest time for one answer, waiting included, in seconds.
        concurrency: Most requests that are answered concurrently.
        queue: Most requests that wait.

    Raises:
        TaskError: A bundle was made for another task, or another version of it.
    """

    def __init__(
        self, router: Router, task: Task, *, timeout_s: float = 60.0, concurrency: int = 1, queue: int = 64
    ) -> None:
        for weighted in router.engines:
            path.agree(weighted.engine.bundle, task)
        self.router = router
        self.task = task
        self.timeout_s = timeout_s
        self._schemas = {
            weighted.engine.bundle.digest: weighted.engine.bundle.compiled() for weighted in router.engines
        }
        self._places = concurrency + queue
        self._taken = 0
        self._slots = asyncio.Semaphore(concurrency)

    async def answer(
        self,
        inputs: Mapping[str, Any],
        *,
        schema: Schema | None = None,
        deadline: float | None = None,
        on_text: OnText | None = None,
        on_restart: Callable[[], None] | None = None,
    ) -> Answer:
        """A verified answer.

        Args:
            inputs: The task's inputs as text.
            schema: The caller's schema; None takes the bundle's.
            deadline: When to give up, on the clock of :func:`time.monotonic`; None takes ``timeout_s`` from now.
            on_text: Receives the prose while it is written, as a draft.
            on_restart: Told that the prose is written again.

        Raises:
            BusyError: The queue is full.
            ProseformError: As :func:`proseform.infer.answer.answered`.
        """
        began = time.monotonic()
        values = path.read_inputs(self.task, inputs)
        until = began + self.timeout_s if deadline is None else deadline

        async def work(engine: Engine) -> Answer:
            target = schema or self._schemas[engine.bundle.digest]
            return await path.answered(
                engine, self.task, values, deadline=until, schema=target, on_text=on_text, on_restart=on_restart
            )

        answer = await self._admitted(work, until)
        ANSWERS.labels(self.task.name, answer.bundle).inc()
        SECONDS.labels(self.task.name).observe(time.monotonic() - began)
        return answer

    async def converted(self, prose: str, *, schema: Schema | None, deadline: float) -> tuple[Formatted, str]:
        """The formatter's turn alone, and the digest of its bundle; see :func:`proseform.infer.answer.converted`."""
        began = time.monotonic()

        async def work(engine: Engine) -> tuple[Formatted, str]:
            target = schema or self._schemas[engine.bundle.digest]
            return await path.converted(engine, prose, target, deadline=deadline), engine.bundle.digest

        outcome, bundle = await self._admitted(work, deadline)
        ANSWERS.labels(self.task.name, bundle).inc()
        SECONDS.labels(self.task.name).observe(time.monotonic() - began)
        return outcome, bundle

    async def batch(self, instances: Sequence[Any], deadline: float | None = None) -> list[Answer | ProseformError]:
        """Answer cases concurrently; each outcome is an answer or an error, and errors are counted.

        Raises:
            InputError: No cases, or more than :data:`MAX_INSTANCES`.
            BatchError: Every case failed.
        """
        if not 0 < len(instances) <= MAX_INSTANCES:
            raise InputError(f"{len(instances)} instances were sent.", hint=f"Send 1 to {MAX_INSTANCES}.")
        outcomes = await asyncio.gather(*(self._instance(instance, deadline) for instance in instances))
        errors = [outcome for outcome in outcomes if isinstance(outcome, ProseformError)]
        if len(errors) == len(outcomes):
            raise faults.BatchError(errors)
        return list(outcomes)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the error that ends a request; the errors of a batch were counted case by case."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, faults.BatchError | GoneError):
                REFUSALS.labels(self.task.name, faults.reason(error)).inc()
            raise

    async def _instance(self, instance: Any, deadline: float | None) -> Answer | ProseformError:
        """One case of a batch."""
        try:
            with self.counted():
                if not isinstance(instance, dict):
                    hint = f"It has {', '.join(self.task.inputs)}."
                    raise InputError(f"An instance is {type(instance).__name__}, expected an object.", hint=hint)
                inputs = {name: as_text(self.task, name, value) for name, value in instance.items()}
                return await self.answer(inputs, deadline=deadline)
        except ProseformError as error:
            return error

    async def _admitted(self, work: Callable[[Engine], Awaitable[T]], deadline: float) -> T:
        """Wait for a slot, then have an engine work."""
        if self._taken >= self._places:
            hint = f"Retry in {faults.RETRY_AFTER_S} s."
            raise faults.BusyError(f"{self._taken} requests are being answered or waiting.", hint=hint)
        self._taken += 1
        try:
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await self._slots.acquire()
            except TimeoutError as error:
                raise Refusal("deadline", "Time was up in the queue.", hint="Allow more time, or retry.") from error
            try:
                return await work(self.router.choose())
            finally:
                self._slots.release()
        finally:
            self._taken -= 1
