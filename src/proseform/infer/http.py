"""The engine by URL: any OpenAI-compatible server, foremost vLLM.

Messages go to ``/v1/chat/completions``, plain prompts to ``/v1/completions``. HTTP 200 proves nothing: shapes are
checked here, and JSON is verified by whoever asked. Every request has a connection of its own: one that is kept would hold
on to a replica that has been told to go, and a Kubernetes Service chooses a replica by connection; beside a completion it
costs nothing. Left out: streaming, tools, and the server's own tokenizer (a prompt that is too long is the server's to
refuse; :meth:`HttpEngine.room` knows nothing).
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import httpx

from proseform.bundle import ROLES, Bundle, Role
from proseform.errors import ConfigError, EngineError, EngineFaultError, InputError, ProseformError, Refusal
from proseform.infer import FORM, Completion, Request

Dialect = Literal["vllm", "openai"]

_BUSY = frozenset({429, 502, 503, 504})
_BACKOFF_S = 0.25
_LONGEST_WAIT_S = 8.0
_TOO_LONG = (
    "maximum context length",
    "maximum model length",
    "max_model_len",
    "context_length_exceeded",
    "longer than the maximum",
)
_SCHEMA = ("grammar", "schema", "guidance", "structured", "guided", "json_schema", "unimplemented keys")


class HttpEngine:
    """An engine behind a URL; see :class:`proseform.infer.Engine`.

    Args:
        url: Of the server, with or without ``/v1``.
        bundle: What the server runs; the prompts and the schema are taken from it.
        evaluator_model: The evaluator's model name at the server.
        formatter_model: The formatter's.
        evaluator_url: Of the evaluator's server, where it is another.
        dialect: How a schema is asked for: vLLM's ``structured_outputs`` or OpenAI's ``response_format``.
        api_key: Sent as a bearer token where it is not empty.
        timeout_s: Longest wait for one completion, in seconds.
        retries: How often a busy (429, 502, 503, 504) or unreachable server is asked again.
        concurrency: Requests in flight at once.
        transport: For tests.

    Raises:
        ConfigError: A URL that is none.
    """

    def __init__(
        self,
        url: str,
        bundle: Bundle,
        *,
        evaluator_model: str = "evaluator",
        formatter_model: str = "formatter",
        evaluator_url: str = "",
        dialect: Dialect = "vllm",
        api_key: str = "",
        timeout_s: float = 120.0,
        retries: int = 3,
        concurrency: int = 16,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        for each in (url, evaluator_url or url):
            if not each.startswith(("http://", "https://")):
                raise ConfigError(
                    f"The engine's URL is '{each}'.",
                    hint="It begins with http:// or https://, such as http://localhost:8000.",
                )
        self.bundle = bundle
        roots = (evaluator_url or url, url)
        self._roots: dict[Role, str] = {
            role: root.rstrip("/").removesuffix("/v1") for role, root in zip(ROLES, roots, strict=True)
        }
        self._models: dict[Role, str] = dict(zip(ROLES, (evaluator_model, formatter_model), strict=True))
        self._dialect = dialect
        self._timeout_s = timeout_s
        self._retries = retries
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=0)
        self._client = httpx.Client(headers=headers, limits=limits, transport=transport)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="engine")

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """See :meth:`proseform.infer.Engine.generate`; requests are sent side by side, the first error ends the rest."""
        if len(requests) == 1:
            return [self._one(requests[0])]
        futures = [self._pool.submit(self._one, request) for request in requests]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def room(self, request: Request) -> int | None:
        """Only the server knows."""
        del request
        return None

    def close(self) -> None:
        """See :meth:`proseform.infer.Engine.close`."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _one(self, request: Request) -> Completion:
        """One completion, with retries within the deadline."""
        path, body, given = payload(request, self._models[request.role], self._dialect)
        began, root = time.monotonic(), self._roots[request.role]
        for attempt in range(self._retries + 1):
            try:
                response = self._client.post(f"{root}{path}", json=body, timeout=self._patience(request))
            except httpx.ConnectError as error:
                fault: ProseformError = EngineError(f"The engine at {root} is away ({error}).", hint="Is it running?")
                wait = None
            except httpx.TimeoutException as error:
                if request.deadline is not None and time.monotonic() >= request.deadline:
                    raise _late(request) from error
                raise EngineError(f"The engine at {root} did not answer within {self._timeout_s:g} s.") from error
            except httpx.HTTPError as error:
                fault = EngineError(f"The engine at {root} broke off ({type(error).__name__}: {error}).")
                wait = None
            else:
                if response.status_code not in _BUSY:
                    return _completion(response, request, given, path, time.monotonic() - began)
                fault = EngineError(
                    f"The engine is busy: HTTP {response.status_code} ({_words(response)}).", hint="Try again later."
                )
                wait = _retry_after(response)
            if attempt < self._retries:
                self._pause(request, attempt, wait)
        raise fault

    def _patience(self, request: Request) -> float:
        """Seconds that this call may take."""
        if request.deadline is None:
            return self._timeout_s
        left = request.deadline - time.monotonic()
        if left <= 0:
            raise _late(request)
        return min(left, self._timeout_s)

    def _pause(self, request: Request, attempt: int, asked_s: float | None) -> None:
        """Wait before the next attempt: as long as the server asked, else doubling, with jitter; never past the deadline."""
        doubled_s = _BACKOFF_S * 2**attempt * (0.5 + random.random())
        wait_s = min(doubled_s if asked_s is None else asked_s, _LONGEST_WAIT_S)
        if request.deadline is not None and time.monotonic() + wait_s >= request.deadline:
            raise _late(request)
        time.sleep(wait_s)


