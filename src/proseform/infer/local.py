"""The in-process engine: the models of a bundle's folder in this process, with constrained decoding.

The embedded default and the judge of the evaluate stage. Only this module (with :mod:`proseform.infer.decode`) and
``proseform.train`` reach torch. Left out: streaming, and batching across callers; a lock lets one call through at a time.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from proseform import bundle as bundles
from proseform.bundle import Role
from proseform.errors import EngineError, Refusal, StoreError
from proseform.infer import Completion, Request, decode, tokens
from proseform.infer.constrain import Constraints

_END_OF_TURN = "<|im_end|>"
_SMALL = 20_000_000
"""Models of fewer parameters run on one thread: their kernels last microseconds, and threads that wait for one another
on busy cores made generation 25 times slower (2 threads, 2 cores, two other processes: 407 tokens/s instead of 10,032)."""

_MERGED = 500_000_000
"""On a CPU, bases of fewer parameters are held once for each adapter, merged: beside its base an adapter costs half the speed
(SmolLM2-135M, r = 32, 32 at once: 211 tokens/s, merged 430). Larger bases are held once."""


def load_model(
    base: Path, adapter: Path | None = None, dtype: str = "float32", device: str | None = None
) -> tuple[Any, Any]:
    """A model and its tokenizer from local folders, in evaluation mode.

    Args:
        base: An ordinary Hugging Face folder; the tokenizer is taken from here.
        adapter: A PEFT adapter folder.
        dtype: ``float32`` or ``bfloat16``.
        device: Where to put it; a GPU where there is one by default.

    Raises:
        StoreError: No model in the folder.
    """
    transformers_logging.disable_progress_bar()  # its bars would stand between ours
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(base), local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(str(base), dtype=getattr(torch, dtype), local_files_only=True)
    except (OSError, ValueError) as error:
        raise StoreError(f"{base}: no model can be loaded from here ({str(error).splitlines()[0]}).") from error
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter))
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval(), tokenizer


def stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """The token ids that end a completion: the tokenizer's, the model's own, and the end of a ChatML turn."""
    stated = getattr(model.generation_config, "eos_token_id", None)
    ids = {tokenizer.eos_token_id, *(stated if isinstance(stated, list) else [stated])}
    if _END_OF_TURN in tokenizer.get_vocab():
        ids.add(tokenizer.convert_tokens_to_ids(_END_OF_TURN))
    return frozenset(int(token) for token in ids if token is not None)


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
    """

    model: Any
    tokenizer: Any
    adapter: str
    limit: int
    stop: frozenset[int]
    constraints: Constraints | None = None

    @classmethod
    def of(cls, model: Any, tokenizer: Any, *, adapter: str = "", limit: int | None = None) -> RoleModel:
        """A role model over a loaded model; the model's own position limit is kept."""
        own = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 20)
        return cls(model, tokenizer, adapter, min(own, limit or own), stop_ids(model, tokenizer))

    def encode(self, request: Request) -> tuple[list[int], list[int]]:
        """Token ids of the prompt and of the prefill."""
        prefill = self.tokenizer(request.prefill, add_special_tokens=False)["input_ids"] if request.prefill else []
        return tokens.encode(self.tokenizer, request.prompt), list(prefill)

    def room(self, request: Request) -> int:
        """Tokens that are left for the completion; below 1 the prompt is too long."""
        prompt, prefill = self.encode(request)
        return self.limit - len(prompt) - len(prefill)

    def complete(self, requests: Sequence[Request], batch: int = 32) -> list[Completion]:
        """Complete requests, in batches of prompts of similar length; see :meth:`proseform.infer.Engine.generate`."""
        encoded = [self.encode(request) for request in requests]
        results: list[Completion | None] = [None] * len(requests)
        order = sorted(range(len(requests)), key=lambda index: len(encoded[index][0]))
        with self._switched():
            for start in range(0, len(order), batch):
                chosen = order[start : start + batch]
                began = time.monotonic()
                rows = [self._row(requests[index], *encoded[index]) for index in chosen]
                pad = self.tokenizer.pad_token_id
                decode.run(
                    self.model,
                    rows,
                    self.constraints,
                    pad=min(self.stop, default=0) if pad is None else pad,
                    stop=self.stop,
                )
                seconds = time.monotonic() - began
                for index, row in zip(chosen, rows, strict=True):
                    text = self._text(requests[index], encoded[index][1], row)
                    results[index] = Completion(text, row.finish or "length", len(row.ids), seconds)
        return [result for result in results if result is not None]

    def _row(self, request: Request, prompt: list[int], prefill: list[int]) -> decode.Row:
        """The row of a request."""
        room = self.limit - len(prompt) - len(prefill)
        if room < 1:
            raise too_long(request.role, len(prompt) + len(prefill), self.limit)
        matcher = None
        if request.schema is not None:
            if self.constraints is None:
                size = self.model.get_output_embeddings().weight.shape[0]
                self.constraints = Constraints(self.tokenizer, sorted(self.stop), size)
            matcher = self.constraints.matcher(request.schema, prefill)
        return decode.Row(
            [*prompt, *prefill], min(request.max_tokens, room), request.temperature, request.seed, matcher, request.deadline,
        )  # fmt: skip

    def _text(self, request: Request, prefill: list[int], row: decode.Row) -> str:
        """The completion's text, prefill included."""
        if row.matcher is not None and self.constraints is not None:
            return request.prefill + self.constraints.text(row.ids)
        whole = str(self.tokenizer.decode([*prefill, *row.ids], skip_special_tokens=True))
        if whole.startswith(request.prefill):
            return whole
        return request.prefill + str(self.tokenizer.decode(row.ids, skip_special_tokens=True))

    @contextmanager
    def _switched(self) -> Iterator[None]:
        """The role's adapter on, or every adapter off; a small model on one thread, others on as many as they may have."""
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


