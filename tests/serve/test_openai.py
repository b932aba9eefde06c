"""OpenAI's protocol: what is asked for, what is answered, what is refused, and events."""

import asyncio
import base64
import json
import threading
import time

import pytest

from proseform.errors import EngineError
from proseform.serve import events as sse
from proseform.serve import reading
from tests.serve.light import INPUTS, JSON, PROSE, good, light, post
from tests.waiting import PATIENCE_S

CHAT, TEXT = "/openai/v1/chat/completions", "/openai/v1/completions"
OWN = {
    "type": "object",
    "properties": {"verdict": {"enum": ["send", "refuse"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}


def said(request):
    """Every role's right answer, to the caller's schema too."""
    own = request.schema is not None and "grams" not in request.schema["properties"]
    return '{"verdict": "send"}' if own else good(request)


@pytest.fixture(scope="module")
def server():
    with light(said) as serving:
        yield serving


def user(content=None, **rest):
    content = json.dumps(INPUTS) if content is None else content
    return {"model": "toy", "messages": [{"role": "user", "content": content}], **rest}


def chat(server, body, path=CHAT):
    status, _, answer = post(server.line(), path, body)
    return status, answer


def stated(answer):
    return json.loads(answer["choices"][0]["message"]["content"])


def tool(name="weigh", schema=OWN):
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def test_a_message_of_inputs_is_answered_with_verified_json_and_what_stands_behind_it(server):
    status, answer = chat(server, user())
    assert status == 200, answer
    assert stated(answer) == json.loads(JSON)
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["proseform"]["verdict"] == "verified"
    assert answer["proseform"]["prose"] == PROSE


FILE = base64.b64encode(INPUTS["rule"].encode()).decode()


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": json.dumps(INPUTS)}],
        [{"type": "text", "name": name, "text": text} for name, text in INPUTS.items()],
        [
            {"type": "text", "name": "parcel", "text": INPUTS["parcel"]},
            {"type": "file", "file": {"filename": "rule.txt", "file_data": FILE}},
        ],
        [
            {"type": "text", "name": "parcel", "text": INPUTS["parcel"]},
            {
                "type": "file",
                "name": "rule",
                "file": {"filename": "a.txt", "file_data": f"data:text/plain;base64,{FILE}"},
            },
        ],
        json.dumps({**INPUTS, "parcel": {"text": INPUTS["parcel"]}}),
    ],
    ids=["one part", "text parts", "a file by its name", "a data URL", "an object that the task reads"],
)
def test_inputs_may_be_parts_that_are_named_as_they_are(server, content):
    status, answer = chat(server, user(content))
    assert status == 200, answer
    prompts = [request.prompt.text for request in server.engine.requests if request.role == "evaluator"]
    assert f"Parcel: {INPUTS['parcel']}\nRule: {INPUTS['rule']}" in prompts[-1]


def test_a_file_is_read_under_the_requests_deadline(server, monkeypatch):
    real, deadlines = reading.documents.read_bytes, []

    def read_bytes(*arguments, deadline):
        deadlines.append(deadline)
        return real(*arguments, deadline=deadline)

    monkeypatch.setattr(reading.documents, "read_bytes", read_bytes)
    began = time.monotonic()
    file = {"type": "file", "file": {"filename": "rule.txt", "file_data": FILE}}
    status, answer = chat(server, user([{"type": "text", "name": "parcel", "text": INPUTS["parcel"]}, file]))
    assert status == 200, answer
    assert began < deadlines[0] < float("inf")


def test_the_formatter_alone_takes_prose_and_asks_no_evaluator(server):
    before = len(server.engine.requests)
    status, answer = chat(server, user("It weighs 90 g.", model="toy/formatter"))
    assert (status, stated(answer)) == (200, json.loads(JSON))
    assert answer["proseform"]["verdict"] == "valid", "without inputs nothing is known of its grounds"
    assert [request.role for request in server.engine.requests[before:]] == ["formatter"]


@pytest.mark.parametrize(
    ("rest", "value"),
    [
        ({}, JSON),
        ({"response_format": {"type": "json_object"}}, JSON),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": OWN}}},
            '{"verdict":"send"}',
        ),
    ],
)
def test_a_response_format_says_which_schema_is_answered(server, rest, value):
    status, answer = chat(server, user(**rest))
    assert status == 200, answer
    assert stated(answer) == json.loads(value)


@pytest.mark.parametrize(
    ("choice", "finish"),
    [("auto", "tool_calls"), ("required", "tool_calls"), ({"type": "function", "function": {"name": "weigh"}}, "stop")],
)
def test_a_tool_is_called_with_json_that_its_schema_allows(server, choice, finish):
    status, answer = chat(server, user(tools=[tool()], tool_choice=choice))
    assert status == 200, answer
    message = answer["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"][0]["function"] == {"name": "weigh", "arguments": '{"verdict":"send"}'}
    assert answer["choices"][0]["finish_reason"] == finish


def test_a_completion_takes_a_prompt(server):
    status, answer = chat(server, {"model": "toy", "prompt": json.dumps(INPUTS)}, TEXT)
    assert status == 200, answer
    assert json.loads(answer["choices"][0]["text"]) == json.loads(JSON)
    status, answer = chat(server, {"model": "toy/formatter", "prompt": ["It weighs 90 g."]}, TEXT)
    assert json.loads(answer["choices"][0]["text"]) == json.loads(JSON)


