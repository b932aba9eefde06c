"""The in-process engine: the models of a bundle's folder in this process, with constrained decoding.

The embedded default and the judge of the evaluate stage. Only this module (with :mod:`proseform.infer.role_model` and
what that decodes by) and ``proseform.train`` reach torch. One thread owns the models (:mod:`proseform.infer.worker`);
requests of several callers are gathered into batches. Left out: joining a batch that runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from proseform import bundle as bundles
from proseform.bundle import ROLES, Role
from proseform.errors import EngineError, ProseformError
from proseform.infer import Completion, OnText, Request, genai, loading
from proseform.infer.drafts import DRAFTING, Drafting
from proseform.infer.role_model import RoleModel
from proseform.infer.worker import Job, Worker

_CHECKS = 32
"""Callers whose schemas are looked at side by side: nearly all of their threads do nothing but wait in line."""


class LocalEngine:
    """An engine over a bundle's folder; see :class:`proseform.infer.Engine`.

    Args:
        folder: A bundle.
        check_files: Hash the model files first.
        batch: Requests that are decoded at once, at most.
        device: See :func:`proseform.infer.loading.load_model`.
        drafting: What is drafted, so that fewer passes are needed; None has a pass for each token. The texts are the
            same.

    Raises:
        StoreError: No bundle there, altered files, or no model in them.
    """

    ends = True

    def __init__(
        self,
        folder: Path,
        *,
        check_files: bool = True,
        batch: int = 32,
        device: str | None = None,
        drafting: Drafting | None = DRAFTING,
    ) -> None:
        self.bundle = bundles.read(folder, check_files=check_files)
        self._batch = batch
        self._drafting = drafting
        self._role_models = self._load(folder, device)
        self._worker = Worker(self._run, batch)
        self._checks = ThreadPoolExecutor(_CHECKS, "check")  # those that wait in line hold up no other work in threads

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """See :meth:`proseform.infer.Engine.complete`."""
        loop = asyncio.get_running_loop()
        job = Job(request, on_text and (lambda piece: loop.call_soon_threadsafe(on_text, piece)))
        with genai.calling(request, "text_completion", request.role, "proseform") as span:
            self._worker.submit([job], gather=True)
            completion = await asyncio.wrap_future(job.future)
            span.set(genai.given(completion))
        return completion

    async def complete_all(self, requests: Sequence[Request]) -> list[Completion | ProseformError]:
        """See :meth:`proseform.infer.Engine.complete_all`; one batch is ended before the next begins."""
        jobs = [Job(request) for request in requests]
        for role in ROLES:
            mine = [job for job in jobs if job.request.role == role]
            for batch in self._role_model(role).batches([job.request for job in mine], self._batch) if mine else ():
                self._worker.submit([mine[index] for index in batch], gather=False)
        outcomes = await asyncio.gather(*(asyncio.wrap_future(job.future) for job in jobs), return_exceptions=True)
        faults = [outcome for outcome in outcomes if not isinstance(outcome, Completion | ProseformError)]
        if faults:
            raise faults[0]
        return [outcome for outcome in outcomes if isinstance(outcome, Completion | ProseformError)]

    @property
    def tokenizer(self) -> Any:
        """See :class:`proseform.infer.Engine`."""
        return self._role_model("evaluator").tokenizer

    async def check(self, request: Request) -> None:
        """See :meth:`proseform.infer.Engine.check`; a caller that leaves, leaves the line of compilations too."""
        left: Future[None] = Future()
        loop, role_model = asyncio.get_running_loop(), self._role_model(request.role)
        try:
            await loop.run_in_executor(self._checks, role_model.check, request, left)
        finally:
            left.set_result(None)

    async def room(self, request: Request) -> int:
        """See :meth:`proseform.infer.Engine.room`."""
        return await asyncio.to_thread(self._role_model(request.role).room, request)

    async def close(self) -> None:
        """See :meth:`proseform.infer.Engine.close`; the batch that runs is ended first."""
        await asyncio.to_thread(self._worker.close)
        self._role_models = {}
        self._checks.shutdown(wait=False)

    def _run(self, jobs: Sequence[Job]) -> list[Completion | ProseformError]:
        """Complete a batch of one role, in the worker's thread."""
        return self._role_model(jobs[0].request.role).complete(jobs)

    def _role_model(self, role: Role) -> RoleModel:
        """The role model of a role."""
        if role not in self._role_models:
            raise EngineError("The in-process engine is closed.")
        return self._role_models[role]

    def _load(self, folder: Path, device: str | None) -> dict[Role, RoleModel]:
        """Each distinct base once, with its roles' adapters on it, or merged into a base of the role's own."""
        settings = self.bundle.settings
        role_models: dict[Role, RoleModel] = {}
        loaded: dict[str, tuple[Any, Any]] = {}
        for role, part in self.bundle.parts.items():
            if part.base not in loaded:
                loaded[part.base] = loading.load_model(
                    folder / part.base, dtype=str(settings.get("dtype", "float32")), device=device, kind=part.kind
                )
            model, tokenizer = loaded[part.base]
            if part.adapter and model.device.type == "cpu" and model.num_parameters() < loading.MERGED:
                model = loading.merged(model, folder / part.adapter)
                role_models[role] = RoleModel.of(
                    model, tokenizer, limit=part.generation.context_length, drafting=self._drafting
                )
                continue
            if part.adapter:
                model = loading.beside(model, folder / part.adapter, role)
                loaded[part.base] = (model, tokenizer)
            role_models[role] = RoleModel.of(
                model,
                tokenizer,
                limit=part.generation.context_length,
                adapter=role if part.adapter else "",
                drafting=self._drafting,
            )
        for role, part in self.bundle.parts.items():
            if role_models[role].adapter or not part.adapter:
                role_models[role].model = loaded[part.base][0]  # an adapter loaded later has wrapped the base
        return role_models
