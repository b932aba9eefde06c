"""One protocol for engines: requests in, completions out. In process, or any OpenAI-compatible server.

- :mod:`~proseform.infer.answer`: the one path of an answer, for evaluation, the probe, the command line and serving
- :mod:`~proseform.infer.narrow`, :mod:`~proseform.infer.grounding`: what it does about models that ramble, and reports
- :mod:`~proseform.infer.local`: the engine in this process, on :mod:`~proseform.infer.decode` and :mod:`~proseform.infer.constrain`
- :mod:`~proseform.infer.http`: the engine by URL
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from proseform.bundle import Bundle, Role
from proseform.input import Input
from proseform.prompt import Rendered

FORM: dict[str, Any] = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "json_allowed_escapes": '"\\bfnrt',  # no \\u: a character is at most four bytes long, and lone surrogates cannot be spelt
}
"""How constrained JSON is written, in llguidance's words: as :func:`json.dumps` writes it, in one line.

vLLM's guidance back end reads the same options from a schema's ``x-guidance``.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One completion that is wanted.

    Attributes:
        role: Whose model completes.
        prompt: Its turns, ours and theirs apart, as :meth:`proseform.prompt.Prompt.render` gives.
        prefill: The beginning of the completion, given.
        schema: The JSON schema that the completion is constrained to; None lets it run free.
        max_tokens: The longest completion, in tokens, prefill not counted.
        temperature: 0 is greedy.
        seed: Of the sampling; equal seeds give equal completions on one engine and batch.
        deadline: When to give up, on the clock of :func:`time.monotonic`, in seconds; None waits.
    """

    role: Role
    prompt: Rendered
    prefill: str = ""
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back.

    Attributes:
        text: The completion, prefill included, special tokens left out.
        finish: ``stop`` where the model ended by itself, ``length`` where it was cut, ``deadline`` where time was up.
        tokens: Generated tokens.
        seconds: Wall-clock seconds of the call (of its batch, in process).
    """

    text: str
    finish: Literal["stop", "length", "deadline"]
    tokens: int
    seconds: float


class Engine(Protocol):
    """Completes requests for the roles of one bundle. Thread-safe."""

    bundle: Bundle

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion a request, in order.

        Raises:
            EngineError: The engine is away or answered nonsense; ``retryable`` says whether asking again can help.
            InputError: A schema that the engine cannot enforce, by the name of what it cannot.
            Refusal: A prompt that is too long for the model (``too_long``), or no time is left (``deadline``).
        """

    def room(self, request: Request) -> int | None:
        """How many tokens the model has left for a completion, at most; None where only the server knows."""

    def close(self) -> None:
        """Release models and connections."""


def ask(
    bundle: Bundle,
    role: Role,
    values: Mapping[str, Input | str],
    *,
    schema: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Request:
    """The request that a bundle's role makes of some values: its prompt, prefill and longest completion."""
    part = bundle.parts[role]
    request = {"max_tokens": part.generation.max_tokens, **overrides}
    return Request(role=role, prompt=part.prompt.render(values), prefill=part.prompt.prefill, schema=schema, **request)
