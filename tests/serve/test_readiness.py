"""Readiness asks the engines, seldom and briefly; liveness does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from aiohttp import web

from proseform import testing
from proseform.infer import Remote
from proseform.infer.http import HttpEngine
from proseform.infer.spec import EngineSpec
from proseform.serve.admission import Admission
from proseform.serve.app import App
from proseform.serve.readiness import Readiness
from proseform.serve.router import Router, Weighted

BUNDLE = testing.toy_bundle(testing.toy_task())


class Models:
    """A server that lists its models."""

    def __init__(self) -> None:
        self.status, self.health, self.asked, self.url, self.keys = 200, 0, 0, "", set()

    async def get(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.keys.add(request.headers.get("authorization"))
        return web.json_response({"data": []}, status=self.status)

    async def healthy(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.health)

    @asynccontextmanager
    async def up(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/v1/models", self.get)
        if self.health:
            app.router.add_get("/health", self.healthy)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def trouble(status: int = 200, *, health: int = 0, **spec: str) -> tuple[str, Models]:
    """The trouble that an engine by URL has with such a server."""

    async def run() -> tuple[str, Models]:
        models = Models()
        models.status, models.health = status, health
        async with models.up() as url:
            engine = HttpEngine(EngineSpec(url, **spec), BUNDLE)
            words = await engine.trouble()
            await engine.close()
            return words, models

    return asyncio.run(run())


@pytest.mark.parametrize("status", [200, 404, 405, 429])
def test_a_server_that_answers_is_ready_whatever_it_knows(status):
    """Servers without /v1/models can answer, and so can busy ones."""
    assert trouble(status)[0] == ""


@pytest.mark.parametrize(
    ("status", "words"),
    [(500, "not ready"), (502, "not ready"), (503, "not ready"), (401, "refuses the key"), (403, "refuses")],
)
def test_a_server_that_cannot_answer_is_told_in_words(status, words):
    assert words in trouble(status)[0]
    assert str(status) in trouble(status)[0]


def test_a_server_that_fails_to_list_its_models_is_asked_for_its_health():
    """`transformers serve` without a model hub's cache is such a one."""
    assert trouble(500, health=200)[0] == ""
    assert "is not ready (HTTP 500)" in trouble(500, health=503)[0]


def test_a_server_that_is_away_is_told():
    async def run() -> str:
        engine = HttpEngine(EngineSpec("http://127.0.0.1:9"), BUNDLE)
        words = await engine.trouble()
        await engine.close()
        return words

    assert "does not answer" in asyncio.run(run())


def test_one_replica_that_answers_is_enough_and_one_that_hangs_keeps_nobody_waiting():
    async def run() -> tuple[str, str]:
        models, hung = Models(), asyncio.Event()
        async with models.up() as url, await asyncio.start_server(lambda _r, _w: hung.wait(), "127.0.0.1", 0) as silent:
            port = silent.sockets[0].getsockname()[1]
            urls = f"http://127.0.0.1:9,http://127.0.0.1:{port},{url}"
            engine = HttpEngine(EngineSpec(urls), BUNDLE)
            ready = await engine.trouble()
            await engine.close()
            engine = HttpEngine(EngineSpec(url, "http://127.0.0.1:9"), BUNDLE)
            no_evaluator = await engine.trouble()
            await engine.close()
            hung.set()
            return ready, no_evaluator

    ready, no_evaluator = asyncio.run(run())
    assert ready == ""
    assert "127.0.0.1:9 does not answer" in no_evaluator


def test_one_server_for_both_roles_is_asked_once_and_with_the_key(tmp_path):
    (tmp_path / "key").write_text("s3cret")
    _, models = trouble(key_file=str(tmp_path / "key"))
    assert models.asked == 1
    assert models.keys == {"Bearer s3cret"}


