"""The methods of ``GRPCInferenceService``, as routes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from proseform.serve import v2
from proseform.serve.exchange import Exchange, Response
from proseform.serve.grpc import bodies, messages
from proseform.serve.routes import Route, check_model
from proseform.serve.several import Read, Several

ASKS = f"/{messages.SERVICE}/ModelInfer"
"""The one method that asks an engine: a POST, as by HTTP; each other is a GET."""
_NAMES_BYTES = 64 * 1024
"""The largest message that only names a model, which some ask for without a key."""


class Door:
    """Answers calls by gRPC.

    Args:
        several: Answers the cases of a request.
        name: The model's name.
        ready: Raises an :class:`~proseform.errors.EngineError` if no answer can be given now.
    """

    def __init__(self, several: Several, name: str, ready: Callable[[], Awaitable[None]]) -> None:
        self._several = several
        self._name = name
        self._ready_now = ready

        self.routes = [
            Route(re.escape(ASKS), "POST", self._infer),
            Route(_path("ModelMetadata"), "GET", self._metadata),
            Route(_path("ServerMetadata"), "GET", self._server),
            Route(_path("ModelReady"), "GET", self._model_ready, open=True),
            Route(_path("ServerReady"), "GET", self._ready, open=True),
            Route(_path("ServerLive"), "GET", self._live, open=True),
        ]

    async def _infer(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Cases and their answers."""
        task = self._several.task

        async def read() -> Read:
            message = messages.read("ModelInferRequest", await exchange.body())
            check_model(message.model_name, message.model_version, self._name)
            asked = bodies.asked(message, task)
            return asked.instances, partial(bodies.response, asked, model=self._name)

        return await self._several.answered(exchange, read)

    async def _metadata(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """What the model takes and gives."""
        exchange.limit = _NAMES_BYTES
        message = messages.read("ModelMetadataRequest", await exchange.body())
        check_model(message.name, message.version, self._name)
        stated = v2.metadata(self._name, self._several.task.inputs)
        return bodies.written(messages.new("ModelMetadataResponse", **stated))

    async def _server(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """What the server is; an extension of HTTP is none here."""
        stated = {name: value for name, value in v2.server().items() if name != "extensions"}
        return bodies.written(messages.new("ServerMetadataResponse", **stated))

    async def _model_ready(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Readiness of the model."""
        exchange.limit = _NAMES_BYTES
        message = messages.read("ModelReadyRequest", await exchange.body())
        check_model(message.name, message.version, self._name)
        return await self._readiness("ModelReadyResponse")

    async def _ready(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Readiness of the server."""
        return await self._readiness("ServerReadyResponse")

    async def _live(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """Liveness of the server."""
        return bodies.written(messages.new("ServerLiveResponse", live=True))

    async def _readiness(self, message: str) -> Response:
        """A message that says that it is ready; else an error says why not."""
        await self._ready_now()
        return bodies.written(messages.new(message, ready=True))


def _path(method: str) -> str:
    """The pattern of a method's path."""
    return re.escape(f"/{messages.SERVICE}/{method}")