class LocalEngine:
    """An engine over a bundle's folder; see :class:`proseform.infer.Engine`.

    Args:
        folder: A bundle.
        check_files: Hash the model files first.
        batch: Requests that are decoded at once, at most.
        device: See :func:`load_model`.

    Raises:
        StoreError: No bundle there, altered files, or no model in them.
    """

    def __init__(self, folder: Path, *, check_files: bool = True, batch: int = 32, device: str | None = None) -> None:
        self.bundle = bundles.read(folder, check_files=check_files)
        self._batch = batch
        self._lock = threading.Lock()
        self._role_models = self._load(folder, device)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """See :meth:`proseform.infer.Engine.generate`."""
        results: dict[int, Completion] = {}
        with self._lock:
            for role in {request.role for request in requests}:
                mine = [index for index, request in enumerate(requests) if request.role == role]
                done = self._role_model(role).complete([requests[index] for index in mine], self._batch)
                results.update(zip(mine, done, strict=True))
        return [results[index] for index in range(len(requests))]

    def room(self, request: Request) -> int:
        """See :meth:`proseform.infer.Engine.room`."""
        return self._role_model(request.role).room(request)

    def close(self) -> None:
        """Release the models; a later call is an :class:`EngineError`."""
        self._role_models = {}

    def _role_model(self, role: Role) -> RoleModel:
        """The role model of a role."""
        if role not in self._role_models:
            raise EngineError("The in-process engine is closed.")
        return self._role_models[role]

    def _load(self, folder: Path, device: str | None) -> dict[Role, RoleModel]:
        """Each distinct base once, with the adapters of the roles that stand on it, or merged into a base of the role's own."""
        settings = self.bundle.settings
        role_models: dict[Role, RoleModel] = {}
        loaded: dict[str, tuple[Any, Any]] = {}
        for role, part in self.bundle.parts.items():
            if part.base not in loaded:
                loaded[part.base] = load_model(
                    folder / part.base, dtype=str(settings.get("dtype", "float32")), device=device
                )
            model, tokenizer = loaded[part.base]
            if part.adapter and model.device.type == "cpu" and model.num_parameters() < _MERGED:
                model = _merged(model, folder / part.adapter)
                role_models[role] = RoleModel.of(model, tokenizer, limit=part.generation.context_length)
                continue
            if part.adapter:
                model = _beside(model, folder / part.adapter, role)
                loaded[part.base] = (model, tokenizer)
            role_models[role] = RoleModel.of(
                model, tokenizer, adapter=role if part.adapter else "", limit=part.generation.context_length
            )
        for role, part in self.bundle.parts.items():
            if role_models[role].adapter or not part.adapter:
                role_models[role].model = loaded[part.base][0]  # an adapter loaded later has wrapped the base
        return role_models


def _merged(base: Any, adapter: Path) -> Any:
    """A copy of a base with an adapter merged into it."""
    from peft import PeftModel

    return PeftModel.from_pretrained(copy.deepcopy(base), str(adapter)).merge_and_unload().eval()


def _beside(base: Any, adapter: Path, name: str) -> Any:
    """A base with one more adapter beside it, to be switched on by its name."""
    from peft import PeftModel

    if hasattr(base, "peft_config"):
        base.load_adapter(str(adapter), adapter_name=name)
        return base.eval()
    return PeftModel.from_pretrained(base, str(adapter), adapter_name=name).eval()
