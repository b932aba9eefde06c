"""The engine by URL, and a completion that is streamed as events."""

import json
from dataclasses import replace

import pytest
from aiohttp import web

from proseform.errors import EngineError
from proseform.infer import wire
from tests.infer.exchange import CHAT, PLAIN, exchange
from tests.infer.far import says

pytestmark = pytest.mark.usefixtures("quick")


def events(*lines, chat=True):
    """A handler that streams lines: of a string an event, bytes as they are."""

    async def handler(request, _asked):
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for line in lines:
            if isinstance(line, str):
                piece = {"delta": {"content": line}} if chat else {"text": line}
                line = b"data: " + json.dumps({"choices": [piece]}).encode() + b"\n\n"  # noqa: PLW2901
            for start in range(0, len(line), 7):  # events are cut anywhere
                await response.write(line[start : start + 7])
        return response

    return handler


STOP = (
    b'data: {"choices": [{"delta": {}, "text": "", "finish_reason": "stop"}], '
    b'"usage": {"completion_tokens": 3}}\r\n\r\n'
)


@pytest.mark.parametrize("request_", [CHAT, replace(PLAIN, schema=None)])
def test_a_stream_is_handed_on_and_makes_the_whole(task, request_):
    shown = []
    chat = request_ is CHAT
    handler = events(b": a comment\n\n", "The ", "parcel é ", "ok.", STOP, b"data: [DONE]\n\n", chat=chat)
    completion, (asked,) = exchange(task, handler, request_, on_text=shown.append)
    assert asked.body["stream"] is True
    assert completion.text == "".join(shown) == request_.prefill + "The parcel é ok."
    assert (completion.finish, completion.tokens) == ("stop", 3)


@pytest.mark.parametrize(
    "lines",
    [
        ("The ",),
        ("The ", b"data: [DONE]\n\n"),
        ("The ", b'data: {"error": {"message": "out of memory"}}\n\n'),
        ("The ", b"data: {\n\n"),
        ("The ", b"data: 5\n\n"),
        ("The ", b'data: {"choices": [{"delta": {"content": 5}}]}\n\n'),
        ("The ", b'data: {"choices": [{"delta": null}]}\n\n'),
    ],
)
def test_a_stream_that_breaks_off_is_no_completion_and_not_begun_anew(task, lines):
    error, asked = exchange(task, events(*lines), on_text=lambda _piece: None)
    assert isinstance(error, EngineError)
    assert len(asked) == 1


def test_a_server_that_does_not_stream_is_heard_all_the_same(task):
    completion, _ = exchange(task, says("Here."), on_text=lambda _piece: None)
    assert completion.text == "Here."


@pytest.mark.parametrize("said", ["So it is.\n", "A note.\nSo it is.\n"])
def test_a_server_that_begins_anew_does_not_say_the_prefill_twice(said):
    """Some servers write a message from its beginning, though they were told to go on with it."""
    sent = wire.Call(wire.PLAIN, {}, "A note.\n")
    data = json.dumps({"choices": [{"text": said, "finish_reason": "stop"}]}).encode()
    assert wire.completion(data, sent, 0.1).text == "A note.\nSo it is.\n"
