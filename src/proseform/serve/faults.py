"""Errors as HTTP: a status, and always the same JSON: ``{"error": {"type", "reason", "message", "hint"}}``.

::

    422  invalid body, inputs, schema or file; or the models gave no valid JSON
    413  a body that is too large, or inputs that are too long for the model
    404  no such task, route or model      405  the wrong method
    503  the engine does not answer, or the queue is full (Retry-After)        502  the engine refused
    504  the deadline has passed
    500  an internal error; its details are only in the log
"""

from __future__ import annotations

import logging
import math
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


def status(error: BaseException) -> int:
    """The HTTP status of an error."""
    match error:
        case BatchError():
            return status(error.errors[0])
        case Refusal():
            return _REFUSALS.get(error.reason, 422)
        case TooLargeError():
            return 413
        case NotFoundError():
            return 404
        case MethodError():
            return 405
        case InputError():
            return 422
        case EngineFaultError():
            return 502
        case EngineError():
            return error.status if isinstance(error, BusyError) else 503
    return 500


def reason(error: BaseException) -> str:
    """One word for machines and metrics."""
    match error:
        case BatchError():
            return reason(error.errors[0])
        case Refusal():
            return error.reason
        case BusyError():
            return "busy"
        case TooLargeError():
            return "too_large"
        case NotFoundError():
            return "not_found"
        case MethodError():
            return "method"
        case InputError():
            return "input"
        case EngineError():
            return "engine"
    return "internal"


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
    if status(error) not in {429, 503}:
        return {}
    asked_s = error.retry_after_s if isinstance(error, EngineError) else None
    return {"retry-after": str(max(RETRY_AFTER_S, math.ceil(asked_s or 0)))}


def log(error: BaseException) -> None:
    """Log an internal error; its traceback holds nothing of a request except what code put into messages."""
    if status(error) == 500:  # noqa: PLR2004 - Internal Server Error
        _LOG.error("unforeseen", exc_info=error)