class Scripted:
    """A remote engine that counts its probes."""

    bundle = BUNDLE

    def __init__(self, words: str = "") -> None:
        self.words, self.asked, self.silent = words, 0, False

    async def trouble(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.silent:
            raise TimeoutError
        return self.words


def test_many_probes_cost_an_engine_one_request():
    engine = Scripted()

    async def run() -> None:
        readiness = Readiness(Router([Weighted(engine)]), holds_s=3600)
        assert await asyncio.gather(*(readiness.trouble() for _ in range(20))) == [""] * 20

    asyncio.run(run())
    assert engine.asked == 1


def test_what_was_found_holds_no_longer_than_it_may():
    engine = Scripted("away")

    async def run() -> None:
        readiness = Readiness(Router([Weighted(engine)]), holds_s=0)
        assert await readiness.trouble() == "away"
        engine.words = ""
        assert await readiness.trouble() == ""

    asyncio.run(run())
    assert engine.asked == 2


def test_only_engines_that_take_traffic_count_and_those_in_this_process_are_there():
    class Here:
        bundle = BUNDLE

    away, idle = Scripted("away"), Scripted("idle")
    assert isinstance(away, Remote)
    assert not isinstance(Here(), Remote)
    assert asyncio.run(Readiness(Router([Weighted(Here()), Weighted(idle, 0)])).trouble()) == ""
    assert asyncio.run(Readiness(Router([Weighted(Here()), Weighted(away)])).trouble()) == "away"
    assert idle.asked == 0


@pytest.mark.parametrize(
    "path", ["/readyz", "/v2/health/ready", "/v2/models/proseform-toy/ready", "/v1/models/proseform-toy"]
)
@pytest.mark.parametrize(("words", "status"), [("", 200), ("The engine is away.", 503)])
def test_ready_is_a_status_and_the_error_that_requests_get(path, words, status):
    answer = get(path, Scripted(words))
    assert answer.status_code == status
    if words:
        error = answer.json()["error"]
        assert error == f"engine: {words}" if path.startswith("/v2") else error["message"] == words
    else:
        assert answer.json()["ready"] is True


@pytest.mark.parametrize("path", ["/livez", "/v2/health/live", "/"])
def test_liveness_asks_no_engine(path):
    engine = Scripted("The engine is away.")
    assert get(path, engine).status_code == 200
    assert engine.asked == 0


def get(path: str, engine: Scripted) -> httpx.Response:
    """One request to a server over an engine."""

    async def run() -> httpx.Response:
        admission = Admission(Router([Weighted(engine)]), testing.toy_task(), timeout_s=1, concurrency=1, queue=1)
        transport = httpx.ASGITransport(App(admission, "proseform-toy"))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.get(path)

    return asyncio.run(run())


def asked(engine: Scripted, *silent: bool, patience_s: float = 3600) -> list[str]:
    """The readiness over time of an engine that is asked every time, and is silent at some times."""

    async def run() -> list[str]:
        readiness = Readiness(Router([Weighted(engine)]), holds_s=0, limit_s=3600, patience_s=patience_s)
        troubles = []
        for engine.silent in silent:
            troubles.append(await readiness.trouble())
        return troubles

    return asyncio.run(run())


def test_a_probe_waits_no_longer_for_an_engine_than_it_may():
    class Hanging(Scripted):
        async def trouble(self) -> str:
            await asyncio.sleep(3600)
            return ""

    assert (
        asyncio.run(Readiness(Router([Weighted(Hanging())]), limit_s=0.01).trouble()) == "No engine has answered yet."
    )


def test_an_engine_that_is_slow_stays_what_it_was():
    """Late answers are better than none, and a server without traffic gives none."""
    assert asked(Scripted(), False, True, True) == ["", "", ""]
    assert asked(Scripted("away"), False, True) == ["away", "away"]


def test_an_engine_that_has_never_answered_is_not_ready():
    assert asked(Scripted(), True, False) == ["No engine has answered yet.", ""]


def test_an_engine_that_is_silent_for_too_long_is_away_until_it_answers():
    _, silent, after = asked(Scripted(), False, True, False, patience_s=0)
    assert silent.startswith("No engine has answered for")
    assert after == ""
