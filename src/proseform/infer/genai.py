"""What a span says of a call to a model, in the words of OpenTelemetry's conventions for generative AI.

As of the conventions' own repository (``semantic-conventions-genai``, "client inference"), which are in development:
span ``{gen_ai.operation.name} {gen_ai.request.model}``. What the conventions leave to opt-in, texts, is never stated.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal
from urllib.parse import urlsplit

from proseform.infer import Completion, Request, spans
from proseform.infer.spans import Facts, Span

Operation = Literal["chat", "text_completion"]


def calling(
    request: Request, operation: Operation, model: str, provider: str, url: str = "", **more: str | int | bool
) -> AbstractContextManager[Span]:
    """The span of a call.

    Args:
        request: What is asked.
        operation: By which endpoint.
        model: The name by which the model is asked for.
        provider: Whose protocol it is.
        url: The server's; empty where the model is in this process.
        more: Facts of ours, whose names get ``proseform.`` before them.
    """
    if not spans.on():
        return spans.span("")
    facts: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.output.type": "text" if request.schema is None else "json",
        "gen_ai.request.max_tokens": request.max_tokens,
        "gen_ai.request.temperature": float(request.temperature),
        "gen_ai.request.seed": request.seed,
        "proseform.role": request.role,
    }
    if url:
        parts = urlsplit(url)
        facts["server.address"] = parts.hostname or ""
        facts["server.port"] = parts.port or (443 if parts.scheme == "https" else 80)
    facts |= {f"proseform.{name}": value for name, value in more.items()}
    return spans.span(f"{operation} {model}", facts, "client" if url else "internal")


def given(completion: Completion) -> Facts:
    """What came back."""
    counted = completion.prompt_tokens
    return {
        "gen_ai.response.finish_reasons": [completion.finish],
        "gen_ai.usage.output_tokens": completion.tokens,
        **({} if counted is None else {"gen_ai.usage.input_tokens": counted}),
    }
