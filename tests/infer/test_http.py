"""The engine by URL, where the far side's faults are the subject."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from proseform import testing
from proseform.errors import ConfigError, EngineError, EngineFaultError, InputError, Refusal
from proseform.infer import FORM, Request
from proseform.infer import http as engines
from proseform.infer.answer import answer
from proseform.prompt import Rendered

CHAT = Request("evaluator", Rendered.from_json([{"role": "user", "content": "Weigh it."}]), max_tokens=9, seed=3)
PLAIN = Request("formatter", Rendered.from_json("Text: x\nJSON:"), '{"', testing.SCHEMA)


def said(text, finish="stop", chat=True, **rest):
    choice = {"message": {"content": text}} if chat else {"text": text}
    return httpx.Response(
        200, json={"choices": [{**choice, "finish_reason": finish}], "usage": {"completion_tokens": 4}, **rest}
    )


def engine(handler, task, **options):
    return engines.HttpEngine(
        "http://far.test/v1", testing.toy_bundle(task), transport=httpx.MockTransport(handler), **options
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(engines, "_BACKOFF_S", 0.001)


def recorded(task, request, answer_with, **options):
    seen = []

    def handler(http):
        seen.append((http.url.path, json.loads(http.content), http.headers))
        return answer_with

    completion = engine(handler, task, **options).generate([request])[0]
    return completion, *seen[0]


def test_messages_go_to_chat_with_the_roles_model(task):
    completion, path, body, _ = recorded(task, CHAT, said("It is light."), evaluator_model="judge")
    assert (completion.text, completion.finish, completion.tokens) == ("It is light.", "stop", 4)
    assert path == "/v1/chat/completions"
    assert (body["model"], body["messages"], body["max_tokens"], body["temperature"], body["seed"]) == (
        "judge",
        CHAT.prompt.messages,
        9,
        0.0,
        3,
    )


def test_a_schema_goes_to_vllm_in_the_form_that_training_rows_have(task):
    """A grammar begins where generation begins: the prefill is left to it, or it would stand twice."""
    completion, path, body, _ = recorded(task, PLAIN, said('{"a": 1}', chat=False))
    assert path == "/v1/completions"
    assert body["prompt"] == PLAIN.prompt.text
    assert body["structured_outputs"] == {"json": {**testing.SCHEMA, "x-guidance": FORM}}
    assert completion.text == '{"a": 1}'


def test_a_schema_goes_to_others_as_response_format(task):
    _, _, body, _ = recorded(task, PLAIN, said("{}", chat=False), dialect="openai")
    assert body["response_format"]["json_schema"]["schema"] == testing.SCHEMA


def test_a_prefill_is_continued_and_stands_in_the_text(task):
    request = Request("evaluator", CHAT.prompt, "The parcel")
    completion, _, body, _ = recorded(task, request, said(" weighs 3 g."))
    assert body["messages"][-1] == {"role": "assistant", "content": "The parcel"}
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False
    assert completion.text == "The parcel weighs 3 g."
    _, _, body, _ = recorded(task, Request("formatter", Rendered.from_json("Say:"), "A"), said("b", chat=False))
    assert body["prompt"] == "Say:A"


def test_a_key_is_sent_as_a_bearer_token(task):
    assert recorded(task, CHAT, said("x"), api_key="k")[3]["authorization"] == "Bearer k"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again_and_then_given_up(task, status):
    calls = []

    def handler(_http):
        calls.append(1)
        return httpx.Response(status, json={"error": {"message": "queue full"}})

    with pytest.raises(EngineError, match="queue full") as caught:
        engine(handler, task, retries=2).generate([CHAT])
    assert len(calls) == 3
    assert caught.value.retryable


def test_a_server_that_comes_back_is_heard(task):
    answers = iter([httpx.Response(503, headers={"retry-after": "0"}), httpx.ConnectError("refused"), said("Here.")])

    def handler(_http):
        following = next(answers)
        if isinstance(following, Exception):
            raise following
        return following

    assert engine(handler, task).generate([CHAT])[0].text == "Here."


def test_a_server_that_is_away_is_an_error_that_names_it(task):
    def handler(_http):
        raise httpx.ConnectError("refused")

    with pytest.raises(EngineError, match=r"far\.test is away"):
        engine(handler, task, retries=1).generate([CHAT])


def test_silence_is_an_error_and_not_asked_again(task):
    calls = []

    def handler(_http):
        calls.append(1)
        raise httpx.ReadTimeout("silence")

    with pytest.raises(EngineError, match="within 5 s"):
        engine(handler, task, timeout_s=5).generate([CHAT])
    assert len(calls) == 1


def test_a_deadline_bounds_the_wait_and_the_retries(task):
    waits = []

    def handler(http):
        waits.append(http.extensions["timeout"]["read"])
        return httpx.Response(503, headers={"retry-after": "60"})

    with pytest.raises(Refusal) as caught:
        engine(handler, task).generate([Request("evaluator", Rendered.from_json("x"), deadline=time.monotonic() + 2)])
    assert caught.value.reason == "deadline"
    assert len(waits) == 1
    assert waits[0] <= 2


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "[]",
        "{}",
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"choices": [{"message": null, "finish_reason": "stop"}]}',
        '{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}',
        '{"choices": [{"message": {"content": ["a"]}, "finish_reason": "stop"}]}',
        '{"choices": [{"message": {"content": "a"}}]}',
        '{"choices": [{"message": {"content": "a"}, "finish_reason": null}]}',
        '{"choices": [{"message": {"content": "a"}, "finish_reason": "abort"}]}',
        '{"error": {"message": "in a 200"}}',
    ],
)
def test_a_200_proves_nothing(task, body):
    with pytest.raises(EngineError):
        engine(lambda _http: httpx.Response(200, text=body), task).generate([CHAT])


def test_the_evaluator_may_live_elsewhere(task):
    asked = []

    def handler(http):
        asked.append(f"{http.url.host}{http.url.path}")
        return said("x", chat=http.url.path.endswith("chat/completions"))

    engine(handler, task, evaluator_url="http://other.test/v1/").generate([CHAT, PLAIN])
    assert sorted(asked) == ["far.test/v1/completions", "other.test/v1/chat/completions"]
    with pytest.raises(ConfigError, match="nowhere"):
        engine(handler, task, evaluator_url="nowhere")


def test_missing_usage_is_no_fault(task):
    completion = recorded(task, CHAT, said("x", usage=None))[0]
    assert completion.tokens == 0


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"error": {"message": "This model's maximum context length is 1024 tokens."}}, Refusal, "1024"),
        (400, {"message": "Unimplemented keys: [uniqueItems] in schema"}, InputError, "uniqueItems"),
        (404, {"error": {"message": "The model `formatter` does not exist."}}, EngineFaultError, "does not exist"),
        (401, {"error": "no key"}, EngineFaultError, "no key"),
        (422, {"detail": [{"loc": ["body", "seed"]}]}, EngineFaultError, "seed"),
        (500, {}, EngineError, "500"),
    ],
)
def test_a_refused_request_is_told_in_the_servers_words(task, status, body, kind, words):
    with pytest.raises(kind, match=words) as caught:
        engine(lambda _http: httpx.Response(status, json=body), task).generate([PLAIN])
    if kind is Refusal:
        assert caught.value.reason == "too_long"
    if kind is EngineFaultError:
        assert not caught.value.retryable


def test_many_requests_come_back_in_order(task):
    def handler(http):
        content = json.loads(http.content)["messages"][0]["content"]
        time.sleep(0.02 if content == "0" else 0)
        return said(content)

    asked = [
        Request("evaluator", Rendered.from_json([{"role": "user", "content": str(number)}])) for number in range(20)
    ]
    assert [completion.text for completion in engine(handler, task).generate(asked)] == [
        str(number) for number in range(20)
    ]


def test_every_request_has_a_connection_of_its_own(task):
    """A Service chooses a replica by connection: one that is kept would still reach a replica that has been told to go."""
    from_port = []

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            from_port.append(self.client_address[1])
            self.rfile.read(int(self.headers["content-length"]))
            body = said("heavy").content
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever).start()
        asks = engines.HttpEngine(f"http://127.0.0.1:{server.server_port}", testing.toy_bundle(task))
        for _ in range(3):
            asks.generate([CHAT])
        asks.close()
        server.shutdown()
    assert len(set(from_port)) == 3


def test_a_url_that_is_none_is_refused(task):
    with pytest.raises(ConfigError, match="localhost"):
        engines.HttpEngine("localhost:8000", testing.toy_bundle(task))


def test_a_whole_answer_goes_over_http(task):
    prose = "The parcel weighs 90 g, 100 g are allowed. Note: a map. Verdict: send."

    def handler(http):
        chat = http.url.path.endswith("chat/completions")
        return said(prose) if chat else said('{"verdict": "send", "grams": 90, "note": "a map"}  ', chat=False)

    given = answer(engine(handler, task), task, {"parcel": "a map, 90 g", "rule": "at most 100 g"})
    assert given.value["verdict"] == "send"
    assert given.prose_verdict.ok
