"""Admission: admits requests within limits, has them answered, and counts the outcomes.

There are two limits: on requests that are answered concurrently, and on requests that wait
(:mod:`proseform.serve.line`). A further request is rejected immediately. If a caller disconnects, its request leaves
the queue, or its work is cancelled, unless equal requests wait for it too (:mod:`proseform.serve.flights`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

from proseform.errors import InputError, ProseformError
from proseform.infer import Engine, OnText
from proseform.infer import answer as path
from proseform.infer.answer import Answer, Formatted
from proseform.infer.kept import ProseCache
from proseform.infer.resilience.observer import Observed
from proseform.infer.samples import consulted
from proseform.schema import Schema
from proseform.serve import faults, metrics, notes
from proseform.serve.exchange import GoneError
from proseform.serve.flights import Flights
from proseform.serve.line import Kind, Line
from proseform.serve.reading import as_text
from proseform.serve.router import Router, Weighted
from proseform.task import Task

MAX_INSTANCES = 64
"""Most cases in one request."""
T = TypeVar("T")


def check_instances(number: int) -> None:
    """Refuse a number of cases that no request may have.

    Raises:
        InputError: No cases, or more than :data:`MAX_INSTANCES`.
    """
    if not 0 < number <= MAX_INSTANCES:
        raise InputError(f"{number} instances were sent.", hint=f"Send 1 to {MAX_INSTANCES}.")


class Admission:
    """Answers cases of one task.

    Args:
        router: The engines.
        task: The task; every engine's bundle must have been made for it.
        timeout_s: Longest time for one answer, waiting included, in seconds.
        concurrency: Most requests that are answered concurrently.
        queue: Most requests that wait.
        kept: Evaluations of equal requests; None keeps none, and answers each request by itself.

    Raises:
        TaskError: A bundle was made for another task, or another version of it.
    """

    def __init__(
        self,
        router: Router,
        task: Task,
        *,
        timeout_s: float = 60.0,
        concurrency: int = 1,
        queue: int = 64,
        kept: ProseCache | None = None,
    ) -> None:
        self.router = router
        self.task = task
        self.timeout_s = timeout_s
        self._replaced: list[Engine] = []
        self._schemas: dict[str, Schema] = {}
        for weighted in router.engines:
            self._know(weighted.engine)
        self.line = Line(concurrency, queue, metrics.OBSERVER)
        self._kept = kept
        if kept is not None:
            kept.observer = metrics.OBSERVER
        self._flights = Flights()

    @property
    def engines(self) -> list[Engine]:
        """All that answer, or may still have something to answer."""
        return [*(weighted.engine for weighted in self.router.engines), *self._replaced]

    def use(self, engines: Sequence[Weighted]) -> list[Engine]:
        """Answer by these engines from now on; what has begun goes on as it is.

        Returns:
            Those that get no request any more, to be handed to :meth:`forget` once nothing can be left of theirs.

        Raises:
            TaskError: A bundle was made for another task; nothing changes.
        """
        for weighted in engines:
            self._know(weighted.engine)
        before = self.router.engines
        self.router.use(engines)
        used = {id(weighted.engine) for weighted in engines}
        replaced = [weighted.engine for weighted in before if id(weighted.engine) not in used]
        self._replaced += replaced
        return replaced

    def forget(self, engine: Engine) -> None:
        """Nothing is left that an engine has to answer."""
        self._replaced.remove(engine)
        if all(one.bundle.digest != engine.bundle.digest for one in self.engines):
            self._schemas.pop(engine.bundle.digest, None)

    def _know(self, engine: Engine) -> None:
        """Get ready for an engine's bundle."""
        path.agree(engine.bundle, self.task)
        if isinstance(engine, Observed):
            engine.observe(metrics.OBSERVER)
        if engine.bundle.digest not in self._schemas:
            self._schemas[engine.bundle.digest] = engine.bundle.compiled()

    async def answer(
        self,
        inputs: Mapping[str, Any],
        *,
        schema: Schema | None = None,
        deadline: float | None = None,
        on_text: OnText | None = None,
        on_restart: Callable[[], None] | None = None,
        tenant: str = "",
        kind: Kind = "interactive",
        samples: int = 1,
        bundles: Sequence[str] = (),
    ) -> Answer:
        """A verified answer.

        Args:
            inputs: The task's inputs as text.
            schema: The caller's schema; None takes the bundle's.
            deadline: When to give up, on the clock of :func:`time.monotonic`; None takes ``timeout_s`` from now.
            on_text: Receives the prose while it is written, as a draft.
            on_restart: Told that the prose is written again.
            tenant: Whose request it is: nothing is kept or answered together across tenants.
            kind: Its class in the queue.
            samples: How many evaluations are made, in one place of the queue (:mod:`proseform.infer.samples`).
            bundles: The digests of those that are to answer; empty takes one by weight.

        Raises:
            BusyError: The queue is full, or too long for the deadline.
            NotFoundError: No such bundle here.
            ProseformError: As :func:`proseform.infer.answer.answered`.
        """
        began = time.monotonic()
        values = path.read_inputs(self.task, inputs)
        until = began + self.timeout_s if deadline is None else deadline

        async def work(engines: Sequence[Engine]) -> Answer:
            engine = engines[0]
            target = schema or self._schemas[engine.bundle.digest]
            asked: dict[str, Any] = {"deadline": until, "schema": target, "kept": self._kept, "tenant": tenant}
            asked |= {"observer": metrics.OBSERVER}
            if samples > 1:
                return await consulted(engines, self.task, values, samples=samples, **asked)
            return await path.answered(engine, self.task, values, on_text=on_text, on_restart=on_restart, **asked)

        if self._kept is None or on_text is not None:
            answer = await self._admitted(work, until, kind, bundles)
        else:
            texts = {name: [value.raw, *map(asdict, value.findings)] for name, value in values.items()}
            key = self._kept.digest([tenant, texts, schema and schema.document, samples, *bundles])
            answer, joined = await self._flights.join(key, until, lambda: self._admitted(work, until, kind, bundles))
            metrics.JOINED.labels(self.task.name).inc(joined)
        metrics.answered(self.task.name, answer.bundle, answer, time.monotonic() - began)
        return answer

    async def converted(
        self, prose: str, *, schema: Schema | None, deadline: float, kind: Kind = "interactive"
    ) -> tuple[Formatted, str]:
        """The formatter's turn alone, and the digest of its bundle; see :func:`proseform.infer.answer.converted`."""
        began = time.monotonic()

        async def work(engines: Sequence[Engine]) -> tuple[Formatted, str]:
            (engine,) = engines
            target = schema or self._schemas[engine.bundle.digest]
            converting = path.converted(engine, prose, target, deadline=deadline, observer=metrics.OBSERVER)
            return await converting, engine.bundle.digest

        outcome, bundle = await self._admitted(work, deadline, kind)
        metrics.answered(self.task.name, bundle, outcome, time.monotonic() - began)
        return outcome, bundle

    async def batch(
        self, instances: Sequence[Any], deadline: float | None = None, tenant: str = ""
    ) -> list[Answer | ProseformError]:
        """Answer cases concurrently; each outcome is an answer or an error, and errors are counted.

        Raises:
            InputError: As :func:`check_instances`.
            BatchError: Every case failed.
        """
        check_instances(len(instances))
        outcomes = await asyncio.gather(*(self._instance(instance, deadline, tenant) for instance in instances))
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
            if not isinstance(error, GoneError):
                self.refused(error)
            raise

    def refused(self, error: Exception) -> None:
        """Count the error that ends a request, unless its cases were counted one by one, and note its reason."""
        notes.current().reason = faults.reason(error)
        if not isinstance(error, faults.BatchError):
            metrics.refused(self.task.name, faults.reason(error))

    async def _instance(self, instance: Any, deadline: float | None, tenant: str) -> Answer | ProseformError:
        """One case of a batch."""
        try:
            with notes.case(), self.counted():
                if not isinstance(instance, dict):
                    hint = f"It has {', '.join(self.task.inputs)}."
                    raise InputError(f"An instance is {type(instance).__name__}, expected an object.", hint=hint)
                inputs = {name: as_text(self.task, name, value) for name, value in instance.items()}
                return await self.answer(inputs, deadline=deadline, tenant=tenant)
        except ProseformError as error:
            return error

    async def _admitted(
        self,
        work: Callable[[Sequence[Engine]], Awaitable[T]],
        deadline: float,
        kind: Kind = "interactive",
        bundles: Sequence[str] = (),
    ) -> T:
        """Wait for a place, then have engines work: those of these bundles, else one by weight."""
        async with self.line.place(kind, deadline):
            engines = [self.router.choose(bundle) for bundle in bundles or ("",)]
            notes.current().bundles |= dict.fromkeys(engine.bundle.digest for engine in engines)
            return await work(engines)
