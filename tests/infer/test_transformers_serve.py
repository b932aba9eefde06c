"""A real OpenAI-compatible server that is not vLLM: `transformers serve`, with the dialect of OpenAI.

Greedy, its text must be what the engine in this process says of the same bundle: of random weights for single requests,
of weights that have learnt their texts for a whole measurement. The server knows no `response_format` at
`/v1/completions`, so that JSON is not constrained, but verified all the same.
"""

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from proseform.errors import EngineError, Refusal
from proseform.infer import ask
from proseform.infer.answer import answered
from proseform.infer.context import encoders
from proseform.infer.http import HttpEngine
from proseform.infer.spec import EngineSpec
from tests.infer import learnt
from tests.waiting import PATIENCE_S, until

INPUTS = {"parcel": "a map, 90 g", "rule": "at most 100 g"}
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openai") is None, reason="transformers serve needs the openai package (make setup)"
)


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", "--host", "127.0.0.1", "--port", str(port)]
    work = tmp_path_factory.mktemp("transformers")
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    env["HF_HUB_CACHE"] = str(work / "none")  # so it answers 500 to who asks for its models
    log = work / "log"
    with log.open("wb") as file:
        process = subprocess.Popen([*command, "--device", "cpu"], stdout=file, stderr=file, env=env)

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            except OSError:
                return False
            return True

        try:
            until(ready)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def over(url, folder, engine, work, **spec):
    """What an engine over the server does, which has the bundle's models by the names of their folders."""

    async def run():
        models = {f"{role}_model": str(folder / part.base) for role, part in engine.bundle.parts.items()}
        far = HttpEngine(
            EngineSpec(url, dialect="openai", **{**models, **spec}), engine.bundle, encoders(folder, engine.bundle)
        )
        try:
            return await work(far)
        finally:
            await far.close()

    return asyncio.run(run())


@pytest.mark.parametrize("role", ["evaluator", "formatter"])
@pytest.mark.parametrize("stream", [False, True])
def test_it_says_what_the_engine_in_this_process_says(url, folder, engine, role, stream):
    values = INPUTS if role == "evaluator" else {"prose": "The parcel weighs 90 g.", "schema": "{verdict: send|refuse}"}
    request = replace(ask(engine.bundle, role, values), max_tokens=16)
    shown = []

    async def work(far):
        return await far.complete(request, shown.append if stream else None)

    theirs = over(url, folder, engine, work)
    ours = asyncio.run(_complete(engine, request))
    assert theirs.text == ours.text
    assert theirs.text.startswith(request.prefill)
    if stream:
        assert "".join(shown) == theirs.text


async def _complete(engine, request):
    return await engine.complete(request)


def test_json_that_it_does_not_constrain_is_verified_all_the_same(url, folder, engine, task):
    async def work(far):
        with pytest.raises(Refusal) as caught:
            await answered(far, task, INPUTS)
        return caught.value

    refusal = over(url, folder, engine, work)
    assert "3 attempts" in refusal.message
    assert refusal.reason in {"not_json", "truncated", "schema", "trailing_text", "empty"}


def test_many_requests_side_by_side_come_back_in_order(url, folder, engine):
    requests = [
        replace(ask(engine.bundle, "evaluator", {**INPUTS, "parcel": f"{number} g"}), max_tokens=4)
        for number in range(6)
    ]

    async def work(far):
        return await far.complete_all(requests)

    async def ours():
        return [await engine.complete(request) for request in requests]

    theirs = over(url, folder, engine, work)
    assert [one.text for one in theirs] == [one.text for one in asyncio.run(ours())]


def test_it_is_ready_although_it_cannot_list_its_models(url, folder, engine):
    async def work(far):
        return await far.trouble()

    assert urllib.request.urlopen(f"{url}/health", timeout=PATIENCE_S).status == 200
    with pytest.raises(urllib.error.HTTPError, match="500"):
        urllib.request.urlopen(f"{url}/v1/models", timeout=PATIENCE_S)
    assert over(url, folder, engine, work) == ""


def test_a_model_that_it_does_not_have_is_an_error_of_the_engine(url, folder, engine):
    """It answers 500 itself, so that is what is told."""

    async def work(far):
        with pytest.raises(EngineError, match="HTTP 500"):
            await far.complete(ask(engine.bundle, "evaluator", INPUTS))

    over(url, folder, engine, work, evaluator_model="/nowhere/at/all")


def test_records_by_url_hold_the_texts_of_records_in_process(url, folder, task, tmp_path, monkeypatch):
    """The whole evaluate stage both ways: greedy, every text is the same, prefills included.

    Sampled evaluations are left out, since every engine draws its own random numbers. JSON that is held to its schema
    in process is not held to it here; it is the same because these models write what the schema allows of themselves.
    """
    world = learnt.world(tmp_path, task, folder / "evaluator", monkeypatch)
    ours, _ = world.measured()
    names = ", ".join(f'{name} = "{weights}"' for name, weights in world.weights.items())
    monkeypatch.setenv(
        "PROSEFORM_PLACE", f'[evaluate.engine]\nurl = "{url}"\ndialect = "openai"\nmodels = {{ {names} }}\n'
    )
    theirs, report = world.measured()
    assert report["meta"]["machine"] == f"openai server at {url}"
    assert learnt.greedy(theirs) == learnt.greedy(ours)