@pytest.mark.parametrize(
    ("body", "param", "named"),
    [
        ([], None, "list"),
        ({"messages": []}, "model", "'model'"),
        ({"model": "toy"}, "messages", "'messages'"),
        ({"model": "toy", "messages": [5]}, "messages[0].role", "int"),
        (user() | {"messages": [{"role": "system", "content": "x"}]}, "messages[0].role", "system"),
        (user() | {"messages": user()["messages"] * 2}, "messages", "2 messages"),
        (user("Is it light enough?"), "messages", "not JSON"),
        (user("[1]"), "messages", "no object"),
        (user(5), "messages[0].content", "parts"),
        (user([]), "messages[0].content", "parts"),
        (user([{"type": "image_url", "image_url": {"url": "x"}}]), "messages[0].content[0]", "part 0"),
        (user([{"type": "text", "text": "a"}, {"type": "text", "name": "rule", "text": "b"}]), None, "no name"),
        (user([{"type": "text", "name": "rule", "text": "b"}] * 2), "messages[0].content[1]", "name of its own"),
        (user([{"type": "file", "file": {"file_id": "file-1"}}]), "messages[0].content[0].file", "file_data"),
        (user([{"type": "file", "file": {"filename": "rule.txt", "file_data": "?"}}]), None, "base64"),
        (user('{"parcel": "x"}'), None, "'rule' is missing"),
        (user(" ", model="toy/formatter"), "messages", "no prose"),
        (user(n=2), "n", "'n'"),
        (user(n=True), "n", "'n'"),
        (user(logprobs=True), "logprobs", "logprobs"),
        (user(stop=["."]), "stop", "stop"),
        (user(functions=[]), "functions", "functions"),
        (user(stream="yes"), "stream", "stream"),
        (user(stream_options={"include_obfuscation": True}), "stream_options", "not done"),
        (user(response_format={"type": "json_schema"}), "response_format", "no schema"),
        (user(response_format={"type": "json_schema", "json_schema": {"schema": {"type": 5}}}), None, "schema"),
        (user(response_format=5), "response_format", "no schema"),
        (user(tools=[]), "tools", "tools"),
        (user(tools=[{"type": "function"}]), "tools", "function"),
        (user(tools=[tool(), tool("other")]), "tool_choice", "chooses"),
        (user(tools=[tool()], tool_choice={"function": {"name": "other"}}), "tool_choice", "none of the tools"),
        (user(tools=[tool()], tool_choice="any"), "tool_choice", "tool_choice"),
        (
            user(tools=[tool()], response_format={"type": "json_schema", "json_schema": {"schema": OWN}}),
            "response_format",
            "two schemas",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_400_in_their_shape_and_nobody_is_asked(server, body, param, named):
    before = len(server.engine.requests)
    status, answer = chat(server, body)
    assert status == 400, answer
    error = answer["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert named in error["message"]
    assert error["type"] == "invalid_request_error"
    assert param is None or error["param"] == param
    assert len(server.engine.requests) == before


def test_models_are_listed_and_others_are_404(server):
    line = server.line()
    line.request("GET", "/openai/v1/models")
    listed = json.loads(line.getresponse().read())
    assert [model["id"] for model in listed["data"]] == ["toy", "toy/formatter"]
    line.request("GET", "/openai/v1/models/toy/formatter")
    assert json.loads(line.getresponse().read()) == listed["data"][1]
    status, answer = chat(server, user(model="gpt-4o"))
    assert (status, answer["error"]["code"]) == (404, "model_not_found")
    assert chat(server, {}, "/openai/v1/embeddings")[0] == 404


def events(server, body, path=CHAT):
    """The status, and the data of the events of a stream."""
    line = server.line()
    line.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    response = line.getresponse()
    lines = response.read().decode().splitlines()
    return response.status, [text.removeprefix("data: ") for text in lines if text.startswith("data: ")]


def test_a_stream_carries_verified_json_alone(server):
    status, (*chunks, last) = events(server, user(stream=True))
    chunks = [json.loads(chunk) for chunk in chunks]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert (status, last, json.loads(text)) == (200, "[DONE]", json.loads(JSON))
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_refusal_has_its_status_while_nothing_was_sent():
    with light(lambda _request: EngineError("away")) as serving:
        status, answer = chat(serving, user(stream=True))
    assert (status, answer["error"]["type"], answer["error"]["code"]) == (503, "server_error", "engine")


def test_a_refusal_in_mid_stream_is_an_error_event_and_then_the_end(monkeypatch):
    """The evaluator is let go once the caller has seen that the response has begun."""
    monkeypatch.setattr(sse, "BEAT_S", 0.01)
    begun = threading.Event()

    async def script(_request):
        await asyncio.to_thread(begun.wait, PATIENCE_S)
        return "I cannot say."

    with light(script) as serving:
        line = serving.line()
        line.request("POST", CHAT, json.dumps(user(stream=True)), {"content-type": "application/json"})
        response = line.getresponse()
        assert response.readline() == b": waiting\n"
        begun.set()
        data = [text.removeprefix("data: ") for text in response.read().decode().splitlines() if text[:4] == "data"]
    assert response.status == 200
    error = json.loads(data[0])["error"]
    assert (error["type"], error["code"]) == ("refusal", "incomplete")
    assert data[1:] == ["[DONE]"]
