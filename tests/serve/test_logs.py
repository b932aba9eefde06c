"""What is told of a request beside its response: its id, its bundle, its line in the log, and its counts."""

import asyncio
import json
import logging
import re
import threading

import httpx
import pytest

from proseform import testing
from proseform.errors import InputError
from proseform.infer.kept import ProseCache
from proseform.serve import logs, server
from proseform.serve.admission import Admission
from proseform.serve.app import App
from proseform.serve.batches.work import called
from proseform.serve.guard import Guard
from proseform.serve.keys import Keys
from proseform.serve.router import Router, Weighted
from tests.serve.light import INPUTS, JSON, PROSE, good, light
from tests.serve.test_metrics import total
from tests.waiting import PATIENCE_S, until

OURS, CHAT, V1, V2 = (
    "/v1/tasks/toy/answer",
    "/openai/v1/chat/completions",
    "/v1/models/proseform-toy:predict",
    "/v2/models/proseform-toy/infer",
)
MESSAGES = [{"role": "user", "content": json.dumps(INPUTS)}]
TENSORS = [{"name": name, "shape": [1], "datatype": "BYTES", "data": [value]} for name, value in INPUTS.items()]
ASKED = {
    "ours": (OURS, {"inputs": INPUTS}, "proseform"),
    "our stream": (OURS, {"inputs": INPUTS, "stream": True}, "proseform"),
    "OpenAI's": (CHAT, {"model": "toy", "messages": MESSAGES}, "openai"),
    "OpenAI's stream": (CHAT, {"model": "toy", "messages": MESSAGES, "stream": True}, "openai"),
    "the formatter alone": (
        CHAT,
        {"model": "toy/formatter", "messages": [{"role": "user", "content": PROSE}]},
        "openai",
    ),
    "V1": (V1, {"instances": [INPUTS]}, "v1"),
    "V2": (V2, {"inputs": TENSORS}, "v2"),
}
REFUSED = {
    "no JSON": (OURS, b"{", 422, "input"),
    "no input": (V1, {"instances": [{}]}, 422, "input"),
    "no tensor": (V2, {"inputs": []}, 400, "input"),
    "no message": (CHAT, {"model": "toy"}, 400, "input"),
    "no such model": (CHAT, {"model": "other"}, 404, "not_found"),
    "no such task": ("/v1/tasks/other/answer", {"inputs": INPUTS}, 404, "not_found"),
    "no time": (OURS, {"inputs": INPUTS, "timeout_s": 1e-9}, 504, "deadline"),
}
UNROUTED = {
    "no such path": ("POST", "/v1/nothing", 404, "not_found"),
    "another method": ("GET", OURS, 405, "method"),
}


@pytest.fixture(scope="module")
def serving():
    """One server, whose models say what is in force."""
    said = {"texts": (PROSE, JSON)}

    def script(request):
        evaluator, formatter = said["texts"]
        return evaluator if request.role == "evaluator" else formatter

    with light(script) as one, httpx.Client(base_url=f"http://127.0.0.1:{one.port}", timeout=None) as client:
        client.said, client.bundle = said, one.engine.bundle.digest
        yield client


@pytest.fixture(autouse=True)
def heard(caplog):
    """The line of a response, as facts, by its headers: it may come after another test has begun."""
    caplog.set_level(logging.INFO, "proseform")

    def found(number):
        lines = [record.msg.facts for record in caplog.records if isinstance(record.msg, logs.Line)]
        return [line for line in lines if line["id"] == number]

    def facts(headers):
        (line,) = until(lambda: found(headers["x-request-id"]))
        return line

    facts.found = found
    return facts


