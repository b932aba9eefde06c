"""Several cases in one request: read, counted against the key's rate, answered together, written in their order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from proseform.errors import ProseformError
from proseform.infer import spans
from proseform.infer.answer import Answer
from proseform.serve.admission import Admission, check_instances
from proseform.serve.exchange import Exchange, Response
from proseform.serve.guard import Guard
from proseform.serve.waiting import deadline, in_time, unless_gone
from proseform.task import Task

Write = Callable[[Sequence[Answer | ProseformError]], Response]
"""Writes the outcomes, in the order of the cases."""
Read = tuple[list[Any], Write]
"""The cases of a request, and what writes their outcomes."""


@dataclass(frozen=True, slots=True)
class Several:
    """Answers requests of several cases.

    Attributes:
        admission: Answers cases.
        guard: Counts them.
    """

    admission: Admission
    guard: Guard

    @property
    def task(self) -> Task:
        """The task whose cases they are."""
        return self.admission.task

    async def answered(self, exchange: Exchange, read: Callable[[], Awaitable[Read]]) -> Response:
        """The response to a request.

        Args:
            exchange: The request.
            read: Reads it.
        """

        async def work() -> Response:
            with spans.span("reading"):
                instances, write = await read()
            check_instances(len(instances))
            self.guard.charge(exchange, len(instances))
            until = deadline(exchange, self.admission)
            return write(await unless_gone(exchange, self.admission.batch(instances, until, exchange.tenant)))

        return await in_time(exchange, self.admission, work())
