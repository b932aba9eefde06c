"""A model as a role uses it: requests become rows that are decoded, and rows completions.

Imported by :mod:`proseform.infer.local` only.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from proseform.errors import ProseformError, Refusal
from proseform.infer import Completion, Request, calls, decode, loading, tokens
from proseform.infer.drafts import Drafting
from proseform.infer.grammars.constrain import Constraints
from proseform.infer.worker import Job

if TYPE_CHECKING:
    from llguidance import LLMatcher

_LOG = logging.getLogger("proseform.infer")
_SMALL = 20_000_000
"""Models of fewer parameters run on one thread: their kernels last microseconds, and threads that wait for one another
on busy cores made generation 25 times slower (2 threads, 2 cores, two other processes: 407 instead of 10,032 tokens/s).
"""


@dataclass
class RoleModel:
    """A model as a role uses it.

    Attributes:
        model: The model; roles with adapters on one base share it.
        tokenizer: Its tokenizer.
        adapter: The name of the adapter to switch on; empty where the base is the whole model.
        limit: Tokens that prompt and completion may have together.
        stop: The ids that end a completion.
        constraints: Over this tokenizer; None while nothing was constrained.
        drafting: What is drafted, so that fewer passes are needed; None has a pass for each token.
        passes: Of all completions so far.
    """

    model: Any
    tokenizer: Any
    limit: int
    stop: frozenset[int]
    adapter: str = ""
    constraints: Constraints | None = None
    drafting: Drafting | None = None
    passes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, model: Any, tokenizer: Any, *, limit: int | None = None, **settings: Any) -> RoleModel:
        """A role model over a loaded model, with other fields by name; the model's own position limit is kept."""
        own = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 20)
        stop = loading.stop_ids(model, tokenizer)
        return cls(model, tokenizer, limit=min(own, limit or own), stop=stop, **settings)

    def encode(self, request: Request) -> tuple[list[int], list[int]]:
        """Token ids of all that is given, and of the prefill at its end."""
        prefill = tokens.continuation(self.tokenizer, request.prefill) if request.prefill else []
        return tokens.given(self.tokenizer, request.prompt, request.prefill), prefill

    def room(self, request: Request) -> int:
        """Tokens that are left for the completion; below 1 the prompt is too long."""
        return self.limit - len(self.encode(request)[0])

    def check(self, request: Request, left: Future[None] | None = None) -> None:
        """Compile a request's schema, and what its endings need: here rather than while a batch is decoded.

        Args:
            request: With the schema.
            left: Is done once nobody wants to know any more.

        Raises:
            InputError: It cannot be enforced.
            Refusal: ``deadline``.
            CancelledError: ``left`` is done.
        """
        constraints, schema = self._constraints(), request.schema or {}
        constraints.matcher(schema, self.encode(request)[1], deadline=request.deadline, left=left)
        constraints.endings(schema, deadline=request.deadline, left=left)

    def batches(self, requests: Sequence[Request], size: int) -> list[list[int]]:
        """Indices of requests in batches of prompts of similar length; they follow from the requests alone."""
        lengths = [self._length(request) for request in requests]
        order = sorted(range(len(requests)), key=lengths.__getitem__)
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _length(self, request: Request) -> int:
        """Tokens of all that is given; none where it cannot be encoded, which its own completion tells."""
        try:
            return len(self.encode(request)[0])
        except ProseformError:
            return 0

    def complete(self, jobs: Sequence[Job]) -> list[Completion | ProseformError]:
        """Complete one batch: an outcome for each job, in order."""
        outcomes: list[Completion | ProseformError | None] = [None] * len(jobs)
        rows: dict[int, tuple[decode.Row, list[int]]] = {}
        for index, job in enumerate(jobs):
            try:
                given, prefill = self.encode(job.request)
                row = self._row(job.request, given, prefill)
            except ProseformError as error:
                outcomes[index] = error
                continue
            row.watch = self._watch(job, prefill)
            rows[index] = row, prefill
        began = time.monotonic()
        if rows:
            self._decode([row for row, _ in rows.values()])
        seconds = time.monotonic() - began
        for index, (row, prefill) in rows.items():
            text = self._text(jobs[index].request, prefill, row)
            finish = "length" if row.finish in {"", "left"} else row.finish
            cut = row.budget.cut(row.ids) if row.budget is not None else ()
            counted = {"tokens": len(row.ids), "prompt_tokens": len(row.prompt)}
            outcomes[index] = Completion(text, finish, seconds=seconds, cut=cut, fault=row.fault, **counted)  # type: ignore[arg-type]
        return [outcome for outcome in outcomes if outcome is not None]

    def _decode(self, rows: Sequence[decode.Row]) -> None:
        """Complete rows in place."""
        pad = self.tokenizer.pad_token_id
        with self._switched():
            self.passes += decode.run(
                self.model,
                rows,
                self.constraints,
                pad=min(self.stop, default=0) if pad is None else pad,
                stop=self.stop,
                drafting=self.drafting,
            )

    def _watch(self, job: Job, prefill: list[int]) -> Callable[[decode.Row], bool]:
        """What looks at a row after every token: hands its text on, and ends it where nobody waits any more."""
        shown = ""

        def watch(row: decode.Row) -> bool:
            nonlocal shown
            if job.on_text is not None and not job.left:
                text = self._text(job.request, prefill, row)
                cut = text.endswith("\N{REPLACEMENT CHARACTER}")  # a character may take tokens
                whole = bool(row.finish) or (row.budget is None and not cut)  # tokens of a document may be taken back
                if whole and text.startswith(shown) and text != shown:
                    job.on_text(text[len(shown) :])
                    shown = text
            return not job.left or bool(row.finish)

        return watch

    def _constraints(self) -> Constraints:
        """Over this tokenizer, made with the first schema."""
        with self._lock:
            if self.constraints is None:
                size = self.model.get_output_embeddings().weight.shape[0]
                self.constraints = Constraints(self.tokenizer, sorted(self.stop), size)
            return self.constraints

    def _row(self, request: Request, given: list[int], prefill: list[int]) -> decode.Row:
        """The row of a request."""
        room = self.limit - len(given)
        if room < 1:
            raise too_long(request.role, len(given), self.limit)
        most = min(request.max_tokens, room)
        matcher = budget = None
        renew: Callable[[], LLMatcher | None] | None = None
        if request.schema is not None:
            constraints = self._constraints()
            renew = partial(constraints.own, request.schema, prefill)
            how: dict[str, Any] = {"deadline": request.deadline, "once": request.once}
            matcher = constraints.matcher(request.schema, prefill, **how)
            budget = constraints.budget(request.schema, prefill, most, **how)
        elif request.form is not None:
            matcher, renew = self._constraints().held(request.form, prefill), _freely
        row = decode.Row(given, most, request.temperature, request.seed, matcher, request.deadline)
        row.budget, row.renew = budget, renew
        if self.drafting is not None and request.expected.startswith(request.prefill):
            row.expected = tokens.continuation(self.tokenizer, request.expected[len(request.prefill) :])
        if self.model.config.is_encoder_decoder:
            row.given = len(given) - len(tokens.encode(self.tokenizer, request.prompt))
        return row

    def _text(self, request: Request, prefill: list[int], row: decode.Row) -> str:
        """The completion's text, prefill included, without the end of a call's frame."""
        if row.matcher is not None and self.constraints is not None:
            return request.prefill + self.constraints.text(row.ids)
        whole = str(self.tokenizer.decode([*prefill, *row.ids], skip_special_tokens=True))
        if not whole.startswith(request.prefill):
            whole = request.prefill + str(self.tokenizer.decode(row.ids, skip_special_tokens=True))
        return calls.bare(whole, calls.frame(self.tokenizer, request.prompt))

    @contextmanager
    def _switched(self) -> Iterator[None]:
        """The role's adapter on, or every adapter off.

        A small model on one thread, others on as many as they may have.
        """
        if self.adapter:
            self.model.set_adapter(self.adapter)
        off = self.model.disable_adapter() if not self.adapter and hasattr(self.model, "peft_config") else nullcontext()
        threads = torch.get_num_threads()
        torch.set_num_threads(1 if self.model.num_parameters() < _SMALL else _threads())
        try:
            with off:
                yield
        finally:
            torch.set_num_threads(threads)


def _freely() -> None:
    """What follows on a form whose grammar is used up: nothing. The text is judged all the same."""
    _LOG.warning("an evaluation is written freely from here on: llguidance cannot hold it to its grammar any longer")


def _threads() -> int:
    """``OMP_NUM_THREADS``, else every hardware thread of this process; torch counts cores, not threads."""
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def too_long(role: str, tokens: int, limit: int) -> Refusal:
    """The refusal of a prompt that leaves no room."""
    return Refusal(
        "too_long",
        f"The {role}'s prompt has {tokens} tokens; the model takes {limit}, completion included.",
        hint="Shorten the inputs, or serve a model with a longer context.",
    )