def ask(serving, path, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return serving.post(path, content=data, headers={"content-type": "application/json", **headers})


@pytest.mark.parametrize(("path", "body", "protocol"), ASKED.values(), ids=ASKED)
def test_an_answer_has_its_id_and_its_bundle_and_one_line(serving, heard, path, body, protocol):
    serving.said["texts"] = (PROSE, JSON)
    before = total("proseform_request_seconds_count", protocol=protocol, outcome="answered")
    response = ask(serving, path, body, **{"x-request-id": f"b7-{protocol}.{len(str(body))}"})
    assert response.status_code == 200
    assert response.headers["x-request-id"] == f"b7-{protocol}.{len(str(body))}"
    assert response.headers["x-proseform-bundle"] == serving.bundle
    line = heard(response.headers)
    assert (line["protocol"], line["outcome"], line["status"]) == (protocol, "answered", 200)
    assert (line["task"], line["bundle"]) == ("toy", serving.bundle)
    assert line.get("tries", 0) == (0 if "formatter" in str(body) else 1)
    assert line["attempts"] == 1
    assert line["seconds"] >= 0
    assert total("proseform_request_seconds_count", protocol=protocol, outcome="answered") == before + 1


@pytest.mark.parametrize(("path", "body", "status", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_has_them_too(serving, heard, path, body, status, reason):
    labels = {"reason": reason, "bundle": serving.bundle}
    before = total("proseform_refusals_total", **labels)
    response = ask(serving, path, body)
    assert response.status_code == status, response.text
    assert response.headers["x-proseform-bundle"] == serving.bundle
    line = heard(response.headers)
    assert re.fullmatch("[0-9a-f]{32}", line["id"])
    assert (line["outcome"], line["reason"], line["status"]) == ("refused", reason, status)
    assert total("proseform_refusals_total", **labels) == before + 1


@pytest.mark.parametrize(("method", "path", "status", "reason"), UNROUTED.values(), ids=UNROUTED)
def test_what_leads_nowhere_is_counted_and_has_an_id(serving, heard, method, path, status, reason):
    before = total("proseform_refusals_total", reason=reason)
    response = serving.request(method, path)
    assert response.status_code == status
    assert "route" not in heard(response.headers), "its path may be a caller's words"
    assert total("proseform_refusals_total", reason=reason) == before + 1


@pytest.mark.parametrize(("path", "body", "protocol"), ASKED.values(), ids=ASKED)
def test_what_models_fail_at_names_the_bundle_and_how_often_they_were_asked(serving, heard, path, body, protocol):
    serving.said["texts"] = (PROSE, "no JSON")
    labels = {"bundle": serving.bundle, "protocol": protocol, "reason": "not_json"}
    before = total("proseform_refusals_total", **labels)
    response = ask(serving, path, body)
    assert response.headers["x-proseform-bundle"] == serving.bundle
    line = heard(response.headers)
    assert (line["outcome"], line["reason"], line["attempts"]) == ("refused", "not_json", 3)
    assert total("proseform_refusals_total", **labels) == before + 1


def test_an_id_that_does_harm_is_replaced(serving, heard):
    serving.said["texts"] = (PROSE, JSON)
    for given in ("a b", "x" * 129, '"', "\u00e9", ""):
        response = ask(serving, OURS, {"inputs": INPUTS}, **{"x-request-id": given.encode()})
        assert re.fullmatch("[0-9a-f]{32}", heard(response.headers)["id"]), given


def test_a_line_has_the_trace_that_the_caller_states(serving, heard):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    stated = {f"00-{trace}-00f067aa0ba902b7-01": trace, f"00-{'0' * 32}-00f067aa0ba902b7-01": "", "Quillfeather": ""}
    for text, known in stated.items():
        assert heard(ask(serving, OURS, b"{", traceparent=text).headers).get("trace_id", "") == known


def test_probes_and_scrapers_have_no_line(serving, heard):
    probed = [serving.get(path) for path in ("/livez", "/readyz", "/metrics", "/v2/health/ready")]
    assert heard(ask(serving, OURS, b"{").headers), "the line of a probe would stand by now"
    for response in probed:
        assert heard.found(response.headers["x-request-id"]) == []
        assert "x-proseform-bundle" not in response.headers


def test_a_caller_without_a_key_learns_no_bundle(tmp_path, heard):
    path = tmp_path / "keys.json"
    path.write_text('{"keys": []}')
    with light(guard=Guard(Keys(path))) as one, httpx.Client(base_url=f"http://127.0.0.1:{one.port}") as client:
        response = ask(client, OURS, {"inputs": INPUTS})
    assert response.status_code == 401
    assert "x-proseform-bundle" not in response.headers
    assert heard(response.headers)["reason"] == "unauthorized"


def bundled(count, script=good, **options):
    """An application over bundles that share the traffic evenly, and their digests."""
    task = testing.toy_task()
    bundles = [testing.toy_bundle(task, settings={"number": number}) for number in range(count)]
    router = Router([Weighted(testing.ScriptedEngine(bundle, script)) for bundle in bundles])
    return App(Admission(router, task, **options), "toy"), [bundle.digest for bundle in bundles]


def test_of_several_bundles_the_one_that_was_chosen_is_named(heard):
    app, (first, second) = bundled(2, lambda _request: "I cannot say.")

    async def run():
        asked = [await called(app, OURS, {"inputs": INPUTS}) for _ in range(2)]
        several = await called(app, V1.replace("proseform-toy", "toy"), {"instances": [INPUTS, INPUTS]})
        return [*asked, several, await called(app, OURS, {"inputs": {}})]

    *refused, unread = asyncio.run(run())
    assert [status for status, _, _ in refused] == [422] * 3
    assert [headers["x-proseform-bundle"] for _, headers, _ in refused] == [first, second, f"{first}, {second}"]
    assert "x-proseform-bundle" not in unread[1], "nobody was chosen"
    lines = [heard(headers) for _, headers, _ in [*refused, unread]]
    assert [line.get("bundle", "") for line in lines] == [first, second, f"{first}, {second}", ""]
    assert [line.get("tries") for line in lines] == [3, 3, 6, None]
    assert (lines[2]["cases"], lines[2]["refused"]) == (2, 2)


def test_whoever_is_answered_with_an_equal_request_is_told_its_bundle(heard):
    entered, go = [], asyncio.Event()

    async def script(_request):
        entered.append(1)
        await go.wait()
        return "I cannot say."

    app, (first, _) = bundled(2, script, kept=ProseCache(b"0123456789abcdef", 1 << 20, 60))

    async def run():
        both = [asyncio.create_task(called(app, OURS, {"inputs": INPUTS})) for _ in range(2)]
        for _ in range(200):  # the one is asked, and the other joins, in a few turns of the loop
            await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(*both)

    before = total("proseform_refusals_total", bundle=first, reason="incomplete")
    answers = asyncio.run(run())
    assert len(entered) == 3, "they were answered together"
    assert [headers["x-proseform-bundle"] for _, headers, _ in answers] == [first, first]
    lines = [heard(headers) for _, headers, _ in answers]
    assert [line["tries"] for line in lines] == [3, 3]
    assert [line.get("joined", False) for line in lines].count(True) == 1
    assert total("proseform_refusals_total", bundle=first, reason="incomplete") == before + 2


def test_a_caller_that_leaves_is_told_of_as_gone(serving, heard, caplog):
    held = threading.Event()

    async def script(_request):
        held.set()
        await asyncio.Event().wait()

    with light(script) as one:
        line = one.line()
        headers = {"content-type": "application/json", "x-request-id": "b7-left"}
        line.request("POST", OURS, json.dumps({"inputs": INPUTS}), headers)
        assert held.wait(PATIENCE_S)
        line.close()
        left = heard({"x-request-id": "b7-left"})
    assert (left["outcome"], left["route"]) == ("gone", "/v1/tasks/{task}/answer")
    assert "status" not in left


@pytest.fixture
def written(capsys):
    """The lines that a process of that format writes."""
    root, own = logging.getLogger(), logging.getLogger("proseform")
    before = root.handlers[:], root.level, own.level

    def lines():
        return capsys.readouterr().err.splitlines()

    yield lines
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])


def test_json_is_one_object_a_line_also_for_what_others_log(written):
    logs.configure("json")
    logging.getLogger("proseform.serve.requests").info(logs.Line({"id": "7", "seconds": 0.5}))
    logging.getLogger("other").warning('a "word"\nand another')
    logging.getLogger("other").info("chatter")
    first, second = map(json.loads, written())
    assert (first["id"], first["seconds"], first["level"]) == ("7", 0.5, "info")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first["time"])
    assert (second["logger"], second["message"]) == ("other", 'a "word"\nand another')


def test_text_is_a_line_for_people(written):
    logs.configure("text")
    logging.getLogger("proseform.serve.requests").info(logs.Line({"id": "7", "seconds": 0.5}))
    assert written()[0].endswith(" INFO proseform.serve.requests: id=7 seconds=0.5")


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_was_raised_is_logged_without_its_words(written, form):
    logs.configure(form)
    logging.getLogger("other").error("a fault", exc_info=InputError("Quillfeather"))
    text = "\n".join(written())
    assert "a fault" in text
    assert "InputError" in text
    assert "Quillfeather" not in text


def test_a_server_that_is_run_configures_its_log(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(logs, "configure", asked.append)
    with pytest.raises(InputError):
        server.run([], testing.toy_task(), keys=tmp_path / "none", log_format="json")
    assert asked == ["json"]
