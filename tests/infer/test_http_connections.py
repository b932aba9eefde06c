"""The engine by URL: concurrent requests, and the connections that they share."""

import asyncio

import pytest
from aiohttp import web

from proseform import testing
from proseform.errors import EngineError, EngineFaultError
from proseform.infer import Request
from proseform.infer import http as engines
from proseform.infer.spec import EngineSpec
from proseform.prompt import Rendered
from tests.infer.exchange import CHAT
from tests.infer.far import body, far, says

pytestmark = pytest.mark.usefixtures("quick")


def test_many_requests_come_back_in_order_and_an_error_of_one_ends_no_other(task):
    """The first response waits for the last request, so all are in flight at once."""

    async def run():
        last = asyncio.Event()

        async def handler(_request, asked):
            content = asked.body["messages"][0]["content"]
            if content == "0":
                await last.wait()
            if content == "19":
                last.set()
            if content == "7":
                return web.json_response({"error": "no"}, status=400)
            return web.json_response(body(content))

        async with far(handler) as server:
            engine = engines.HttpEngine(EngineSpec(server.url), testing.toy_bundle(task))
            requests = [
                Request("evaluator", Rendered.from_json([{"role": "user", "content": str(number)}]))
                for number in range(20)
            ]
            outcomes = await engine.complete_all(requests)
            await engine.close()
            return outcomes

    outcomes = asyncio.run(run())
    assert isinstance(outcomes[7], EngineFaultError)
    texts = [outcome.text for index, outcome in enumerate(outcomes) if index != 7]
    assert texts == [str(number) for number in range(20) if number != 7]


def test_no_more_requests_are_in_flight_than_the_spec_allows(task):
    async def run():
        now = most = 0

        async def handler(_request, _asked):
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= 1
            return web.json_response(body("x"))

        async with far(handler) as server:
            engine = engines.HttpEngine(EngineSpec(server.url, concurrency=3), testing.toy_bundle(task))
            await engine.complete_all([CHAT] * 20)
            await engine.close()
            return most

    assert asyncio.run(run()) == 3


def connections(task, requests, handler=None, between=lambda: None, **spec):
    """The client's port of each of several requests, one after another."""

    async def run():
        async with far(handler or says("x")) as server:
            engine = engines.HttpEngine(EngineSpec(server.url, **spec), testing.toy_bundle(task))
            for _ in range(requests):
                await engine.complete(CHAT)
                between()
            await engine.close()
            return [asked.port for asked in server.asked]

    return asyncio.run(run())


def test_connections_are_kept(task):
    assert len(set(connections(task, 5))) == 1


def test_no_connection_lives_longer_than_it_may(task, monkeypatch):
    """A Service chooses a replica for each connection; an endless one would reach a replica that is shutting down."""
    clock = [1000.0]
    monkeypatch.setattr("proseform.infer.connections.time.monotonic", lambda: clock[0])

    def between():
        clock[0] += 4

    ports = connections(task, 6, between=between, connection_s=10)
    assert [ports[0]] * 3 == ports[:3]
    assert [ports[3]] * 3 == ports[3:]
    assert ports[0] != ports[3]


def test_a_connection_that_the_server_closes_is_let_go(task):
    async def handler(_request, _asked):
        response = web.json_response(body("x"))
        response.force_close()
        return response

    assert len(set(connections(task, 3, handler))) == 3


def test_an_engine_may_be_asked_from_one_event_loop_after_another(task):
    engine, port = None, 0
    for _ in range(2):

        async def run():
            nonlocal engine, port
            async with far(says("x"), port) as server:
                port = int(server.url.rpartition(":")[2])
                engine = engine or engines.HttpEngine(EngineSpec(server.url), testing.toy_bundle(task))
                return await engine.complete(CHAT)

        assert asyncio.run(run()).text == "x"


def test_a_closed_engine_says_so(task):
    async def run():
        engine = engines.HttpEngine(EngineSpec("http://127.0.0.1:9"), testing.toy_bundle(task))
        await engine.close()
        with pytest.raises(EngineError, match="closed"):
            await engine.complete(CHAT)

    asyncio.run(run())
