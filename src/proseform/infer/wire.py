"""OpenAI's protocol, as vLLM and others speak it: requests as JSON bodies, responses as completions or errors.

Pure; :mod:`proseform.infer.http` sends and receives. HTTP 200 proves nothing: shapes are checked here, and JSON is
verified by the chain. Where a prompt has a function called (:mod:`proseform.infer.calls`), the arguments of that call
are the text. Left out: log probabilities, several choices, several calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from proseform.errors import EngineError, EngineFaultError, InputError, ProseformError, Refusal
from proseform.infer import Completion, Request, calls, tokens
from proseform.infer.context import Encoder
from proseform.infer.grammars.compile import form
from proseform.infer.spec import Dialect
from proseform.prompt import Rendered

CHAT, PLAIN = "/v1/chat/completions", "/v1/completions"
_ANOTHER_SHAPE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What is raised where a server's JSON is none, or of another shape."""
BUSY = frozenset({429, 502, 503, 504})
"""Statuses after which asking again can help."""
_TOO_LONG = (
    "maximum context length",
    "maximum model length",
    "max_model_len",
    "context_length_exceeded",
    "longer than the maximum",
)
_SCHEMA = ("grammar", "schema", "guidance", "structured", "guided", "json_schema", "unimplemented keys")


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it is sent.

    Attributes:
        path: Of the endpoint.
        body: The JSON body.
        given: The prefill, which the server does not repeat; empty where the completion begins without it.
        bare: Takes the end of a call's frame from a text.
    """

    path: str
    body: Mapping[str, Any]
    given: str
    bare: Callable[[str], str] = str


def call(
    request: Request,
    model: str,
    dialect: Dialect,
    encoder: Encoder | None = None,
    *,
    constrained: bool = True,
    stream: bool = False,
) -> Call:
    """Token ids and plain prompts go to the one endpoint, messages to the chat endpoint.

    Args:
        request: The request.
        model: The role's model name at the server.
        dialect: Whether ids are understood, and how a schema is asked for. ``openai`` sends no field that OpenAI's own
            API does not have.
        encoder: Turns the prompt into token ids, in which no text of theirs is a control token. Without it, or where
            ids are not understood, text is sent, in which such strings are broken visibly.
        constrained: False leaves the schema out, for a server that knows none.
        stream: Ask for the text piece by piece.

    The trap: a server's grammar begins where generation begins, so a prefill under a schema would stand twice; there it
    is left to the grammar, which forces the same characters.
    """
    schema = request.schema if constrained else None
    given = "" if schema is not None else request.prefill
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    ids = encoder is not None and dialect == "vllm"
    if schema is not None and (ids or not request.prompt.arguments):
        body |= _structured(schema, dialect)
    if encoder is not None and ids:
        body |= {"prompt": encoder.ids(request, prefill=bool(given)), "stop_token_ids": encoder.stop()}
        return Call(PLAIN, body, given, partial(encoder.bare, request) if request.prompt.arguments else str)
    prompt = tokens.broken(request.prompt, encoder.tokenizer if encoder else None)
    if prompt.arguments:
        return Call(CHAT, {**body, "messages": prompt.messages, **_called(prompt, schema, dialect)}, "", calls.read)
    if prompt.style == "plain":
        return Call(PLAIN, {**body, "prompt": prompt.text + given}, given)
    messages = prompt.messages
    if given and dialect == "openai":
        given = ""  # OpenAI's chat cannot continue a message: the model begins by itself
    elif given:
        messages.append({"role": "assistant", "content": given})
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return Call(CHAT, {**body, "messages": messages}, given)


def _called(prompt: Rendered, schema: Mapping[str, Any] | None, dialect: Dialect) -> dict[str, Any]:
    """The function that is to be called, whose arguments the server holds to the schema, in the server's words."""
    held = json.loads(prompt.arguments) if schema is None else dict(schema)
    strict = {"strict": True} if schema is not None and dialect == "openai" else {}
    named = {"type": "function", "function": {"name": calls.NAME}}
    return {"tools": calls.function(held, **strict), "tool_choice": named}


