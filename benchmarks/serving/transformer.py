"""A plain KServe transformer: ``python -m benchmarks.serving.transformer ENGINE_PORT --http_port PORT``.

What KServe's own examples do: a model whose ``predict`` asks the engine by httpx, and hands on what it says.
"""

from __future__ import annotations

import sys
from typing import Any

import httpx
from kserve import Model, ModelServer

from benchmarks.serving.cases import CHAT, MODEL


class Transformer(Model):
    """Prose to JSON by the engine.

    Args:
        port: The engine's.
    """

    def __init__(self, port: int) -> None:
        super().__init__(MODEL)
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self.ready = True

    async def predict(self, payload: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """KServe's V1."""
        texts = []
        for instance in payload["instances"]:
            body = {"model": MODEL, "messages": [{"role": "user", "content": instance["prose"]}]}
            response = await self._client.post(CHAT, json=body)
            response.raise_for_status()
            texts.append(response.json()["choices"][0]["message"]["content"])
        return {"predictions": texts}


if __name__ == "__main__":
    ModelServer(enable_grpc=False, access_log_format=None).start([Transformer(int(sys.argv[1]))])
