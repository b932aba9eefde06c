"""What a server says of itself to whoever may ask: its bundles, its models, and what V2 calls metadata."""

from __future__ import annotations

from collections.abc import Mapping

from proseform.serve import v2
from proseform.serve.admission import Admission
from proseform.serve.exchange import Exchange, Response
from proseform.serve.routes import Route


class About:
    """Answers questions that ask no engine.

    Args:
        admission: Knows the task and the bundles.
        name: The model's name in KServe's protocols.
    """

    def __init__(self, admission: Admission, name: str) -> None:
        self._admission = admission
        self._name = name
        self.routes = [
            Route(r"/v1/bundle", "GET", self._bundle),
            Route(r"/v1/models", "GET", self._models),
            Route(r"/v2", "GET", self._server),
            Route(r"/v2/models/(?P<name>[^/]+)(/versions/(?P<version>[^/]+))?", "GET", self._metadata),
        ]

    async def _bundle(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """The bundles that answer, and their weights."""
        rows = []
        for weighted in self._admission.router.engines:
            bundle = weighted.engine.bundle
            row = {"digest": bundle.digest, "task": bundle.task, "task_contract": bundle.task_contract}
            rows.append({**row, "weight": weighted.weight})
        inputs, schema = list(self._admission.task.inputs), dict(bundle.schema)
        return Response.of_json({"bundles": rows, "inputs": inputs, "schema": schema})

    async def _models(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V1's list of models."""
        return Response.of_json({"models": [self._name]})

    async def _server(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V2's metadata of the server."""
        return Response.of_json(v2.server())

    async def _metadata(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """V2's metadata of the model."""
        return Response.of_json(v2.metadata(self._name, self._admission.task.inputs))
