"""The routes of OpenAI's protocol, under ``/openai/v1``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from proseform.infer import spans
from proseform.schema import Schema
from proseform.serve import reading
from proseform.serve.admission import Admission
from proseform.serve.events import Put, Stream
from proseform.serve.exchange import Exchange, Response
from proseform.serve.openai import completions, messages
from proseform.serve.openai.completions import Completed
from proseform.serve.openai.messages import Asked, File, UnknownModelError
from proseform.serve.routes import Route
from proseform.serve.waiting import deadline, in_time, unless_gone


class Door:
    """Answers OpenAI's clients.

    Args:
        admission: Answers cases.
        reader: Reads inputs.
    """

    def __init__(self, admission: Admission, reader: reading.Reader) -> None:
        self._admission = admission
        self._reader = reader
        self._since = int(time.time())
        self.routes = [
            Route(r"/openai/v1/chat/completions", "POST", self._chat),
            Route(r"/openai/v1/completions", "POST", self._text),
            Route(r"/openai/v1/models", "GET", self._models),
            Route(r"/openai/v1/models/(?P<model>.+)", "GET", self._model),
        ]

    async def _chat(self, exchange: Exchange, _values: Mapping[str, str]) -> Response | Stream:
        """A chat completion."""
        return await self._completion(exchange, messages.chat)

    async def _text(self, exchange: Exchange, _values: Mapping[str, str]) -> Response | Stream:
        """A completion of a prompt."""
        return await self._completion(exchange, messages.text)

    async def _completion(self, exchange: Exchange, read: Callable[[Any, Any], Asked]) -> Response | Stream:
        """A completion, whole or streamed."""

        async def asks() -> tuple[Asked, dict[str, Any], Schema | None]:
            with spans.span("reading"):
                asked = read(await self._reader.json(await exchange.body()), self._admission.task)
                schema = None if asked.schema is None else await self._reader.schema(asked.schema, until)
                inputs = {name: await self._input(name, value, until) for name, value in (asked.inputs or {}).items()}
                return asked, inputs, schema

        async def answers() -> Completed:
            if asked.inputs is None:
                formatted, bundle = await self._admission.converted(
                    asked.prose, schema=schema, deadline=until, kind=exchange.rank
                )
                return Completed(asked, formatted, bundle)
            answer = await self._admission.answer(
                inputs, schema=schema, deadline=until, tenant=exchange.tenant, kind=exchange.rank
            )
            return Completed(asked, answer, answer.bundle)

        async def writes(put: Put) -> None:
            completed = await in_time(exchange, self._admission, answers())
            for chunk in completed.chunks():
                put(chunk)

        until = deadline(exchange, self._admission)
        asked, inputs, schema = await in_time(exchange, self._admission, asks())
        if asked.stream:
            return await Stream(writes, completions.broken).begun(exchange)
        completed = await in_time(exchange, self._admission, unless_gone(exchange, answers()))
        return Response.of_json(completed.as_dict())

    async def _input(self, name: str, value: Any, until: float) -> Any:
        """An input: a file is read by the deadline, anything else is text or the task's object."""
        if isinstance(value, File):
            return await self._reader.document(name, value.data, value.name, until)
        return reading.as_text(self._admission.task, name, value)

    async def _models(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """The models of this server's task."""
        return Response.of_json(completions.listed(messages.models(self._admission.task), self._since))

    async def _model(self, _exchange: Exchange, values: Mapping[str, str]) -> Response:
        """One of them."""
        known = messages.models(self._admission.task)
        if values["model"] not in known:
            raise UnknownModelError(f"No model {values['model']!r:.80} here.", hint=f"There are {', '.join(known)}.")
        return Response.of_json(completions.model(values["model"], self._since))
