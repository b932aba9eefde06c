"""Errors as HTTP: a status, and always the same JSON: ``{"error": {"type", "reason", "message", "hint"}}``.

::

    422  invalid body, inputs, schema or file; or the models gave no valid JSON
    413  a body that is too large, or inputs that are too long for the model
    404  no such task, route or model      405  the wrong method      408  a body that comes too slowly
    401  no valid key      403  another site's page asks
    429  a key that asks too often (Retry-After)      431  headers that are too large
    503  the engine does not answer, or the queue is full (Retry-After)        502  the engine refused
    504  the deadline has passed
    500  an internal error; its details are only in the log
"""

from __future__ import annotations

import logging
import math
import traceback
from typing import Any

from proseform.errors import EngineError, EngineFaultError, InputError, ProseformError, Refusal

_LOG = logging.getLogger("proseform.serve")
_REFUSALS = {"deadline": 504, "too_long": 413, "engine": 503}
RETRY_AFTER_S = 1


class BusyError(EngineError):
    """The queue is full, or too long.

    Args:
        message: What happened.
        hint: What to do about it.
        retry_after_s: When to come again, in seconds.
        status: 503, or 429 where the caller should send less.
    """

    def __init__(
        self, message: str, *, hint: str = "", retry_after_s: float = RETRY_AFTER_S, status: int = 503
    ) -> None:
        super().__init__(message, hint=hint, retry_after_s=retry_after_s)
        self.status = status


class TooLargeError(InputError):
    """A request body that is too large."""


class SlowError(InputError):
    """A request body that comes too slowly."""


class HeadError(InputError):
    """A request whose headers are too large."""


class UnauthorizedError(InputError):
    """A request without a valid key."""


class ForeignError(InputError):
    """A request that another site's page has a browser send."""


class RateError(InputError):
    """A key that has asked too often.

    Args:
        message: Which, and its limit.
        retry_after_s: In how many seconds it may ask again.
        hint: What to do.
    """

    def __init__(self, message: str, retry_after_s: float, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class NotFoundError(InputError):
    """No such task, route or model."""


class MethodError(InputError):
    """A route that has another method.

    Args:
        method: The request's method.
        allowed: The route's method.
    """

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"The method {method:.20} is not allowed here.", hint=f"Allowed: {allowed}.")
        self.allowed = allowed


class BatchError(ProseformError):
    """A batch of which every case failed.

    Args:
        errors: One error for each case.
    """

    def __init__(self, errors: list[ProseformError]) -> None:
        super().__init__(f"All {len(errors)} cases failed; the first: {errors[0].message}", hint=errors[0].hint)
        self.errors = errors


_UNUSABLE = 422, "input"
_KINDS: tuple[tuple[type[ProseformError], int, str], ...] = (
    (TooLargeError, 413, "too_large"),
    (SlowError, 408, "slow"),
    (HeadError, 431, "head"),
    (UnauthorizedError, 401, "unauthorized"),
    (ForeignError, 403, "foreign"),
    (RateError, 429, "rate"),
    (NotFoundError, 404, "not_found"),
    (MethodError, 405, "method"),
    (InputError, *_UNUSABLE),
    (EngineFaultError, 502, "engine"),
    (EngineError, 503, "engine"),
)
"""Status and word of each kind of error; the first that fits counts."""


def status(error: BaseException) -> int:
    """The HTTP status of an error."""
    return _kind(error)[0]


def plain_status(error: BaseException) -> int:
    """The same for protocols in which a request that cannot be used is 400."""
    code, word = _kind(error)
    return 400 if (code, word) == _UNUSABLE else code


def reason(error: BaseException) -> str:
    """One word for machines and metrics."""
    return _kind(error)[1]


def _kind(error: BaseException) -> tuple[int, str]:
    """An error's status and its word; a batch has those of its first case."""
    if isinstance(error, BatchError):
        return _kind(error.errors[0])
    if isinstance(error, Refusal):
        return _REFUSALS.get(error.reason, 422), error.reason
    if isinstance(error, BusyError):
        return error.status, "busy"
    return next(((status, word) for kind, status, word in _KINDS if isinstance(error, kind)), (500, "internal"))


def as_json(error: BaseException) -> dict[str, Any]:
    """The error as a client sees it; ``cases`` holds the errors of a batch."""
    if isinstance(error, BatchError):
        return {**_words(error), "cases": [as_json(case) for case in error.errors]}
    return _words(error)


def _words(error: BaseException) -> dict[str, Any]:
    """One error as JSON."""
    if not isinstance(error, ProseformError):
        return {
            "type": "InternalError",
            "reason": "internal",
            "message": "The server made a mistake.",
            "hint": "Its log says which.",
        }
    return {"type": type(error).__name__, "reason": reason(error), "message": error.message, "hint": error.hint}


def headers(error: BaseException) -> dict[str, str]:
    """The headers of an error's response."""
    if isinstance(error, MethodError):
        return {"allow": error.allowed}
    if isinstance(error, UnauthorizedError):
        return {"www-authenticate": "Bearer"}
    if status(error) not in {429, 503}:
        return {}
    asked_s = error.retry_after_s if isinstance(error, EngineError | RateError) else None
    return {"retry-after": str(max(RETRY_AFTER_S, math.ceil(asked_s or 0)))}


def log(error: BaseException) -> None:
    """Log an internal error: its type and where it was raised, not its words, which may quote an input."""
    if status(error) == 500:  # noqa: PLR2004 - Internal Server Error
        _LOG.error("unforeseen: %s", traced(error))


def traced(error: BaseException) -> str:
    """An error, and those that caused it, as types and lines of code."""
    lines = [type(error).__name__, "\n", *traceback.format_tb(error.__traceback__)]
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(lines) + (f"caused by {traced(before)}" if before is not None else "")