def payload(request: Request, model: str, dialect: Dialect) -> tuple[str, dict[str, Any], str]:
    """What is sent: the path, the body, and the prefill that the server will not repeat.

    The trap: a server's grammar begins where generation begins, so a prefill under a schema would stand twice; there it
    is left to the grammar, which forces the same characters.
    """
    given = "" if request.schema is not None else request.prefill
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
    }
    if request.schema is not None:
        body |= _structured(request.schema, dialect)
    if request.prompt.style == "plain":
        return "/v1/completions", {**body, "prompt": request.prompt.text + given}, given
    messages = request.prompt.messages
    if given:
        messages.append({"role": "assistant", "content": given})
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return "/v1/chat/completions", {**body, "messages": messages}, given


def _structured(schema: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """A schema in the server's words."""
    if dialect == "vllm":
        return {"structured_outputs": {"json": {**schema, "x-guidance": FORM}}}
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": dict(schema)},
        }
    }


def _completion(response: httpx.Response, request: Request, given: str, path: str, seconds: float) -> Completion:
    """What a server's answer says, or what is wrong with it."""
    if not response.is_success:
        raise _fault(response, request)
    try:
        body = response.json()
        choice = body["choices"][0]
        text = choice["message"]["content"] if path.endswith("chat/completions") else choice["text"]
        finish = choice["finish_reason"]
    except (ValueError, LookupError, TypeError) as error:
        raise EngineError(f"The engine's answer is no completion ({type(error).__name__}: {error}).") from error
    if not isinstance(text, str):
        raise EngineError(f"The engine's answer has no text (its content is {type(text).__name__}).")
    if finish not in {"stop", "length"}:
        raise EngineError(f"The engine's answer ended by '{finish}', expected stop or length.")
    usage = body.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return Completion(given + text, finish, tokens if isinstance(tokens, int) else 0, seconds)


def _fault(response: httpx.Response, request: Request) -> ProseformError:
    """The error of an HTTP status, in the server's words."""
    words, status = _words(response), response.status_code
    lower = words.lower()
    if status in {400, 413, 422} and any(mark in lower for mark in _TOO_LONG):
        hint = "Shorten the inputs, or serve a model with a longer context."
        return Refusal("too_long", f"The {request.role}'s prompt is too long: {words}", hint=hint)
    if status in {400, 422} and request.schema is not None and any(mark in lower for mark in _SCHEMA):
        return InputError(
            f"The engine cannot enforce the schema: {words}", hint="State it as plain properties, enums and bounds."
        )
    if status in {400, 401, 403, 404, 405, 422}:
        return EngineFaultError(
            f"The engine refused the request: HTTP {status}: {words}", hint="Check its URL, model names and key."
        )
    return EngineError(f"The engine failed: HTTP {status}: {words}")


def _words(response: httpx.Response) -> str:
    """The server's message, wherever it put it, at most 300 characters."""
    try:
        body = response.json()
    except ValueError:
        body = response.text
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and key in body:
            body = body[key]
    return (body if isinstance(body, str) else str(body))[:300].strip() or "no message"


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait."""
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _late(request: Request) -> Refusal:
    """The refusal of an answer that took too long."""
    return Refusal(
        "deadline",
        f"Time was up at the {request.role}.",
        hint="Allow more time, or try again when the engine is less busy.",
    )
