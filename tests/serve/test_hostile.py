"""A caller's fault is never a 500, and no error costs the next request on the connection.

Every body goes to a real server over one kept connection, and is followed by a good request on it.
"""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proseform import task as tasks
from proseform import testing
from proseform.errors import InputError
from proseform.serve.tensors import Columns
from tests.serve.light import INPUTS, JSON, PROSE, light, post

WORD = "secret"
OURS, V1, V2 = "/v1/tasks/toy/answer", "/v1/models/proseform-toy:predict", "/v2/models/proseform-toy/infer"
BODIES = sorted(Path(__file__).with_name("bodies").glob("*.json"))
CV = tasks.load("cv")


@pytest.fixture(scope="module")
def server():
    with light() as serving:
        yield serving


@pytest.fixture(scope="module")
def cv():
    def script(request):
        return CV.gold[0].prose if request.role == "evaluator" else json.dumps(CV.gold[0].answer)

    engine = testing.ScriptedEngine(testing.toy_bundle(CV), script)
    with light(engine=engine, task=CV) as serving:
        yield serving


def then_good(line, good=OURS, inputs=INPUTS):
    """The next request on the same connection is answered."""
    status, _, body = post(line, good, {"inputs": inputs})
    assert status == 200, body


def refused(server, path, body, status=422, **headers):
    """A body is refused with the error of the path's protocol, and the connection stays open."""
    line = server.line()
    got, _, answer = post(line, path, body, **headers)
    error = answer["error"]
    if path.startswith("/v2"):
        assert got == (400 if status == 422 else status), answer
        assert isinstance(error, str)
        assert not error.startswith("internal")
    else:
        assert got == status, answer
        assert {"type", "reason", "message", "hint"} <= error.keys()
        assert error["reason"] != "internal"
    then_good(line)
    line.close()
    return error if path.startswith("/v2") else error["message"]


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_bodies_that_strangers_sent_are_answered_or_refused(cv, path):
    body = path.read_bytes()
    where = "/v2/models/proseform-cv/infer" if isinstance(json.loads(body)["inputs"], list) else "/v1/tasks/cv/answer"
    line = cv.line()
    status, _, answer = post(line, where, body)
    assert status in {200, 400, 422}, answer
    then_good(line, "/v1/tasks/cv/answer", dict(CV.gold[0].inputs))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "not JSON"),
        (b"\x00", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"NaN", "NaN"),
        (b'{"inputs": NaN}', "NaN"),
        (b'{"inputs": {"parcel": Infinity}}', "Infinity"),
        (b'{"inputs": {"parcel": 1e999}}', "1e999"),
        (b'{"inputs": {"parcel": ' + b"9" * 5000 + b"}}", "not JSON"),
        (b'{"inputs": {"parcel": ' + b"9" * 400 + b', "rule": "x"}}', "'parcel' is int"),
        (b'{"\\ud800": 1}', "Unknown field"),
        (b'{"inputs": {"\\ud800": "x", "parcel": "x", "rule": "x"}}', "Unknown input"),
        (b'{"inputs": {"' + b"k" * 5000 + b'": "x", "parcel": "x", "rule": "x"}}', "Unknown input"),
        (b'{"inputs": {"parcel": "\\u0000", "rule": "x"}}', "blank"),
        (b'{"inputs": {"parcel": {"\\ud800": 1}, "rule": "x"}}', "'parcel'"),
        (b'"\\ud800"', "str"),
        (b"null", "NoneType"),
        (b"true", "bool"),
    ],
)
def test_json_that_is_none_or_says_nothing_is_refused(server, body, named):
    assert named in refused(server, OURS, body)


def asked(**rest):
    return {"inputs": INPUTS, **rest}


@pytest.mark.parametrize(
    "seconds", [0, -1, True, "5", [5], {}, -(10**400), b"1e999", b"NaN", b"-Infinity", b"1e-999"], ids=str
)
def test_a_time_out_that_is_none_is_refused(server, seconds):
    text = seconds.decode() if isinstance(seconds, bytes) else json.dumps(seconds)
    assert refused(server, OURS, b'{"inputs": %s, "timeout_s": %s}' % (json.dumps(INPUTS).encode(), text.encode()))


@pytest.mark.parametrize("samples", [0, 10, -1, 1.5, True, "3", None, [3], 10**400])
def test_a_number_of_evaluations_that_is_none_is_refused(server, samples):
    assert "samples" in refused(server, OURS, asked(samples=samples))
    assert "exclude" in refused(server, OURS, asked(samples=3, stream=True))


