"""A scripted engine behind HTTP, right except where it is told to fail: it weighs parcels, or has another script."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from benchmarks.storm import faults

_CASE = re.compile(r"Parcel: ([a-z ]+), (\d+) g\s+Rule: at most (\d+) g")
_PROSE = re.compile(r"weighs (\d+) g, (\d+) g are allowed\. Note: ([a-z ]+)\. Verdict: (send|refuse)\.")


class Backend:
    """One replica of one role.

    Attributes:
        fails: Which faults it has, of which each failing call draws one; empty has none.
        share: The share of calls that fail, in [0, 1].
        calls: Completions that it was asked for.
        failed: Of them, by fault.
        aborted: Of them, those whose caller has left.

    Args:
        seed: Of what fails when.
        takes_s: How long a right answer takes, in seconds.
        right: The right text for a request's body; None weighs parcels.
    """

    def __init__(
        self, seed: int, takes_s: float = 0.02, right: Callable[[Mapping[str, Any]], str] | None = None
    ) -> None:
        self.fails: tuple[str, ...] = ()
        self.share = 1.0
        self.calls = self.aborted = 0
        self.failed: Counter[str] = Counter()
        self._draw = random.Random(seed)
        self._takes_s = takes_s
        self._right = right or _weighed
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen; again on the same port."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        app.router.add_get("/{path:.*}", self._models)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be away: connections are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _models(self, _request: web.Request) -> web.StreamResponse:
        """It lists no models."""
        return web.json_response({"data": []})

    async def _take(self, request: web.Request) -> web.StreamResponse:
        """One request, answered or failed."""
        if request.path == "/tokenize":
            return web.json_response({"count": 60, "max_model_len": 2048})
        body = await request.json()
        chat = request.path.endswith("chat/completions")
        self.calls += 1
        text = self._right(body)
        try:
            if self.fails and self._draw.random() < self.share:
                name = self._draw.choice(self.fails)
                self.failed[name] += 1
                return await faults.FAULTS[name](request, chat, text)
            await asyncio.sleep(self._takes_s)
            return web.json_response(faults.completion(chat, text))
        except asyncio.CancelledError:
            self.aborted += 1
            raise


def _weighed(body: Mapping[str, Any]) -> str:
    """The right text for a request of either role."""
    prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
    if case := _CASE.search(prompt):
        thing, grams, allowed = case[1], int(case[2]), int(case[3])
        verdict = "send" if grams <= allowed else "refuse"
        return f"The parcel weighs {grams} g, {allowed} g are allowed. Note: {thing}. Verdict: {verdict}."
    prose = _PROSE.search(prompt)
    assert prose is not None, "the chain sends verified prose alone"
    return json.dumps({"verdict": prose[4], "grams": int(prose[1]), "note": prose[3]})
