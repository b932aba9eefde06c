"""Our own protocol in events: the prose while it is written, then the answer.

::

    event: draft     {"text": …}          a piece of the evaluation, which nobody has verified yet
    event: restart   {"try": 2}           the draft is not verified: forget it, it is written again
    event: answer    {"answer", "prose", "verdict", …}    as without events; its prose is the verified one
    event: error     {"error": {"type", "reason", "message", "hint"}}

The last event is an answer or an error. Prose out of a cache, and an engine that does not stream, give no draft.
"""

from __future__ import annotations

from proseform.serve import faults
from proseform.serve.admission import Admission
from proseform.serve.events import Put, Stream, event
from proseform.serve.reading import Asked


def stream(admission: Admission, asked: Asked, deadline: float, tenant: str) -> Stream:
    """The events of one case.

    Args:
        admission: Answers cases.
        asked: The request.
        deadline: When to give up, on the clock of :func:`time.monotonic`.
        tenant: Whose request it is.
    """

    async def work(put: Put) -> None:
        tries = 1

        def restart() -> None:
            nonlocal tries
            tries += 1
            put(event({"try": tries}, "restart"))

        with admission.counted():
            answer = await admission.answer(
                asked.inputs,
                schema=asked.schema,
                deadline=deadline,
                tenant=tenant,
                bundles=asked.bundles,
                on_text=lambda text: put(event({"text": text}, "draft")),
                on_restart=restart,
            )
        put(event(answer.as_dict(), "answer"))

    return Stream(work, _failed)


def _failed(error: Exception) -> bytes:
    """The last event of a stream that an error ends."""
    faults.log(error)
    return event({"error": faults.as_json(error)}, "error")