@pytest.mark.parametrize("bundle", [1, None, {}, [1], [["x"]], ["x", "x"], [str(number) for number in range(10)]])
def test_bundles_that_are_none_are_refused(server, bundle):
    assert "'bundle'" in refused(server, OURS, asked(bundle=bundle))
    assert "'samples'" in refused(server, OURS, asked(bundle=["x", "y"], samples=1))


@pytest.mark.parametrize("seconds", [10**400, 10**300, 1e300, 86401])
def test_a_time_out_beyond_measure_is_the_servers_own(server, seconds):
    line = server.line()
    assert post(line, OURS, asked(timeout_s=seconds))[0] == 200


@pytest.mark.parametrize(
    "schema",
    [
        5,
        [],
        "x",
        {"$schema": 5},
        {"$schema": []},
        {"$schema": "\ud800"},
        {"$ref": 5},
        {"$ref": "#/nowhere"},
        {"type": 5},
        {"type": []},
        {"type": "\ud800"},
        {"enum": []},
        {"enum": 5},
        {"const": "\ud800"},
        {"properties": {"\ud800": {}}},
        {"properties": []},
        {"required": 5},
        {"pattern": "("},
        {"pattern": 5},
        {"maximum": "5"},
        {"multipleOf": 0},
        {"maxLength": -1},
        {"allOf": 5},
        False,
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_used_is_refused_before_anybody_is_asked(server, schema):
    before = len(server.engine.requests)
    line = server.line()
    status, _, answer = post(line, OURS, json.dumps(asked(schema=schema)).encode())
    assert status == 422, answer
    assert answer["error"]["reason"] == "input"
    assert len(server.engine.requests) == before
    then_good(line)


@pytest.mark.parametrize(
    "schema",
    [{"$schema": "http://nowhere.test/draft"}, {"$id": 5}, {"minLength": 10**30}, {"not": {}}, {}, {"type": "object"}],
    ids=str,
)
def test_an_odd_schema_is_answered_or_refused(server, schema):
    line = server.line()
    assert post(line, OURS, asked(schema=schema))[0] in {200, 422}
    then_good(line)


def tensor(name="parcel", shape=(1,), datatype="BYTES", data=("x",), **rest):
    return {"name": name, "shape": list(shape), "datatype": datatype, "data": list(data), **rest}


RULE = tensor("rule")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        5,
        {"inputs": {}},
        {"inputs": []},
        {"inputs": [5]},
        {"inputs": [None, RULE]},
        {"inputs": [{}]},
        {"inputs": [tensor(name=5), RULE]},
        {"inputs": [tensor(name="\ud800"), RULE]},
        {"inputs": [tensor(), tensor()]},
        {"inputs": [tensor(shape=[-1]), RULE]},
        {"inputs": [tensor(shape=[2**40, 2**40]), RULE]},
        {"inputs": [tensor(shape=[10**400]), RULE]},
        {"inputs": [tensor(shape=[1.0]), RULE]},
        {"inputs": [tensor(shape=[True]), RULE]},
        {"inputs": [{**tensor(), "shape": 5}, RULE]},
        {"inputs": [{**tensor(), "shape": None}, RULE]},
        {"inputs": [tensor(shape=[0], data=[]), tensor("rule", shape=[0], data=[])]},
        {"inputs": [tensor(datatype="FP32", data=[1.5]), RULE]},
        {"inputs": [tensor(datatype=5), RULE]},
        {"inputs": [tensor(datatype=None), RULE]},
        {"inputs": [tensor(data=[5]), RULE]},
        {"inputs": [tensor(data=[None]), RULE]},
        {"inputs": [tensor(data=[{}]), RULE]},
        {"inputs": [tensor(data=[[["x"], 5]], shape=[2]), RULE]},
        {"inputs": [{**tensor(), "data": "x"}, RULE]},
        {"inputs": [{"name": "parcel", "shape": [1], "datatype": "BYTES"}, RULE]},
        {"inputs": [tensor(parameters=5), RULE]},
        {"inputs": [tensor(parameters={"binary_data_size": 5}), RULE]},
        {"inputs": [tensor(parameters={"binary_data_size": -5}), RULE]},
        {"inputs": [tensor(parameters={"binary_data_size": "5"}), RULE]},
        {"inputs": [tensor(), RULE], "id": 5},
        {"inputs": [tensor(), RULE], "parameters": 5},
        {"inputs": [tensor(), RULE], "parameters": {"binary_data_output": 5}},
        {"inputs": [tensor(), RULE], "outputs": 5},
        {"inputs": [tensor(), RULE], "outputs": [5]},
        {"inputs": [tensor(), RULE], "outputs": [{}]},
        {"inputs": [tensor(), RULE], "outputs": [{"name": "nothing"}]},
        {"inputs": [tensor(), RULE], "outputs": [{"name": ["answer"]}]},
        {"inputs": [tensor(), RULE], "outputs": [{"name": "answer", "parameters": 5}]},
        {"inputs": [tensor(), RULE], "outputs": [{"name": "answer", "parameters": {"binary_data": 1}}]},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_tensors_that_are_none_are_refused(server, body):
    refused(server, V2, body)


EXCESSIVE = {
    "a shape of more sizes than any tensor has": ({"inputs": [tensor(shape=[1] * 9), RULE]}, "more than 8 sizes"),
    "sizes whose product takes minutes": ({"inputs": [tensor(shape=[2**31 - 1] * 100_000), RULE]}, "more than 8 sizes"),
    "a case more than a request may have": ({"inputs": [tensor(shape=[65], data=["x"] * 65), RULE]}, "more than 64"),
    "texts by the hundred thousand": (
        {"inputs": [tensor(shape=[10**5], data=["x"] * 10**5), RULE]},
        "more than 64 elements",
    ),
    "lists that hold nothing": ({"inputs": [tensor(shape=[0], data=[[]] * 10**5), RULE]}, "more than 512 lists"),
    "lists deeper than any shape": (
        {"inputs": [{**tensor(), "data": json.loads("[" * 600 + '"x"' + "]" * 600)}, RULE]},
        "more than 512 lists",
    ),
    "tensors of more names than any task has": (
        {"inputs": [tensor(f"input {number}") for number in range(257)]},
        "more than 256 tensors",
    ),
    "outputs that are named again and again": (
        {"inputs": [tensor(), RULE], "outputs": [{"name": "answer"}] * 257},
        "more than 256 tensors",
    ),
}


@pytest.mark.parametrize("which", EXCESSIVE)
def test_tensors_beyond_measure_are_refused_by_their_measure(server, which):
    body, named = EXCESSIVE[which]
    assert named in refused(server, V2, body)


def test_no_more_elements_are_read_than_a_request_may_have():
    read = []
    elements = (read.append(number) or "x" for number in range(10**5))
    with pytest.raises(InputError, match="more than 64 elements"):
        Columns().add("parcel", "BYTES", [10**5], elements)
    assert len(read) == 65


def test_as_many_cases_as_a_request_may_have_are_answered_however_they_are_nested():
    """Eight sizes and 64 elements, each within seven lists of its own."""
    inputs = []
    for name, text in INPUTS.items():
        column = [text] * 64
        for _ in range(7):
            column = [[item] for item in column]
        inputs.append(tensor(name, [64] + [1] * 7, data=column))
    with light(queue=64) as serving:
        status, _, answer = post(serving.line(), V2, {"inputs": inputs, "outputs": [{"name": "error"}]})
    assert (status, answer["outputs"][0]["data"]) == (200, [""] * 64)


@pytest.mark.parametrize(
    ("length", "blob", "named"),
    [
        ("9999999", b"", "the body has"),
        ("-1", b"", "the body has"),
        ("x", b"", "the body has"),
        ("9" * 400, b"", "the body has"),
        (None, b"\x01\x00\x00", "binary_data_size"),
        (None, struct.pack("<I", 50) + b"x", "binary_data_size"),
        (None, b"\xff\xff\xff\xff\x00\x00\x00\x00\x00", "cut off"),
        (None, struct.pack("<I", 5) + b"\xff\xfe\xff\xfe\xff", "no UTF-8"),
        (None, struct.pack("<I", 5) + b"hello" + b"more", "no tensor claims"),
        (None, struct.pack("<I", 0) * 2 + b"\x00", "cut off"),
    ],
)
def test_binary_tensors_that_are_none_are_refused(server, length, blob, named):
    parcel = {"name": "parcel", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 9}}
    head = json.dumps({"inputs": [parcel, RULE]}).encode()
    headers = {"inference-header-content-length": length or str(len(head))}
    assert named in refused(server, V2, head + blob, **headers)


def test_binary_tensors_go_in_and_out(server):
    texts = ["a map, 90 g", "a map, 90 g, für Zoë"]
    blob = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    parcel = {"name": "parcel", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(blob)}}
    body = {
        "id": "7",
        "inputs": [parcel, tensor("rule", [2, 1], data=[["x"], ["y"]])],
        "outputs": [{"name": "answer", "parameters": {"binary_data": True}}, {"name": "error"}],
    }
    head = json.dumps(body).encode()
    line = server.line()
    status, headers, content = post(line, V2, head + blob, **{"inference-header-content-length": str(len(head))})
    assert status == 200, content
    told = int(headers["inference-header-content-length"])
    answer = json.loads(content[:told])
    assert answer["id"] == "7"
    assert [output["name"] for output in answer["outputs"]] == ["answer", "error"]
    assert answer["outputs"][1]["data"] == ["", ""]
    size = struct.unpack("<I", content[told : told + 4])[0]
    assert json.loads(content[told + 4 : told + 4 + size]) == json.loads(JSON)
    assert len(content) == told + answer["outputs"][0]["parameters"]["binary_data_size"] == told + 2 * (4 + size)
    then_good(line)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"instances": 5},
        {"instances": []},
        {"instances": [5]},
        {"instances": [INPUTS] * 65},
        {"instances": [{"\ud800": "x"}]},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_instances_that_are_none_are_refused(server, body):
    refused(server, V1, body)


