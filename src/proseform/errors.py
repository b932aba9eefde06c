"""Every error that Proseform raises on purpose.

::

    ProseformError              exit 1   anything below
    ├── InputError              exit 2   what was given cannot be used; nothing was started
    │   ├── ConfigError                  a run file: unknown key, value out of range
    │   ├── TaskError                    a task folder that breaks a law
    │   ├── RowError                     a dataset row of the wrong shape
    │   └── DocumentError                a file that cannot be read as text
    ├── Refusal                 exit 3   an answer that could not be made valid in time; typed, with its reason
    ├── StageError              exit 4   a stage failed; carries the stage's own reason
    │   └── NoSignalError                GRPO collapsed: no group has carried a signal for N steps
    ├── ClusterError            exit 4   the API server refused something, or is away
    ├── StoreError              exit 5   a payload is missing, incomplete or altered
    ├── RegistryError           exit 5   no such model, alias or bundle
    └── EngineError             exit 6   the engine is away or answered nonsense; asking again can help
        └── EngineFaultError             the engine refused the request; asking again cannot help

A bad completion is a value, never an error: see :mod:`proseform.verify`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ProseformError(Exception):
    """An error with words for the person who meets it.

    Args:
        message: What happened and where, with what exists ("no task 'cvs'; installed: cv").
        hint: What to do about it, one sentence; may be empty.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """The whole paragraph: what happened, then what to do."""
        return f"{self.message} {self.hint}".strip()

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON: ``type``, ``message``, ``hint``, ``retryable``."""
        return {"type": type(self).__name__, "message": self.message, "hint": self.hint, "retryable": self.retryable}


class InputError(ProseformError):
    """What was given cannot be used."""

    exit_code = 2


class ConfigError(InputError):
    """A run file with an unknown key or a value out of range."""


class TaskError(InputError):
    """A task folder that is incomplete or breaks a law."""


class RowError(InputError):
    """A dataset row of the wrong shape."""


class DocumentError(InputError):
    """A file that cannot be read as text."""


class Refusal(ProseformError):
    """An answer that could not be made valid: what a client gets instead of invalid JSON.

    Args:
        reason: One of :class:`proseform.verify.Reason` or ``deadline``, ``too_long``, ``engine``,
            ``disagreement``, ``insufficient_evidence``.
        message: What happened.
        hint: What the caller can do.
    """

    exit_code = 3

    def __init__(self, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason

    def as_dict(self) -> dict[str, Any]:
        """As :meth:`ProseformError.as_dict`, with ``reason``."""
        return {**super().as_dict(), "reason": self.reason}


class StageError(ProseformError):
    """A stage failed; the message is the stage's own reason."""

    exit_code = 4


class NoSignalError(StageError):
    """GRPO has collapsed: no group has carried a signal for a whole window of steps, and what is earned is little."""


class ClusterError(ProseformError):
    """The API server refused something, or is away.

    Args:
        message: What happened.
        hint: What to do about it.
        status: HTTP status; 0 where there was no answer.
    """

    exit_code = 4

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class StoreError(ProseformError):
    """A payload is missing, incomplete or altered."""

    exit_code = 5


class RegistryError(ProseformError):
    """No such model, alias or bundle."""

    exit_code = 5


class EngineError(ProseformError):
    """The engine is away, too slow, or answered nonsense.

    Args:
        message: What happened.
        hint: What to do about it.
        retry_after_s: When asking again can help, in seconds from now; None where nobody knows.
    """

    exit_code = 6
    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class EngineFaultError(EngineError):
    """The engine refused the request itself: no such model, no permission, a parameter it does not know."""

    retryable = False
