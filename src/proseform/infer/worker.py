"""A thread that owns a model: work waits in line, and requests that wait side by side are gathered into one batch.

A batch that was submitted as one stays one, so that what it gives follows from its requests alone. Requests join at the
borders of batches. Left out: joining a batch that runs.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

from proseform.errors import EngineError, ProseformError
from proseform.infer import Completion, Request

_LOG = logging.getLogger("proseform.infer")


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A request that waits for its outcome.

    Attributes:
        request: What to complete.
        on_text: Receives the text while it is written, in the worker's thread.
        future: Gets the outcome; cancelling it takes the request off the line, or its row out of the batch.
    """

    request: Request
    on_text: Callable[[str], object] | None = None
    future: Future[Completion] = field(default_factory=Future)

    @property
    def left(self) -> bool:
        """Whether nobody waits any more."""
        return self.future.cancelled()

    def settle(self, outcome: Completion | BaseException) -> None:
        """Hand over the outcome, unless nobody waits any more."""
        try:
            if isinstance(outcome, BaseException):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)
        except InvalidStateError:
            pass  # cancelled meanwhile: whoever asked has gone


Run = Callable[[Sequence[Job]], Sequence[Completion | ProseformError]]
"""Completes the jobs of one batch, all of one role: an outcome for each, in order."""


class Worker:
    """Runs batches in a thread of its own, which starts with the first of them.

    Args:
        run: Completes one batch.
        batch: Jobs of a gathered batch, at most.
    """

    def __init__(self, run: Run, batch: int) -> None:
        self._run = run
        self._batch = batch
        self._line: deque[tuple[list[Job], bool]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, jobs: Sequence[Job], *, gather: bool) -> None:
        """Put a batch in line.

        Args:
            jobs: All of one role.
            gather: Whether other jobs of the role may join it.

        Raises:
            EngineError: The worker is closed.
        """
        with self._changed:
            if self._closed:
                raise EngineError("The in-process engine is closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
                self._thread.start()
            self._line.append((list(jobs), gather))
            self._changed.notify()

    def close(self) -> None:
        """End after the batch that runs; what waits fails."""
        with self._changed:
            self._closed = True
            waiting = [job for jobs, _ in self._line for job in jobs]
            self._line.clear()
            self._changed.notify()
            thread = self._thread
        for job in waiting:
            job.settle(EngineError("The in-process engine was closed."))
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        """One batch after another, until closed."""
        while True:
            with self._changed:
                while not self._line and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                jobs = self._next()
            if jobs:
                self._completed(jobs)

    def _next(self) -> list[Job]:
        """The first batch in line, joined by whatever waits and may join it."""
        jobs, gather = self._line.popleft()
        if gather:
            passed: deque[tuple[list[Job], bool]] = deque()
            for others, joins in self._line:
                fits = joins and others[0].request.role == jobs[0].request.role
                if fits and len(jobs) + len(others) <= self._batch:
                    jobs += others
                else:
                    passed.append((others, joins))
            self._line = passed
        return [job for job in jobs if not job.left]

    def _completed(self, jobs: list[Job]) -> None:
        """Run a batch; where it fails as a whole, each of its jobs is tried alone, so that one fault ends no other."""
        try:
            outcomes = self._run(jobs)
        except Exception as error:  # noqa: BLE001 - whatever a model's code raises is these jobs' outcome
            if len(jobs) > 1:
                for job in jobs:
                    if not job.left:
                        self._completed([job])
                return
            _LOG.error("a completion failed", exc_info=error)
            fault = EngineError(f"The model failed ({type(error).__name__}: {str(error).splitlines()[:1]}).")
            fault.__cause__ = error
            jobs[0].settle(error if isinstance(error, ProseformError) else fault)
            return
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.settle(outcome)
