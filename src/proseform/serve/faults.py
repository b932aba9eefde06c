"""Errors as HTTP: a status, and always the same JSON: ``{"error": {"type", "reason", "message", "hint"}}``.

::

    422  the inputs, the schema or a file cannot be used; or no valid JSON came of it
    413  too much: a body, or inputs longer than the model
    404  no such task, route or model      405  the wrong method      400  not JSON
    503  the engine is away or the queue is full (Retry-After)        502  the engine refused
    504  time was up
    500  a fault of ours; its words stay in the log
"""

from __future__ import annotations

import logging
from typing import Any

from proseform.errors import EngineError, EngineFaultError, InputError, ProseformError, Refusal

_LOG = logging.getLogger("proseform.serve")
_REFUSALS = {"deadline": 504, "too_long": 413, "engine": 503}
RETRY_AFTER_S = 1


class BusyError(EngineError):
    """The queue is full."""


class TooLargeError(InputError):
    """A request body that is too large."""


class NotFoundError(InputError):
    """No such task or route."""


class BatchError(ProseformError):
    """A batch of which every case failed.

    Args:
        errors: One for each case.
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
        case InputError():
            return 422
        case EngineFaultError():
            return 502
        case EngineError():
            return 503
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
        case InputError():
            return "input"
        case EngineError():
            return "engine"
    return "internal"


def as_json(error: BaseException) -> dict[str, Any]:
    """The error as a client sees it."""
    if not isinstance(error, ProseformError):
        return {
            "type": "InternalError",
            "reason": "internal",
            "message": "The server made a mistake.",
            "hint": "Its log says which.",
        }
    return {"type": type(error).__name__, "reason": reason(error), "message": error.message, "hint": error.hint}


def headers(error: BaseException) -> dict[str, str]:
    """What else the client is told."""
    return {"retry-after": str(RETRY_AFTER_S)} if status(error) == 503 else {}  # noqa: PLR2004 - Service Unavailable


def install(app: Any) -> None:
    """Give a FastAPI app these answers, in the place of KServe's own."""
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from kserve import errors as kserve
    from starlette.exceptions import HTTPException

    def say(code: int, error: dict[str, Any], extra: dict[str, str] | None = None) -> Any:
        return JSONResponse({"error": error}, code, extra)

    def plain(code: int, word: str) -> Any:
        async def handler(_request: Any, error: Exception) -> Any:
            return say(code, {"type": type(error).__name__, "reason": word, "message": str(error), "hint": ""})

        return handler

    async def ours(_request: Any, error: ProseformError) -> Any:
        body = as_json(error)
        if isinstance(error, BatchError):
            body["cases"] = [as_json(each) for each in error.errors]
        return say(status(error), body, headers(error))

    async def http(_request: Any, error: HTTPException) -> Any:
        word = {404: "not_found", 405: "method"}.get(error.status_code, "request")
        words = {"type": "HTTPError", "reason": word, "message": str(error.detail), "hint": ""}
        return say(error.status_code, words, dict(error.headers or {}))

    async def shape(_request: Any, error: RequestValidationError) -> Any:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        return say(422, {"type": "RequestError", "reason": "input", "message": f"{place}: {first['msg']}.", "hint": ""})

    async def unforeseen(_request: Any, error: Exception) -> Any:
        _LOG.error("unforeseen", exc_info=error)
        return say(500, as_json(error))

    app.add_exception_handler(ProseformError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, shape)
    app.add_exception_handler(Exception, unforeseen)
    app.add_exception_handler(kserve.InvalidInput, plain(400, "request"))
    app.add_exception_handler(kserve.ModelNotFound, plain(404, "not_found"))
    app.add_exception_handler(kserve.ModelNotReady, plain(503, "engine"))
