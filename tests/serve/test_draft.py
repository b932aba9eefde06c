"""Our own protocol in events: drafts, a new beginning, the answer, errors, and callers that leave."""

import json

from tests.serve.light import INPUTS, JSON, PROSE, light, post
from tests.serve.test_leaving import Waiting
from tests.waiting import PATIENCE_S

WORD = "secret"
OURS = "/v1/tasks/toy/answer"


def events(server, **rest):
    """The status and the events of a stream: name and value."""
    line = server.line()
    line.request(
        "POST", OURS, json.dumps({"inputs": INPUTS, "stream": True, **rest}), {"content-type": "application/json"}
    )
    response = line.getresponse()
    assert response.headers["content-type"] == "text/event-stream"
    found = []
    for block in response.read().decode().split("\n\n")[:-1]:
        name, _, data = block.partition("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return response.status, found


def drafted(found):
    return "".join(value["text"] for name, value in found if name == "draft")


def test_prose_comes_as_drafts_and_the_answer_last():
    with light() as server:
        status, found = events(server)
        whole = post(server.line(), OURS, {"inputs": INPUTS})[2]
    assert status == 200
    assert [name for name, _ in found[:-1]] == ["draft"] * (len(found) - 1)
    assert len(found) > 2
    assert drafted(found) == PROSE
    name, answer = found[-1]
    assert name == "answer"
    figures = {"seconds"}
    assert {key: answer[key] for key in answer.keys() - figures} == {key: whole[key] for key in whole.keys() - figures}


def test_prose_that_is_written_again_says_so_and_begins_anew():
    with light(["I cannot say.", PROSE, JSON]) as server:
        _, found = events(server)
    names = [name for name, _ in found]
    place = names.index("restart")
    assert names.count("restart") == 1
    assert found[place][1] == {"try": 2}
    assert (drafted(found[:place]), drafted(found[place:])) == ("I cannot say.", PROSE)
    assert found[-1][1]["tries"] == 2


def test_a_refusal_after_drafts_is_an_error_event():
    with light(["I cannot say."] * 3) as server:
        status, found = events(server)
        metrics = server.line()
        metrics.request("GET", "/metrics")
        counted = metrics.getresponse().read().decode()
    assert status == 200, "the response had begun"
    assert [name for name, _ in found].count("restart") == 2
    name, value = found[-1]
    assert (name, value["error"]["reason"]) == ("error", "incomplete")
    refused = f'{{bundle="{server.engine.bundle.digest}",protocol="proseform",reason="incomplete",task="toy"}}'
    assert f"proseform_refusals_total{refused}" in counted


def test_a_fault_of_ours_in_mid_stream_is_told_without_its_words(caplog):
    def script(request):
        if request.role == "formatter":
            raise RuntimeError(WORD)
        return PROSE

    with light(script) as server:
        _, found = events(server)
    assert found[-1] == ("error", {"error": found[-1][1]["error"]})
    assert found[-1][1]["error"]["reason"] == "internal"
    assert WORD not in json.dumps(found)
    assert "RuntimeError" in caplog.text
    assert WORD not in caplog.text


def test_an_error_before_the_first_event_has_its_status():
    with light() as server:
        assert post(server.line(), OURS, {"inputs": {"parcel": "x"}, "stream": True})[0] == 422
        assert post(server.line(), OURS, {"inputs": INPUTS, "stream": 1})[0] == 422


def test_a_caller_that_leaves_a_stream_cancels_its_chain():
    engine = Waiting()
    with light(engine=engine) as server:
        line = server.line()
        line.request("POST", OURS, json.dumps({"inputs": INPUTS, "stream": True}))
        assert engine.asked.wait(PATIENCE_S)
        line.close()
        assert engine.cancelled.wait(PATIENCE_S)
