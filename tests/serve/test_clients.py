"""The real packages of others, unchanged: openai, instructor, LangChain, and kserve's own client."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from tests.serve.light import INPUTS, JSON, light
from tests.serve.test_openai import said

MESSAGES: Any = [{"role": "user", "content": json.dumps(INPUTS)}]


class Parcel(BaseModel):
    """What is to be sent or refused."""

    verdict: Literal["send", "refuse"]


@pytest.fixture(scope="module")
def server():
    with light(said) as serving:
        yield serving


@pytest.fixture(scope="module")
def url(server):
    return f"http://127.0.0.1:{server.port}/openai/v1"


@pytest.fixture(scope="module")
def client(url):
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as made:
        yield made


def test_openai_completes_parses_and_lists(client):
    completion = client.chat.completions.create(model="toy", messages=MESSAGES)
    assert json.loads(completion.choices[0].message.content) == json.loads(JSON)
    assert completion.model_extra["proseform"]["verdict"] == "verified"
    parsed = client.chat.completions.parse(model="toy", messages=MESSAGES, response_format=Parcel)
    assert parsed.choices[0].message.parsed == Parcel(verdict="send")
    assert [model.id for model in client.models.list()] == ["toy", "toy/formatter"]
    prose = client.completions.create(model="toy/formatter", prompt="It weighs 90 g.")
    assert json.loads(prose.choices[0].text) == json.loads(JSON)


def test_openai_streams(client):
    chunks = list(client.chat.completions.create(model="toy", messages=MESSAGES, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert json.loads(text) == json.loads(JSON)
    with client.chat.completions.stream(model="toy", messages=MESSAGES, response_format=Parcel) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Parcel(verdict="send")


def test_openai_raises_its_own_errors(client):
    openai = pytest.importorskip("openai")
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="toy", messages=[{"role": "user", "content": "Hello"}])
    assert (refused.value.param, refused.value.type) == ("messages", "invalid_request_error")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)


def test_openai_raises_a_refusal_streamed_or_not():
    openai = pytest.importorskip("openai")
    with light(lambda _request: "I cannot say.") as serving:
        url = f"http://127.0.0.1:{serving.port}/openai/v1"
        with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            for stream in (False, True):
                with pytest.raises(openai.UnprocessableEntityError) as refused:
                    client.chat.completions.create(model="toy", messages=MESSAGES, stream=stream)
                assert (refused.value.type, refused.value.code) == ("refusal", "incomplete")


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_instructor_gives_its_model(client, mode):
    instructor = pytest.importorskip("instructor")
    patched = instructor.from_openai(client, mode=instructor.Mode[mode])
    parcel = patched.chat.completions.create(model="toy", messages=MESSAGES, response_model=Parcel)
    assert isinstance(parcel, Parcel)
    assert parcel.verdict == "send"


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_langchain_gives_structured_output(url, method):
    langchain = pytest.importorskip("langchain_openai")
    model = langchain.ChatOpenAI(model="toy", base_url=url, api_key="none", max_retries=0)
    assert model.with_structured_output(Parcel, method=method).invoke(json.dumps(INPUTS)) == Parcel(verdict="send")


@pytest.mark.parametrize("binary", [False, True])
def test_kserves_own_client_infers(server, binary):
    kserve = pytest.importorskip("kserve")
    url = f"http://127.0.0.1:{server.port}"
    texts = [*INPUTS.values()]
    inputs = [kserve.InferInput(name, [1], "BYTES") for name in INPUTS]
    for tensor, text in zip(inputs, texts, strict=True):
        tensor.set_data_from_numpy(_bytes(text), binary_data=binary)
    output = kserve.protocol.infer_type.RequestedOutput("answer", parameters={"binary_data": binary})
    request = kserve.InferRequest(
        model_name="proseform-toy", request_id="7", infer_inputs=inputs, request_outputs=[output]
    )

    async def ask():
        client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2"))
        assert await client.is_server_live(url)
        assert await client.is_server_ready(url)
        assert await client.is_model_ready(url, "proseform-toy")
        return await client.infer(url, request, model_name="proseform-toy")

    response = asyncio.run(ask())
    (tensor,) = response.outputs
    assert (response.id, tensor.name, tensor.shape) == ("7", "answer", [1])
    assert json.loads(tensor.as_numpy()[0]) == json.loads(JSON)


def test_kserves_own_client_is_told_why(server):
    kserve = pytest.importorskip("kserve")
    httpx = pytest.importorskip("httpx")
    tensor = kserve.InferInput("parcel", [1], "BYTES", data=["a map"])
    request = kserve.InferRequest(model_name="proseform-toy", infer_inputs=[tensor])

    async def ask():
        client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2"))
        await client.infer(f"http://127.0.0.1:{server.port}", request, model_name="proseform-toy")

    with pytest.raises(httpx.HTTPStatusError, match="'rule' is missing"):
        asyncio.run(ask())


def _bytes(text):
    """A tensor of one text."""
    import numpy as np

    return np.array([text.encode()], dtype=np.object_)
