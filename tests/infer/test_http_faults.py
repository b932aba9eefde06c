"""The engine by URL, with a server that is busy, away, slow or silent, or sends nonsense."""

import asyncio
import time
from dataclasses import replace

import pytest
from aiohttp import web

from proseform import testing
from proseform.errors import EngineError, EngineFaultError, InputError, Refusal
from proseform.infer import http as engines
from proseform.infer.spec import EngineSpec
from tests.infer.exchange import CHAT, PLAIN, exchange
from tests.infer.far import drips, far, in_turn, refuses, resets, says
from tests.waiting import LIMITS

pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_and_then_given_up(task, status):
    error, asked = exchange(task, refuses(status, {"error": {"message": "queue full"}}), attempts=3)
    assert "queue full" in str(error)
    assert len(asked) == 3
    assert type(error) is EngineError
    assert error.retryable


def test_a_server_that_comes_back_is_heard(task):
    handler = in_turn(refuses(503, **{"retry-after": "0"}), resets, says("Here."))
    completion, asked = exchange(task, handler)
    assert completion.text == "Here."
    assert len(asked) == 3


def test_a_server_that_is_away_is_an_error_that_names_it(task):
    async def run():
        async with far(says("x")) as server:
            pass  # its port is free again
        engine = engines.HttpEngine(EngineSpec(server.url, attempts=2), testing.toy_bundle(task))
        with pytest.raises(EngineError, match="is away") as caught:
            await engine.complete(CHAT)
        await engine.close()
        return server.url, caught.value

    url, error = asyncio.run(run())
    assert url in error.message
    assert error.hint


def test_silence_is_asked_again_and_then_an_error(task):
    async def handler(_request, _asked):
        await asyncio.Event().wait()

    for seconds in LIMITS:
        error, asked = exchange(task, handler, timeout_s=seconds, attempts=2)
        assert f"within {seconds:g} s" in str(error)
        if len(asked) == 2:
            break
    assert len(asked) == 2


@pytest.mark.parametrize("chunk", [b" ", b"data: x", b"\n"])
@pytest.mark.parametrize("stream", [False, True])
def test_one_deadline_bounds_the_whole_call_also_against_a_server_that_drips(task, chunk, stream):
    """A body that comes byte by byte renews no time-out. The test fails by never ending: nothing else ends the call."""

    async def run(seconds):
        started, ended = asyncio.Event(), asyncio.Event()
        async with far(drips(started, ended, chunk)) as server:
            engine = engines.HttpEngine(EngineSpec(server.url), testing.toy_bundle(task))
            request = replace(CHAT, deadline=time.monotonic() + seconds)
            with pytest.raises(Refusal) as caught:
                await engine.complete(request, (lambda _piece: None) if stream else None)
            assert time.monotonic() >= request.deadline
            if started.is_set():
                await ended.wait()
            await engine.close()
            return caught.value.reason, started.is_set()

    for seconds in LIMITS:
        reason, begun = asyncio.run(run(seconds))
        assert reason == "deadline"
        if begun:
            break
    assert begun


def test_the_deadline_bounds_the_pauses_between_attempts(task):
    request = replace(CHAT, deadline=time.monotonic() + 5)
    error, asked = exchange(task, refuses(503, **{"retry-after": "60"}), request)
    assert error.reason == "deadline"
    assert len(asked) == 1


def test_a_deadline_that_has_passed_asks_nobody(task):
    error, asked = exchange(task, says("x"), replace(CHAT, deadline=time.monotonic() - 1))
    assert error.reason == "deadline"
    assert asked == []


def test_cancelling_ends_the_request_at_the_server(task):
    async def run():
        started, ended = asyncio.Event(), asyncio.Event()
        async with far(drips(started, ended)) as server:
            engine = engines.HttpEngine(EngineSpec(server.url), testing.toy_bundle(task))
            asking = asyncio.create_task(engine.complete(CHAT))
            await started.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await ended.wait()  # the server sees its caller go
            await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_a_body_without_end_is_an_error(task, monkeypatch, stream):
    monkeypatch.setattr(engines, "MAX_BODY_BYTES", 10_000)

    async def handler(request, _asked):
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        while True:
            await response.write(b" " * 1000)

    error, asked = exchange(task, handler, on_text=(lambda _piece: None) if stream else None, attempts=2)
    assert "10000 bytes" in str(error)
    assert len(asked) == 2


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"choices": [{"message": null, "finish_reason": "stop"}]}',
        '{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}',
        '{"choices": [{"message": {"content": ["a"]}, "finish_reason": "stop"}]}',
        '{"choices": [{"message": {"content": "a"}}]}',
        '{"choices": [{"message": {"content": "a"}, "finish_reason": null}]}',
        '{"choices": [{"message": {"content": "a"}, "finish_reason": ["stop"]}]}',
        '{"choices": [{"message": {"content": "a"}, "finish_reason": "abort"}]}',
        '{"error": {"message": "in a 200"}}',
    ],
)
def test_a_200_proves_nothing(task, text):
    async def handler(_request, _asked):
        return web.Response(text=text)

    error, asked = exchange(task, handler, attempts=2)
    assert type(error) is EngineError
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 30, "completion_tokens": 4}, 30),
        ({"prompt_tokens": 0, "completion_tokens": 0}, 0),
        ({"completion_tokens": 4}, None),
        ({"prompt_tokens": 30}, None),
        ({"prompt_tokens": True, "completion_tokens": 4}, None),
        ({"prompt_tokens": -1, "completion_tokens": 4}, None),
    ],
)
def test_prompts_are_counted_where_the_server_counts_both(task, usage, counted):
    completion, _ = exchange(task, says("x", usage=usage))
    assert completion.prompt_tokens == counted


@pytest.mark.parametrize("usage", [None, "many", {"completion_tokens": -1}, {"completion_tokens": True}])
def test_usage_that_says_nothing_is_no_fault(task, usage):
    completion, _ = exchange(task, says("x", usage=usage))
    assert completion.tokens == 0


@pytest.mark.parametrize(
    ("status", "answer", "kind", "words"),
    [
        (400, {"error": {"message": "This model's maximum context length is 1024 tokens."}}, Refusal, "1024"),
        (400, {"message": "Unimplemented keys: [uniqueItems] in schema"}, InputError, "uniqueItems"),
        (404, {"error": {"message": "The model `formatter` does not exist."}}, EngineFaultError, "does not exist"),
        (401, {"error": "no key"}, EngineFaultError, "no key"),
        (418, {"error": "short and stout"}, EngineFaultError, "stout"),
        (422, {"detail": [{"loc": ["body", "seed"]}]}, EngineFaultError, "seed"),
        (307, {}, EngineError, "307"),
    ],
)
def test_a_refused_request_is_told_in_the_servers_words(task, status, answer, kind, words):
    error, asked = exchange(task, refuses(status, answer), PLAIN)
    assert type(error) is kind
    assert words in str(error)
    assert len(asked) == 1
    if kind is Refusal:
        assert error.reason == "too_long"
    if kind is EngineFaultError:
        assert not error.retryable
