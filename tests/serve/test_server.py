"""The real server: our protocol and KServe's over HTTP, on models of random weights."""

import concurrent.futures
import contextlib
import json
import socket
from collections import Counter
from pathlib import Path

import httpx
import pytest

from proseform import testing
from proseform.documents import MAX_BYTES

INPUTS = {"parcel": "a map, 90 g", "rule": "at most 100 g"}
SCHEMA = testing.toy_task().schema
DOCUMENTS = Path(__file__).parents[1] / "documents" / "cases"


def ask(server, **body):
    return server.post("/v1/tasks/toy/answer", json={"inputs": INPUTS, **body})


def error(response, status, reason):
    """Every error has the same shape, but for V2's, which is one text."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    error = response.json()["error"]
    if response.url.path.startswith("/v2"):
        assert error.startswith(f"{reason}: ")
        return error
    assert {"type", "reason", "message", "hint"} <= error.keys()
    assert error["reason"] == reason
    return error["message"]


def test_an_answer_is_valid_and_names_its_bundle(server):
    response = ask(server)
    assert response.status_code == 200
    body = response.json()
    assert SCHEMA.fault(body["answer"]) is None
    assert body["verdict"] == "valid", "random weights cannot judge, and their bundle says so"
    assert body["bundle"] == response.headers["x-proseform-bundle"]
    assert body["bundle"] in {bundle["digest"] for bundle in server.get("/v1/bundle").json()["bundles"]}


def test_v1_predict_answers_each_instance_in_its_place(server):
    instances = [INPUTS, {"parcel": "x"}, {**INPUTS, "rule": 5}, "text", INPUTS]
    response = server.post("/v1/models/proseform-toy:predict", json={"instances": instances})
    assert response.status_code == 200
    predictions = response.json()["predictions"]
    assert [("answer" in prediction) for prediction in predictions] == [True, False, False, False, True]
    assert [prediction["error"]["reason"] for prediction in predictions[1:4]] == ["input"] * 3
    assert "'rule' is missing" in predictions[1]["error"]["message"]
    assert predictions[0]["bundle"] in response.headers["x-proseform-bundle"]


def test_v1_predict_fails_as_a_whole_where_every_instance_failed(server):
    response = server.post("/v1/models/proseform-toy:predict", json={"instances": [{"parcel": "x"}, {}]})
    assert "All 2 cases failed" in error(response, 422, "input")
    assert len(response.json()["error"]["cases"]) == 2


def test_v2_infer_takes_one_tensor_for_each_input(server):
    tensors = [{"name": name, "shape": [2], "datatype": "BYTES", "data": [text, text]} for name, text in INPUTS.items()]
    response = server.post("/v2/models/proseform-toy/infer", json={"id": "7", "inputs": tensors})
    assert response.status_code == 200, response.text
    outputs = {output["name"]: output["data"] for output in response.json()["outputs"]}
    assert [SCHEMA.fault(json.loads(text)) for text in outputs["answer"]] == [None, None]
    assert outputs["error"] == ["", ""]


@pytest.mark.parametrize(
    ("shapes", "datatype", "data", "named"),
    [
        ([2, 1], "BYTES", ["x", "y"], "elements"),
        ([3, 3], "BYTES", ["x", "y"], "not its shape"),
        ([2, 2], "INT32", [1, 2], "expected BYTES"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(server, shapes, datatype, data, named):
    tensors = [
        {"name": name, "shape": [shape], "datatype": datatype, "data": data[:shape]}
        for name, shape in zip(INPUTS, shapes, strict=True)
    ]
    assert named in error(server.post("/v2/models/proseform-toy/infer", json={"inputs": tensors}), 400, "input")


def test_a_v2_body_of_another_shape_is_refused(server):
    assert "inputs" in error(server.post("/v2/models/proseform-toy/infer", json={"input": []}), 400, "input")


def test_files_are_read_and_text_stands_beside_them(server):
    files = {"parcel": ("parcel.md", b"# A map\n90 g"), "rule": (None, "at most 100 g")}
    assert server.post("/v1/tasks/toy/answer", files=files).status_code == 200
    files = {"parcel": ("parcel.json", b'{"text": "a map, 90 g"}'), "rule": ("rule.txt", b"at most 100 g")}
    assert server.post("/v1/tasks/toy/answer", files=files).status_code == 200


def test_an_answer_says_what_was_left_out_of_a_file(server):
    file = (DOCUMENTS / "p-invisible.pdf").read_bytes()
    response = server.post("/v1/tasks/toy/answer", data={"rule": "x"}, files={"parcel": ("cv.pdf", file)})
    assert response.status_code == 200, response.text
    assert [finding["kind"] for finding in response.json()["findings"]["parcel"]] == ["hidden"]
    assert "INVISIBLEWORD" in response.json()["findings"]["parcel"][0]["message"]


def test_json_inputs_go_through_the_tasks_own_reader(server):
    response = server.post("/v1/tasks/toy/answer", json={"inputs": {**INPUTS, "parcel": {"text": "a map, 90 g"}}})
    assert response.status_code == 200
    response = server.post("/v1/tasks/toy/answer", json={"inputs": {**INPUTS, "parcel": {"no": 1}}})
    assert "'parcel'" in error(response, 422, "input")


def test_a_schema_of_ones_own_is_answered(server):
    own = {
        "type": "object",
        "properties": {"heavy": {"type": "boolean"}},
        "required": ["heavy"],
        "additionalProperties": False,
    }
    body = ask(server, schema=own).json()
    assert list(body["answer"]) == ["heavy"]
    response = server.post(
        "/v1/tasks/toy/answer", files={"parcel": (None, "a"), "rule": (None, "b"), "schema": (None, json.dumps(own))}
    )
    assert list(response.json()["answer"]) == ["heavy"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"inputs": {"parcel": "x"}}, "'rule' is missing"),
        ({"inputs": {**INPUTS, "colour": "red"}}, "Unknown input 'colour'"),
        ({"inputs": {**INPUTS, "rule": 5}}, "'rule' is int"),
        ({"inputs": {**INPUTS, "rule": None}}, "'rule' is NoneType"),
        ({"inputs": {**INPUTS, "rule": ""}}, "'rule' is blank"),
        ({"inputs": [INPUTS]}, "'inputs'"),
        ({"input": INPUTS}, "Unknown field 'input'"),
        ([], "list"),
        ({"inputs": INPUTS, "schema": 5}, "a schema is an object, this is a number"),
        ({"inputs": INPUTS, "schema": {"type": "wrong"}}, "no JSON schema"),
        ({"inputs": INPUTS, "schema": {"type": "integer", "minimum": 2, "maximum": 1}}, "minimum"),
        ({"inputs": INPUTS, "schema": {"$ref": "https://far.test/schema"}}, "far.test"),
        ({"inputs": INPUTS, "schema": {"enum": ["x" * (1 << 20)]}}, "larger than"),
        ({"inputs": INPUTS, "timeout_s": "soon"}, "'timeout_s'"),
        ({"inputs": INPUTS, "timeout_s": -1}, "'timeout_s'"),
        ({"inputs": INPUTS, "bundle": 5}, "'bundle'"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(server, body, named):
    assert named in error(server.post("/v1/tasks/toy/answer", json=body), 422, "input")


@pytest.mark.parametrize("depth", [400, 5_000])
def test_a_schema_that_is_nested_too_deeply_is_refused(server, depth):
    text = '{"type": "array", "items": ' * depth + "{}" + "}" * depth
    body = f'{{"inputs": {json.dumps(INPUTS)}, "schema": {text}}}'
    response = server.post("/v1/tasks/toy/answer", content=body)
    error(response, 422, "input")


@pytest.mark.parametrize("unit", ["[],", "{},", '{"a":1},', "1,"])
def test_json_of_very_many_values_is_refused_before_it_is_read(server, unit):
    """Values take much more room than their text, and nobody else is answered while they are made."""
    content = f'{{"inputs": {json.dumps(INPUTS)}, "schema": {{"enum": [{unit * 1_000_001}0]}}}}'
    assert "1,000,000 values" in error(server.post("/v1/tasks/toy/answer", content=content), 413, "too_large")


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"{", "application/json"), (b"\xff\xfe\x00", "application/json"), (b"a=1", "application/x-www-form-urlencoded")],
)
def test_a_body_of_another_kind_is_refused(server, content, kind):
    error(server.post("/v1/tasks/toy/answer", content=content, headers={"content-type": kind}), 422, "input")


def test_a_file_that_cannot_be_read_says_what_to_do(server):
    files = {"parcel": ("scan.png", b"\x89PNG\r\n\x1a\n" + b"0" * 50), "rule": ("rule.txt", b"x")}
    assert "PNG" in error(server.post("/v1/tasks/toy/answer", files=files), 422, "input")


def test_inputs_longer_than_the_model_are_413(server):
    assert "room" in error(
        server.post("/v1/tasks/toy/answer", json={"inputs": {**INPUTS, "parcel": "map " * 5000}}), 413, "too_long"
    )


def test_bodies_beyond_the_limit_are_413_however_they_are_sent(server):
    error(server.post("/v1/tasks/toy/answer", json={"inputs": {**INPUTS, "parcel": "x" * 300_000}}), 413, "too_large")
    limit = 2 * MAX_BYTES + (1 << 20)
    with socket.create_connection(("127.0.0.1", server.port)) as line:  # a claim alone is enough
        line.sendall(b"POST /v1/tasks/toy/answer HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (limit + 1))
        assert line.recv(200).startswith(b"HTTP/1.1 413")
    chunks = (b"x" * (1 << 20) for _ in range(40))
    with contextlib.suppress(httpx.TransportError):  # the server may close before everything was sent
        assert server.post("/v1/tasks/toy/answer", content=chunks).status_code == 413


def test_time_that_is_up_is_504(server):
    error(ask(server, timeout_s=1e-6), 504, "deadline")


def test_unknown_places_are_404_and_wrong_methods_405(server):
    assert "'toy'" in error(server.post("/v1/tasks/cv/answer", json={}), 404, "not_found")
    error(server.get("/nowhere"), 404, "not_found")
    error(server.get("/v1/tasks/toy/answer"), 405, "method")
    error(server.post("/v1/models/other:predict", json={"instances": [INPUTS]}), 404, "not_found")
    error(server.post("/v1/models/proseform-toy:predict", content=b"{"), 422, "input")


def test_traffic_is_split_by_the_weights(server):
    """Two bundles, 3 to 1: of every four consecutive answers three are the first's."""
    first = server.get("/v1/bundle").json()["bundles"][0]["digest"]
    assert Counter(ask(server).json()["bundle"] == first for _ in range(12)) == {True: 9, False: 3}