FORM = "multipart/form-data; boundary=b"


def part(name, content):
    """The last part of a form."""
    return b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n--b--\r\n' % (name, content)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM.partition(";")[0], b"x"),
        ("multipart/form-data; boundary=", b"x"),
        (FORM, b"x"),
        (FORM, b"--b\r\n\r\nx"),
        (FORM, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        (FORM, part(b"parcel", b"x")),
        (FORM, part(b"parcel", b"x") + part(b"parcel", b"y")),
        (f"{FORM}; charset=nowhere", part(b"parcel", b"x")),
        (FORM, part(b"timeout_s", b"NaN")),
        (FORM, part(b"schema", b"{")),
        (FORM, part(b'parcel"; filename="x.pdf', b"%PDF-")),
        ("application/xml", b"<x/>"),
        ("\x80", b"{}"),
        ("application/" + "x" * 5000, b"{}"),
    ],
)
def test_forms_that_are_none_are_refused(server, kind, body):
    refused(server, OURS, body, **{"content-type": kind})


def test_a_version_that_is_none_and_an_id_that_was_not_given(server):
    """The metadata list no versions; the id is repeated where there is one."""
    body = {"inputs": [tensor(data=["a map, 90 g"]), tensor("rule", data=["x"])]}
    refused(server, f"{V2.removesuffix('/infer')}/versions/7/infer", body, 404)
    line = server.line()
    assert "id" not in post(line, V2, body)[2]
    assert post(line, V2, {**body, "id": "7"})[2]["id"] == "7"


