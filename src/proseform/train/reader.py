"""The reader of free prose: a frozen formatter that turns completions into JSON, all of a batch together.

It is the very formatter that goes into the bundle, trained by SFT on gold prose alone; nothing of it is trained here.
It writes greedily, held to the task's schema or to nothing at all (:func:`proseform.roundtrip.or_nothing`), within the
budget that the bundle states. Equal texts are read once, and batches follow from the texts alone: what is made of them
does not depend on their order, and a step that is repeated after an interruption is rewarded as before.

Left out: sharing the base with the policy where both are adapters; the formatter has a copy of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from proseform import config, roundtrip, verify
from proseform.infer import Completion, Request, loading
from proseform.infer.drafts import DRAFTING
from proseform.infer.role_model import RoleModel
from proseform.infer.worker import Job
from proseform.task import Task

_BATCH = 64
"""Texts that are read at once, at most."""


class Reader:
    """Makes JSON of prose.

    Args:
        model: A formatter.
        task: Whose prompt and schema it has.
        max_tokens: The longest document, in tokens.
    """

    def __init__(self, model: RoleModel, task: Task, max_tokens: int) -> None:
        self._model, self._task, self._most = model, task, max_tokens
        self._schema = roundtrip.or_nothing(task.schema)
        self._signature = task.formatter.shown(task.schema)

    @classmethod
    def load(cls, run: config.Run, task: Task, formatter: Path, base: Path) -> Self:
        """The reader of a formatter's payload, as the stage sft has written it.

        Args:
            run: Gives dtype, device, context and budget.
            task: The task.
            formatter: The folder of its weights: a whole model, or an adapter.
            base: The folder of the model that an adapter belongs to.
        """
        adapter = (formatter / "adapter_config.json").is_file()
        device = "cpu" if run.launch.device == "cpu" else None
        model, tokenizer = loading.load_model(base if adapter else formatter, dtype=run.model.dtype, device=device)
        if adapter:
            model = loading.merged(model, formatter)
        limit = run.model.max_length
        role_model = RoleModel.of(model.requires_grad_(False), tokenizer, limit=limit, drafting=DRAFTING)
        return cls(role_model, task, run.generation.formatter.max_tokens)

    def read(self, texts: Sequence[str]) -> dict[str, Any]:
        """What the formatter makes of each text: text to JSON of the task's schema, or None where it makes nothing.

        Deterministic, and independent of the order of the texts.
        """
        made: dict[str, Any] = dict.fromkeys(sorted({*texts}))
        asked = [text for text in made if text.strip()]
        requests = [self._request(text) for text in asked]
        for batch in self._model.batches(requests, _BATCH):
            completions = self._model.complete([Job(requests[place]) for place in batch])
            for place, completion in zip(batch, completions, strict=True):
                made[asked[place]] = self._value(completion)
        return made

    def _request(self, prose: str) -> Request:
        """What the formatter is asked, as in training and serving."""
        prompt = self._task.formatter
        values: Mapping[str, str] = {"prose": prose, "schema": self._signature}
        return Request("formatter", prompt.render(values), prompt.prefill, self._schema.grammar, self._most)

    def _value(self, completion: Completion | Exception) -> Any:
        """The JSON of a completion where the task's schema takes it; a text too long to be read says nothing."""
        if not isinstance(completion, Completion):
            return None
        verdict = verify.answer(completion.text, self._task.schema)
        return verdict.value if verdict.ok else None
