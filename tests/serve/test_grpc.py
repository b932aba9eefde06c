"""The Open Inference Protocol over gRPC: KServe's own client and messages, and calls as no client would make them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor

from proseform import testing
from proseform.errors import ConfigError
from proseform.serve import exchange, keys
from proseform.serve.app import App
from proseform.serve.grpc import messages
from proseform.serve.grpc.carrier import Carrier
from proseform.serve.guard import Guard
from proseform.serve.keys import Keys
from tests.serve.light import INPUTS, JSON, PROSE, light, post
from tests.serve.test_draining import listening
from tests.serve.test_leaving import Waiting
from tests.serve.test_metrics import total
from tests.waiting import LIMITS, PATIENCE_S

NAME = "proseform-toy"
INFER = f"/{messages.SERVICE}/ModelInfer"


def request(raw=False, model=NAME, cases=1, outputs=(), **inputs):
    """A request of so many equal cases."""
    message = messages.new("ModelInferRequest", model_name=model, id="7")
    for name, text in (inputs or INPUTS).items():
        tensor = message.inputs.add(name=name, datatype="BYTES", shape=[cases])
        data = text if isinstance(text, bytes) else text.encode()
        if raw:
            message.raw_input_contents.append((len(data).to_bytes(4, "little") + data) * cases)
        else:
            tensor.contents.bytes_contents.extend([data] * cases)
    for name in outputs:
        message.outputs.add(name=name)
    return message


def called(server, message, path=INFER, **options):
    """A call's response, as KServe's client would read it, and its trailing metadata; or the error that ended it."""
    data = message if isinstance(message, bytes) else message.SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", [("grpc.max_send_message_length", -1)]) as channel:
        options = {"timeout": PATIENCE_S, **options}
        answer, call = channel.unary_unary(path).with_call(data, **options)
        return messages.read("ModelInferResponse", answer), dict(call.trailing_metadata())


def refused(server, message, path=INFER, **options):
    """The error that ends a call."""
    with pytest.raises(grpc.RpcError) as caught:
        called(server, message, path, **options)
    return caught.value


@pytest.fixture(scope="module")
def server():
    with light(grpc=True) as one:
        yield one


@pytest.fixture
def stub(server):
    """KServe's own client, whose stub takes KServe's own messages."""
    kserve = pytest.importorskip("kserve")

    def ask(work):
        async def asked():
            async with kserve.InferenceGRPCClient(f"127.0.0.1:{server.grpc_port}", timeout=PATIENCE_S) as client:
                return await work(client)

        return asyncio.run(asked())

    return ask


def test_messages_are_those_that_kserves_package_states():
    kserves = pytest.importorskip("kserve.protocol.grpc.grpc_predict_v2_pb2").DESCRIPTOR

    def same(ours, theirs):
        for field in ours.fields:
            stated = theirs.fields_by_number[field.number]
            assert (stated.name, stated.type, stated.is_repeated) == (field.name, field.type, field.is_repeated)
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                assert stated.message_type.full_name == field.message_type.full_name
        for inner in ours.nested_types:
            same(inner, theirs.nested_types_by_name[inner.name])

    file = messages.POOL.FindFileByName("open_inference.proto")
    for name, message in file.message_types_by_name.items():
        same(message, kserves.message_types_by_name[name])
    (service,) = kserves.services_by_name.values()
    ours = {method.name for method in service.methods if not method.name.startswith("Repository")}
    assert service.full_name == messages.SERVICE
    assert ours == {name.removesuffix("Request") for name in file.message_types_by_name if name.endswith("Request")}


@pytest.mark.parametrize("binary", [False, True])
def test_kserves_own_client_infers(server, stub, binary):
    import kserve
    import numpy as np

    inputs = [kserve.InferInput(name, [1], "BYTES") for name in INPUTS]
    for tensor, text in zip(inputs, INPUTS.values(), strict=True):
        tensor.set_data_from_numpy(np.array([text.encode()], dtype=np.object_), binary_data=binary)
    asked = kserve.InferRequest(model_name=NAME, request_id="7", infer_inputs=inputs)

    async def work(client):
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(NAME)
        return await client.infer(asked)

    response = stub(work)
    answer, prose, bundle, error = (tensor.as_numpy()[0] for tensor in response.outputs)
    assert (response.id, response.model_name) == ("7", NAME)
    assert json.loads(answer) == json.loads(JSON)
    assert (prose.decode(), error) == (PROSE, b"")
    assert bundle.decode() == server.engine.bundle.digest


def test_kserves_own_client_reads_what_server_and_model_are(stub):
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as theirs

    async def work(client):
        return (
            await client._client_stub.ServerMetadata(theirs.ServerMetadataRequest()),
            await client._client_stub.ModelMetadata(theirs.ModelMetadataRequest(name=NAME)),
        )

    said, model = stub(work)
    assert said.name == "proseform"
    assert [tensor.name for tensor in model.inputs] == list(INPUTS)
    assert [tensor.name for tensor in model.outputs] == ["answer", "prose", "bundle", "error"]


@pytest.mark.parametrize("raw", [False, True])
def test_each_case_has_its_row_and_the_response_has_the_form_of_the_request(server, raw):
    answer, told = called(server, request(raw, cases=3, outputs=["answer", "error"]))
    assert [tensor.name for tensor in answer.outputs] == ["answer", "error"]
    assert [list(tensor.shape) for tensor in answer.outputs] == [[3], [3]]
    assert len(answer.raw_output_contents) == (2 if raw else 0)
    assert [len(tensor.contents.bytes_contents) for tensor in answer.outputs] == ([0, 0] if raw else [3, 3])
    assert told["x-proseform-bundle"] == server.engine.bundle.digest


def test_a_refusal_tells_its_request_and_its_bundle_too():
    with light(lambda request: "no verdict" if request.role == "evaluator" else JSON, grpc=True) as server:
        error = refused(server, request(), metadata=[("x-request-id", "mine")])
    told = dict(error.trailing_metadata())
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details().startswith("incomplete: ")
    assert (told["x-request-id"], told["x-proseform-bundle"]) == ("mine", server.engine.bundle.digest)


BOTH = request(raw=True)
BOTH.inputs[0].contents.bytes_contents.append(b"a map")
FEWER = request(raw=True)
del FEWER.raw_input_contents[1:]
FLOATS = request()
FLOATS.inputs[0].datatype = "FP32"
SHAPE = request()
SHAPE.inputs[0].shape[:] = [-1]
TWICE = request()
TWICE.inputs.append(TWICE.inputs[0])
VERSION = request()
VERSION.model_version = "2"
CUT = request(raw=True)
CUT.raw_input_contents[0] = b"\x09\x00\x00\x00a"
LONG = request()
LONG.inputs[0].shape[:] = [1] * 9
QUADRATIC = request()
QUADRATIC.inputs[0].shape[:] = [2**31 - 1] * 100_000
MANY = messages.new("ModelInferRequest", model_name=NAME)
for number in range(257):
    MANY.inputs.add(name=f"input {number}", datatype="BYTES", shape=[1])
UNUSABLE = {
    "no message": (b"\xff\xff\xff", "INVALID_ARGUMENT", "no ModelInferRequest"),
    "nothing": (b"", "NOT_FOUND", "No model ''"),
    "another model": (request(model="other"), "NOT_FOUND", "No model 'other'"),
    "a version": (VERSION, "NOT_FOUND", "no versions"),
    "no tensor": (messages.new("ModelInferRequest", model_name=NAME), "INVALID_ARGUMENT", "no elements"),
    "an input missing": (request(parcel="a map"), "INVALID_ARGUMENT", "'rule' is missing"),
    "numbers": (FLOATS, "INVALID_ARGUMENT", "type 'FP32'"),
    "no size": (SHAPE, "INVALID_ARGUMENT", "no list of sizes"),
    "a tensor twice": (TWICE, "INVALID_ARGUMENT", "occurs twice"),
    "no UTF-8": (request(parcel=b"\xff", rule="x"), "INVALID_ARGUMENT", "no UTF-8"),
    "no UTF-8, raw": (request(raw=True, parcel=b"\xff", rule="x"), "INVALID_ARGUMENT", "no UTF-8"),
    "an element that is cut off": (CUT, "INVALID_ARGUMENT", "element 0 is cut off"),
    "contents in two places": (BOTH, "INVALID_ARGUMENT", "raw_input_contents has them too"),
    "too few raw contents": (FEWER, "INVALID_ARGUMENT", "1 elements for 2 tensors"),
    "no such output": (request(outputs=["score"]), "INVALID_ARGUMENT", "No output 'score'"),
    "too many cases": (request(cases=65), "INVALID_ARGUMENT", "more than 64 elements"),
    "too many cases, raw": (request(raw=True, cases=100_000), "INVALID_ARGUMENT", "more than 64 elements"),
    "a shape of more sizes than any tensor has": (LONG, "INVALID_ARGUMENT", "more than 8 sizes"),
    "sizes whose product takes minutes": (QUADRATIC, "INVALID_ARGUMENT", "more than 8 sizes"),
    "tensors of more names than any task has": (MANY, "INVALID_ARGUMENT", "more than 256 tensors"),
    "outputs by the hundred": (request(outputs=["answer"] * 257), "INVALID_ARGUMENT", "more than 256 tensors"),
}


@pytest.mark.parametrize("which", UNUSABLE)
def test_what_cannot_be_used_is_refused_in_words(server, which):
    message, code, words = UNUSABLE[which]
    error = refused(server, message)
    assert (error.code().name, words in error.details()) == (code, True), error.details()
    called(server, request())


@pytest.mark.parametrize("path", [f"/{messages.SERVICE}/RepositoryModelLoad", "/other.Service/ModelInfer"])
def test_another_method_is_none(server, path):
    assert refused(server, b"", path).code().name in {"UNIMPLEMENTED", "NOT_FOUND"}


@pytest.mark.parametrize("count", [0, 2, 100])
def test_a_call_has_one_message(server, count):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        data = request().SerializeToString()
        with pytest.raises(grpc.RpcError, match="not exactly one message"):
            channel.stream_unary(INFER)(iter([data] * count), timeout=PATIENCE_S)


def test_a_message_beyond_the_limit_or_compressed_is_not_unfolded(server):
    large = request(parcel="x" * 200 * 1024 * 1024, rule="x").SerializeToString()
    assert refused(server, large).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused(server, request(), compression=grpc.Compression.Gzip).code() is grpc.StatusCode.UNIMPLEMENTED
    called(server, request())


@pytest.mark.parametrize("method", ["ModelReady", "ModelMetadata"])
def test_a_message_that_only_names_a_model_is_small(server, method):
    """Some are read without a key, and by plain HTTP too."""
    path = f"/{messages.SERVICE}/{method}"
    data = messages.new(f"{method}Request", name="x" * 70_000).SerializeToString()
    error = refused(server, data, path)
    assert (error.code(), error.details()[:10]) == (grpc.StatusCode.INVALID_ARGUMENT, "too_large:")
    line = server.line()
    line.request("GET", path, data)
    response = line.getresponse()
    response.read()
    assert (response.status, response.headers["connection"]) == (413, "close")
    called(server, messages.new(f"{method}Request", name=NAME), path)


def test_keys_rates_and_counts_are_those_of_every_protocol(tmp_path):
    file = tmp_path / "keys.json"
    token = keys.new(file, "ci", 3)
    before = total("proseform_request_seconds_count", protocol="grpc", outcome="answered")
    with light(grpc=True, guard=Guard(Keys(file), clock=lambda: 0.0)) as server:
        assert refused(server, request()).code() is grpc.StatusCode.UNAUTHENTICATED
        assert refused(server, b"", f"/{messages.SERVICE}/ServerMetadata").code() is grpc.StatusCode.UNAUTHENTICATED
        bearer = [("authorization", f"Bearer {token}")]
        called(server, b"", f"/{messages.SERVICE}/ServerMetadata", metadata=bearer)
        called(server, b"", f"/{messages.SERVICE}/ServerReady")
        called(server, request(cases=3), metadata=bearer)
        error = refused(server, request(), metadata=bearer)
    told = dict(error.trailing_metadata())
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (told["retry-after"], told["grpc-retry-pushback-ms"]) == ("20", "20000")
    assert total("proseform_request_seconds_count", protocol="grpc", outcome="answered") == before + 2


def test_a_call_that_is_cancelled_cancels_its_chain_down_to_the_engine():
    engine = Waiting()
    with light(engine=engine, grpc=True, concurrency=1, queue=0) as server:
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call = channel.unary_unary(INFER).future(request().SerializeToString(), timeout=PATIENCE_S)
            assert engine.asked.wait(PATIENCE_S)
            error = refused(server, request())
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
            call.cancel()
            assert engine.cancelled.wait(PATIENCE_S)
        engine.free.set()
        called(server, request())


def test_a_call_whose_deadline_passes_cancels_its_chain_too():
    engine = Waiting()
    with light(engine=engine, grpc=True) as server:
        for limit_s in LIMITS:
            assert refused(server, request(), timeout=limit_s).code() is grpc.StatusCode.DEADLINE_EXCEEDED
            if engine.asked.is_set():
                break
        assert engine.cancelled.wait(PATIENCE_S)


def test_a_message_that_does_not_come_is_waited_for_as_long_as_a_body(monkeypatch):
    monkeypatch.setattr(exchange, "BODY_S", 0.05)
    never = threading.Event()

    def nothing():
        never.wait(PATIENCE_S)
        yield b""

    with light(grpc=True) as server, grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError, match="in time") as caught:
            channel.stream_unary(INFER)(nothing(), timeout=PATIENCE_S)
        never.set()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        carrier = Carrier(App.__new__(App), "127.0.0.1", port, 1000, 1)
        with pytest.raises(ConfigError, match=f"--grpc-port {port}: nothing can listen there"):
            asyncio.run(carrier.begin())


def test_without_it_no_method_is_a_route():
    with light() as server:
        assert post(server.line(), INFER, b"")[0] == 404


def test_no_call_that_has_begun_is_lost_when_the_server_is_told_to_go(tmp_path):
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        port, grpc_port = one.getsockname()[1], two.getsockname()[1]
    program = [sys.executable, str(Path(__file__).with_name("draining_program.py")), str(port), str(grpc_port)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(program, env=environment, stderr=log)
    data, begun, answered, ends = request().SerializeToString(), threading.Semaphore(0), [], []

    def caller():
        with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            method = channel.unary_unary(INFER)
            try:
                while True:
                    method(data, timeout=PATIENCE_S)
                    answered.append(True)
                    begun.release()
            except grpc.RpcError as error:
                ends.append(error.code())

    try:
        listening(process, port)
        threads = [threading.Thread(target=caller) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(12):
            begun.acquire()
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        process.wait(PATIENCE_S)
        told = (tmp_path / "log").read_text()
        assert told.count("outcome=answered") == told.count("protocol=grpc") == len(answered), told
        assert set(ends) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}, "nobody listens any more"
    finally:
        process.kill()
        process.wait()


def test_models_are_closed_after_the_last_call():
    closed = []

    class Counted(testing.ScriptedEngine):
        async def close(self):
            closed.append(True)

    engine = Counted(
        testing.toy_bundle(testing.toy_task()), lambda request: PROSE if request.role == "evaluator" else JSON
    )
    with light(engine=engine, grpc=True) as server:
        called(server, request())
        assert not closed
    assert closed == [True]