def _structured(schema: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """A schema in the server's words."""
    if dialect == "vllm":
        return {"structured_outputs": {"json": {**schema, "x-guidance": form(schema)}}}
    answer = {"name": "answer", "strict": True, "schema": dict(schema)}
    return {"response_format": {"type": "json_schema", "json_schema": answer}}


def count(request: Request, model: str) -> Call:
    """Have vLLM count a prompt (its ``/tokenize``, which goes through the chat template as the completion would)."""
    prompt = tokens.broken(request.prompt)
    if prompt.style == "plain":
        return Call("/tokenize", {"model": model, "prompt": prompt.text + request.prefill}, "")
    messages = prompt.messages
    body: dict[str, Any] = {"model": model, "messages": messages, **calls.tools(prompt)}
    if request.prefill and not prompt.arguments:
        messages.append({"role": "assistant", "content": request.prefill})
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return Call("/tokenize", body, "")


def room(data: bytes, limit: int) -> int | None:
    """Tokens that a server's count leaves for the completion; None where it is no count.

    Args:
        data: The response.
        limit: Tokens that the bundle gives prompt and completion together; 0 where it does not say.
    """
    try:
        body = json.loads(data)
        counted, most = body["count"], body["max_model_len"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if type(counted) is not int or type(most) is not int:
        return None
    return min(most, limit or most) - counted


def completion(data: bytes, sent: Call, seconds: float) -> Completion:
    """The completion in a response of status 200.

    Raises:
        EngineError: There is none; what stands there instead is named.
    """
    try:
        body = json.loads(data)
        choice = body["choices"][0]
        text = _said(choice["message"]) if sent.path == CHAT else choice["text"]
        finish = choice["finish_reason"]
    except _ANOTHER_SHAPE as error:
        raise EngineError(f"The engine's answer is no completion ({type(error).__name__}: {error}).") from error
    return _ended(text, finish, body.get("usage"), sent, seconds)


def _said(message: Mapping[str, Any]) -> Any:
    """What a message says: the arguments of its one function call, or its content."""
    called = message.get("tool_calls")
    return called[0]["function"]["arguments"] if called and len(called) == 1 else message["content"]


@dataclass(slots=True)
class Stream:
    """A completion that arrives as server-sent events.

    Attributes:
        sent: What was asked.
        pieces: The text so far, prefill left out.
        finish: How it ended; None while it has not.
        usage: What the server counted.
        ended: Whether the server said that nothing follows.
    """

    sent: Call
    pieces: list[str] = field(default_factory=list)
    finish: Any = None
    usage: Any = None
    ended: bool = False

    def take(self, line: bytes) -> str:
        """One line of the body: the text that it brings, often none.

        Raises:
            EngineError: It is no event, or the server reports an error in it.
        """
        if not line.startswith(b"data:"):
            return ""  # blank lines between events, comments, and fields that nobody sends here
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            self.ended = True
            return ""
        try:
            event = json.loads(data)
            if "error" in event:
                raise EngineError(f"The engine broke off: {words(data)}")
            self.usage = event.get("usage") or self.usage
            if not event["choices"]:
                return ""
            choice = event["choices"][0]
            self.finish = choice.get("finish_reason") or self.finish
            piece = choice.get("delta", {}).get("content") if self.sent.path == CHAT else choice.get("text")
        except _ANOTHER_SHAPE as error:
            raise EngineError(f"The engine's stream is none ({type(error).__name__}: {error}).") from error
        if piece is not None and not isinstance(piece, str):
            raise EngineError(f"The engine's stream has no text (its content is {type(piece).__name__}).")
        self.pieces.append(piece or "")
        return piece or ""

    def completion(self, seconds: float) -> Completion:
        """The whole, once the stream has ended.

        Raises:
            EngineError: It just stopped: a stream that does not say how it ended is no success.
        """
        if self.finish is None:
            raise EngineError("The engine's stream stopped before the completion ended.")
        return _ended("".join(self.pieces), self.finish, self.usage, self.sent, seconds)


def _ended(text: Any, finish: Any, usage: Any, sent: Call, seconds: float) -> Completion:
    """A completion out of its parts, or what is wrong with them."""
    if not isinstance(text, str):
        raise EngineError(f"The engine's answer has no text (its content is {type(text).__name__}).")
    finish = "stop" if finish == "tool_calls" else finish
    if finish not in ("stop", "length"):
        raise EngineError(f"The engine's answer ended by '{finish!s:.40}', expected stop or length.")
    generated, prompted = _counted(usage, "completion_tokens"), _counted(usage, "prompt_tokens")
    known = None if generated is None else prompted
    said = sent.bare(text)
    whole = said if sent.given and said.startswith(sent.given) else sent.given + said  # some servers begin anew
    return Completion(whole, finish, generated or 0, seconds, prompt_tokens=known)


def _counted(usage: Any, name: str) -> int | None:
    """What a server counted; None where that is no count, which is its own affair and no fault of the text."""
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if type(count) is int and count >= 0 else None


def fault(status: int, data: bytes, request: Request) -> ProseformError:
    """The error of an HTTP status, in the server's words."""
    message = words(data)
    lower = message.lower()
    if status in {400, 413, 422} and any(mark in lower for mark in _TOO_LONG):
        hint = "Shorten the inputs, or serve a model with a longer context."
        return Refusal("too_long", f"The {request.role}'s prompt is too long: {message}", hint=hint)
    if status in {400, 422} and request.schema is not None and any(mark in lower for mark in _SCHEMA):
        hint = "State it as plain properties, enums and bounds."
        return InputError(f"The engine cannot enforce the schema: {message}", hint=hint)
    if status in BUSY:
        return EngineError(f"The engine is busy: HTTP {status} ({message}).", hint="Try again later.")
    if 400 <= status < 500:  # noqa: PLR2004 - the client's fault, by HTTP
        hint = "Check its URL, model names, dialect and key."
        return EngineFaultError(f"The engine refused the request: HTTP {status}: {message}", hint=hint)
    return EngineError(f"The engine failed: HTTP {status}: {message}")


def knows_no_schema(status: int, data: bytes) -> bool:
    """Whether the server refused because it does not know OpenAI's ``response_format`` here."""
    return status in {400, 422} and "response_format" in words(data)


def knows_no_system(sent: Call, status: int, data: bytes) -> bool:
    """Whether the server's chat template refused the system turn: by name, or as roles that do not alternate."""
    messages = sent.body.get("messages", ())
    if status not in {400, 422, 500} or len(messages) < 2 or messages[0]["role"] != "system":  # noqa: PLR2004
        return False
    message = words(data).lower()
    return ("system" in message and "role" in message) or "roles must alternate" in message


def words(data: bytes) -> str:
    """The server's message, wherever it put it, at most 300 characters."""
    text = data.decode(errors="replace")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = text
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and key in body:
            body = body[key]
    return (body if isinstance(body, str) else str(body))[:300].strip() or "no message"


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that the server asks to wait, by a number or by a date (RFC 9110, 10.2.3); else None.

    Args:
        value: The header.
        now: The wall clock, in seconds since 1970.
    """
    try:
        seconds = float(value or "")
    except ValueError:
        try:
            seconds = max(0.0, parsedate_to_datetime(value or "").timestamp() - now)
        except (ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds < float("inf") else None
