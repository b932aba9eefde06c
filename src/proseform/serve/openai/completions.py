"""Answers, chunks and errors in OpenAI's words."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from proseform import digest
from proseform.errors import ProseformError, Refusal
from proseform.infer.answer import Answer, Formatted
from proseform.serve import faults
from proseform.serve.events import event
from proseform.serve.exchange import written
from proseform.serve.openai.messages import Asked, ParameterError, UnknownModelError

DONE = b"data: [DONE]\n\n"
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}
_CALLERS, _SERVERS = "invalid_request_error", 500


@dataclass(frozen=True, slots=True)
class Completed:
    """An answer to a request.

    Attributes:
        asked: The request.
        outcome: The answer, or the formatter's part alone.
        bundle: The digest of the bundle that gave it.
        created: When, in seconds since 1970.
        number: What its id ends with.
    """

    asked: Asked
    outcome: Answer | Formatted
    bundle: str
    created: int = field(default_factory=lambda: int(time.time()))
    number: str = field(default_factory=lambda: secrets.token_hex(12))

    def as_dict(self) -> dict[str, Any]:
        """The whole, as a completion; ``proseform`` holds what else is known of the answer."""
        kind = "chat.completion" if self.asked.chat else "text_completion"
        choice = {"message": self._message()} if self.asked.chat else {"text": self._text}
        ends = {"index": 0, "logprobs": None, "finish_reason": self._finish}
        usage = self._usage()
        counted = {} if usage is None else {"usage": usage}
        return {**self._head(kind), "choices": [{**choice, **ends}], **counted, "proseform": self._beside()}

    def chunks(self) -> Iterator[bytes]:
        """The same as events, the last of which says that nothing follows."""
        kind = "chat.completion.chunk" if self.asked.chat else "text_completion"
        message: Any = self._message()
        if calls := message.get("tool_calls"):
            message["tool_calls"] = [{"index": 0, **calls[0]}]
        piece: dict[str, Any] = {"delta": message} if self.asked.chat else {"text": self._text}
        end: dict[str, Any] = {"delta": {}} if self.asked.chat else {"text": ""}
        more, last = ({"index": 0, "logprobs": None, "finish_reason": why} for why in (None, self._finish))
        usage = self._usage() if self.asked.usage else None
        head = {**self._head(kind), **({} if usage is None else {"usage": None})}
        yield event({**head, "choices": [{**piece, **more}]})
        yield event({**head, "choices": [{**end, **last}], "proseform": self._beside()})
        if usage is not None:
            yield event({**head, "choices": [], "usage": usage})
        yield DONE

    def _usage(self) -> dict[str, int] | None:
        """Tokens of all that engines were asked for; None where some engine has not counted both kinds."""
        generated, prompted = self.outcome.tokens, self.outcome.prompt_tokens
        if prompted is None:
            return None
        prompt = prompted if isinstance(prompted, int) else sum(prompted.values())
        completion = generated if isinstance(generated, int) else sum(generated.values())
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    @property
    def _text(self) -> str:
        """The verified JSON."""
        return written(self.outcome.value).decode()

    @property
    def _finish(self) -> str:
        """Why it ended: where the caller named the tool, OpenAI says ``stop``."""
        return "tool_calls" if self.asked.tool and not self.asked.forced else "stop"

    def _head(self, kind: str) -> dict[str, Any]:
        """What a completion and each of its chunks begin with."""
        number = f"{'chatcmpl' if self.asked.chat else 'cmpl'}-{self.number}"
        head = {"id": number, "object": kind, "created": self.created, "model": self.asked.model}
        return {**head, "system_fingerprint": digest.short(self.bundle)}

    def _message(self) -> dict[str, Any]:
        """The assistant's message."""
        if not self.asked.tool:
            return {"role": "assistant", "content": self._text, "refusal": None}
        function = {"name": self.asked.tool, "arguments": self._text}
        call = {"id": f"call_{self.number}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}

    def _beside(self) -> dict[str, Any]:
        """What else is known of the answer; of the formatter alone, that it is valid and no more."""
        if isinstance(self.outcome, Answer):
            return {name: value for name, value in self.outcome.as_dict().items() if name != "answer"}
        known = {"narrowed": self.outcome.narrowed, "cut": list(self.outcome.cut), "attempts": self.outcome.attempts}
        return {"verdict": "valid", **known, "bundle": self.bundle, "tokens": {"formatter": self.outcome.tokens}}


def listed(names: Sequence[str], created: int) -> dict[str, Any]:
    """The list of models.

    Args:
        names: Their names.
        created: Since when they are served, in seconds since 1970.
    """
    return {"object": "list", "data": [model(name, created) for name in names]}


def model(name: str, created: int) -> dict[str, Any]:
    """One model."""
    return {"id": name, "object": "model", "created": created, "owned_by": "proseform"}


def error(fault: BaseException) -> tuple[int, dict[str, Any]]:
    """An error's HTTP status and body."""
    status = faults.plain_status(fault)
    kind = (
        "refusal"
        if isinstance(fault, Refusal)
        else _TYPES.get(status, _CALLERS if status < _SERVERS else "server_error")
    )
    words = faults.as_json(fault)
    code = "model_not_found" if isinstance(fault, UnknownModelError) else words["reason"]
    message = str(fault) if isinstance(fault, ProseformError) else f"{words['message']} {words['hint']}"
    param = fault.param or None if isinstance(fault, ParameterError) else None
    return status, {"error": {"message": message, "type": kind, "param": param, "code": code}}


def broken(fault: Exception) -> bytes:
    """The last events of a stream that an error ends."""
    faults.log(fault)
    return event(error(fault)[1]) + DONE
