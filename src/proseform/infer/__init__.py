"""One protocol for engines: a request in, a completion out. In process, or any OpenAI-compatible server.

- :mod:`~proseform.infer.answer`: the public functions: one answer, many answers, the formatter's turn alone
- :mod:`~proseform.infer.chain`: how an answer proceeds, as a state machine without I/O
- :mod:`~proseform.infer.drive`: the waiting: asks the engine what the chain asks for
- :mod:`~proseform.infer.mending`, :mod:`~proseform.infer.narrow`, :mod:`~proseform.infer.grounding`: what the chain
  does about faults that a rule can mend and models that ramble, and what it reports
- :mod:`~proseform.infer.grammars`: what becomes of a schema before an engine is asked
- :mod:`~proseform.infer.local`: the engine in this process, on :mod:`~proseform.infer.worker` and
  :mod:`~proseform.infer.decode`; :mod:`~proseform.infer.endings` brings its documents to an end
- :mod:`~proseform.infer.http`: the engine by URL, on :mod:`~proseform.infer.wire`; :mod:`~proseform.infer.spec` says
  which; :mod:`~proseform.infer.resilience` bears servers that fail
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from proseform.bundle import Bundle, Role
from proseform.errors import ProseformError, Refusal
from proseform.guided import Form
from proseform.input import Input
from proseform.prompt import Rendered

FORM: dict[str, Any] = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    # no \\u: a character is at most four bytes long, and lone surrogates cannot be spelt
    "json_allowed_escapes": '"\\bfnrt',
}
"""How constrained JSON is written, in llguidance's words: as :func:`json.dumps` writes it, in one line.

vLLM's guidance back end reads the same options from a schema's ``x-guidance``.
"""


OnText = Callable[[str], None]
"""Receives a completion's text piece by piece, as a draft: joined, the pieces are a prefix of the completion."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one completion.

    Attributes:
        role: Whose model completes.
        prompt: Its turns, ours and theirs apart, as :meth:`proseform.prompt.Prompt.render` gives.
        prefill: The beginning of the completion, given.
        schema: The JSON schema that the completion is constrained to; None lets it run free.
        max_tokens: The longest completion, in tokens, prefill not counted.
        temperature: 0 is greedy.
        seed: Of the sampling; equal seeds give equal completions on one engine and batch.
        deadline: When to give up, on the clock of :func:`time.monotonic`, in seconds; None waits.
        accepts: Whether a text needs no further asking, where that can be told from the text alone: of two replicas
            that are asked side by side, the first accepted one wins.
        blames: Whether a text that is not accepted, though it ended by itself under the schema, is the server's fault.
        avoid: Names of backends whose text was not accepted: another is asked where there is one.
        form: What the completion is held to, where it has no schema; None lets it run free. Only the engine in this
            process holds it to that.
        expected: What the completion probably is, prefill included. It changes no text: an engine in this process has
            fewer passes where it is right.
        once: Whether the schema is of this request alone, so that nothing is kept of its compilation.
    """

    role: Role
    prompt: Rendered
    prefill: str = ""
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0
    deadline: float | None = None
    accepts: Callable[[str], bool] | None = field(default=None, compare=False, repr=False)
    blames: bool = False
    avoid: frozenset[str] = frozenset()
    form: Form | None = field(default=None, repr=False)
    expected: str = field(default="", compare=False, repr=False)
    once: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back.

    Attributes:
        text: The completion, prefill included, special tokens left out.
        finish: ``stop`` where the model ended by itself, ``length`` where it was cut, ``deadline`` where time was up.
        tokens: Generated tokens.
        seconds: Wall-clock seconds of the call (of its batch, in process).
        cut: JSON pointers of what was cut short so that the document could end within its budget; "" is all of it.
        fault: Why a constrained document did not come to its end: the budget is too small for the schema, or the
            grammar engine met a limit of its own. None where it ended, and where only the server knows.
        backend: Which of several servers gave it; empty where there is no choice.
        constrained: Whether the server was held to the request's schema.
        prompt_tokens: Tokens of the prompt, where whoever completed it counted these and those that it generated.
    """

    text: str
    finish: Literal["stop", "length", "deadline"]
    tokens: int
    seconds: float
    cut: tuple[str, ...] = ()
    fault: Refusal | None = None
    backend: str = field(default="", compare=False)
    constrained: bool = True
    prompt_tokens: int | None = None


class Engine(Protocol):
    """Completes requests for the roles of one bundle; its methods may be awaited side by side.

    Attributes:
        bundle: The bundle that it runs.
        ends: Whether it ends a constrained document within ``max_tokens`` by itself. Where it does not, the chain asks
            again under a narrower schema.
        tokenizer: The evaluator's (see :mod:`proseform.infer.tokens`), so that inputs which spell its control tokens
            can be told; None where it is not at hand.
    """

    bundle: Bundle
    ends: bool

    @property
    def tokenizer(self) -> Any:
        """See above."""

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """One completion. Cancelling the awaiting task cancels the request, down to the model.

        Args:
            request: What to complete.
            on_text: Receives the text while it is written.

        Raises:
            EngineError: The engine is away or answered nonsense; ``retryable`` says whether asking again can help.
            InputError: A schema that the engine cannot enforce, by the name of what it cannot.
            Refusal: A prompt that is too long for the model (``too_long``), or no time is left (``deadline``).
        """

    async def complete_all(self, requests: Sequence[Request]) -> list[Completion | ProseformError]:
        """One outcome a request, in order; an error of one ends no other.

        In process the batches follow from the requests alone, so that equal plans give equal texts. By URL the requests
        are sent side by side.
        """

    async def check(self, request: Request) -> None:
        """Look at a request's schema, before anything is asked.

        Raises:
            InputError: It cannot be enforced; what the engine says is in the message.
            EngineError: The engine is away.
        """

    async def room(self, request: Request) -> int | None:
        """How many tokens the model has left for a completion, at most; None where nobody can count."""

    async def close(self) -> None:
        """Release models and connections; what is waiting fails with an :class:`~proseform.errors.EngineError`."""


@runtime_checkable
class Remote(Protocol):
    """An engine elsewhere, which may be away."""

    async def trouble(self) -> str:
        """Why it answers nothing now, in words; empty where it answers. How long to wait is the caller's to say."""


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
    form = Form(part.grammar, values) if part.grammar else None
    request = {"max_tokens": part.generation.max_tokens, "form": form, **overrides}
    return Request(role=role, prompt=part.prompt.render(values), prefill=part.prompt.prefill, schema=schema, **request)


def late(role: Role) -> Refusal:
    """The refusal of an answer that took too long."""
    hint = "Allow more time, or try again when the engine is less busy."
    return Refusal("deadline", f"Time was up at the {role}.", hint=hint)