def test_unknown_places_cost_no_connection(server):
    refused(server, "/nowhere", b"{}", 404)
    refused(server, "/v1/tasks/%F0%9F%98%80%00/answer", asked(), 404)
    refused(server, "/v1/models/other:predict", {"instances": [INPUTS]}, 404)
    refused(server, "/v1/bundle", b"{}", 405)


def test_a_fault_of_ours_is_a_500_without_words_and_costs_no_connection(caplog):
    """An exception that a framework's handler would raise again, so that uvicorn would close the connection."""
    ready = []

    def script(request):
        if not ready:
            raise RuntimeError(WORD)
        return JSON if request.role == "formatter" else PROSE

    with light(script) as serving:
        line = serving.line()
        status, _, answer = post(line, OURS, asked())
        assert status == 500
        assert answer["error"]["reason"] == "internal"
        assert WORD not in json.dumps(answer)
        assert "RuntimeError" in caplog.text
        assert WORD not in caplog.text
        ready.append(True)
        then_good(line)


def test_half_a_surrogate_pair_is_no_character_and_no_fault(server):
    """It is replaced in what the model sees, as any decoder would."""
    line = server.line()
    status, _, answer = post(line, OURS, {"inputs": {**INPUTS, "parcel": "a map, 90 g, for Ann \ud800 Lee"}})
    assert status == 200, answer
    assert "\ufffd" in server.engine.requests[-2].prompt.text


def test_half_a_surrogate_pair_from_a_model_can_be_sent():
    bundle = testing.toy_bundle(testing.toy_task(), settings={"accept": "valid"})
    odd = testing.ScriptedEngine(bundle, lambda request: "odd \ud800" if request.role == "evaluator" else JSON)
    with light(engine=odd) as serving:
        status, _, answer = post(serving.line(), OURS, asked())
        assert status == 200
        assert answer["prose"].startswith("odd ")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
TENSOR = ("name", "shape", "datatype", "data", "parameters")
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "inputs": st.fixed_dictionaries({}, optional={"parcel": ANY, "rule": ANY})
        | st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(TENSOR, ANY)), max_size=3),
        "instances": st.lists(st.fixed_dictionaries({}, optional={"parcel": ANY, "rule": ANY}), max_size=3),
        "schema": ANY,
        "timeout_s": ANY,
        "outputs": ANY,
        "id": ANY,
    },
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(path=st.sampled_from([OURS, V1, V2]), body=ANY | LIKELY)
def test_no_body_gives_a_500_or_costs_the_connection(server, path, body):
    line = server.line()
    status, _, answer = post(line, path, body)
    assert status != 500, answer
    then_good(line)
    line.close()