def test_a_storm_gets_verified_answers_or_typed_refusals(server):
    """64 at once against one slot and 40 places in the queue; every response is one of these, the server goes on."""
    with httpx.Client(base_url=server.base_url, timeout=60, limits=httpx.Limits(max_connections=100)) as many:

        def one(number):
            return many.post(
                "/v1/tasks/toy/answer", json={"inputs": {"parcel": f"a map, {number} g", "rule": "at most 100 g"}}
            )

        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            responses = list(pool.map(one, range(64)))
    statuses = Counter(response.status_code for response in responses)
    assert set(statuses) <= {200, 503}, statuses
    assert statuses[200] >= 41
    for response in responses:
        if response.status_code == 200:
            assert SCHEMA.fault(response.json()["answer"]) is None
        else:
            error(response, 503, "busy")
            assert response.headers["retry-after"] == "1"
    assert ask(server).status_code == 200


def test_metrics_count_answers_and_refusals_by_reason(server):
    ask(server)
    server.post("/v1/tasks/toy/answer", json={"inputs": {"parcel": "x"}})
    text = server.get("/metrics").text
    assert 'proseform_answers_total{bundle="sha256:' in text
    assert 'proseform_refusals_total{bundle="",protocol="proseform",reason="input",task="toy"}' in text
    assert 'proseform_answer_seconds_bucket{le="0.05",task="toy"}' in text


def test_it_listens_on_loopback_only(server):
    hostname = socket.gethostbyname(socket.gethostname())
    if not hostname.startswith("127."):
        with pytest.raises(OSError):
            socket.create_connection((hostname, server.port), timeout=2)
