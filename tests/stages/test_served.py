"""An engine by URL that generates for the evaluate stage: what it must serve, and what its records' key holds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from proseform import config, digest, records, testing
from proseform.config import place
from proseform.errors import EngineError, EngineFaultError
from proseform.stages import cache, evaluate, policy, served
from proseform.store import Ref, Result
from tests.stages.test_evaluate import ALONE, Here, world
from tests.suites.measured import TASK, study

BUNDLES = {
    name: testing.toy_bundle(TASK, settings={"subject": name}) for name in ("base", "sft", "grpo")
}  # of one base, without adapters
WEIGHTS = digest.short(digest.of_json("none"))


class Server(ThreadingHTTPServer):
    """A server that lists some models, and answers for some more; everything else is 404."""

    listed: ClassVar[list[str]] = []
    loads: ClassVar[list[str]] = []
    asked: ClassVar[list[dict[str, Any]]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": name} for name in self.server.listed]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body)
        known = body["model"] in [*self.server.listed, *self.server.loads]
        choice = {"text": "Of the server.", "finish_reason": "stop"}
        self._send(200 if known else 404, {"choices": [choice], "usage": {"completion_tokens": 3}})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(("127.0.0.1", 0), Handler)
    running.listed, running.loads, running.asked = ["base"], [], []  # type: ignore[misc]
    thread = threading.Thread(target=running.serve_forever, args=(0.02,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def engine(server: Server, **models: str) -> config.EvaluateEngine:
    return config.EvaluateEngine(url=f"http://127.0.0.1:{server.server_port}/v1", models=place.Measured(**models))


def test_names_that_are_known_beforehand_are_asked_for_before_anything_trains(server: Server) -> None:
    served.preflight(engine(server))
    assert server.asked == []  # listed, so not asked for a token; those with a digest are not known yet
    with pytest.raises(EngineFaultError, match=r"does not serve judge\. It lists: base\."):
        served.preflight(engine(server, grpo="judge"))
    server.loads = ["judge"]  # type: ignore[misc]
    served.preflight(engine(server, grpo="judge"))  # loaded when it is asked


def test_weights_of_another_digest_are_not_measured(server: Server) -> None:
    """Yesterday's adapter stands under yesterday's name; what is missing is named, with the folder of its weights."""
    server.listed += ["sft-000000000000", f"grpo-{WEIGHTS}", f"formatter-{WEIGHTS}"]
    with pytest.raises(EngineFaultError, match=f"does not serve sft-{WEIGHTS}") as refused:
        served.specs(engine(server), BUNDLES, Path("/work/bundles"))
    assert f"sft-{WEIGHTS}: /work/bundles/sft/base" in refused.value.hint
    server.listed.append(f"sft-{WEIGHTS}")
    specs = served.specs(engine(server), BUNDLES, Path("/work/bundles"))
    assert {one["timeout_s"] for one in specs.values()} == {600}
    assert {name: (one["evaluator_model"], one["formatter_model"]) for name, one in specs.items()} == {
        "base": ("base", "base"),
        "sft": (f"sft-{WEIGHTS}", f"formatter-{WEIGHTS}"),
        "grpo": (f"grpo-{WEIGHTS}", f"formatter-{WEIGHTS}"),
    }


def test_a_server_that_is_away_is_told_in_words(server: Server) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(EngineError, match=r"The engine at http://127\.0\.0\.1:\d+ does not answer"):
        served.preflight(engine(server))


@pytest.mark.parametrize("name", ["", "two words", "{weights}", "a-{digest}-{digest}"])
def test_a_name_that_no_model_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="models"):
        config.Place(evaluate={"engine": {"models": {"sft": name}}})


def key(monkeypatch: pytest.MonkeyPatch, table: str) -> tuple[dict[str, Any], frozenset[str]]:
    """What the records' key is made of at a place, and what they do not pass through."""
    known: list[Any] = []

    def once(_stage: str, inputs: dict[str, Any], _body: Any, **code: Any) -> None:
        known.append((inputs, code["apart"]))

    monkeypatch.setenv("PROSEFORM_PLACE", f'namespace = "n"\n{table}')
    monkeypatch.setattr(cache, "once", once)
    monkeypatch.setattr(policy, "base", lambda *_: Result(Ref("file:///base", "sha256:0"), "sha256:0"))
    trained = {name: cache.Slot("file:///x", {"digest": f"sha256:{name}"}) for name in ("sft", "grpo", "formatter")}
    evaluate._records(TASK, config.load("small"), study(cases=1), cache.Slot(), trained)
    return known[0]


def test_the_key_holds_what_a_server_is_asked_by_and_not_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    here, through = key(monkeypatch, "")
    assert "engine" not in here
    assert "proseform.infer.local" not in through
    one, apart = key(monkeypatch, '[evaluate.engine]\nurl = "http://one"\nkey_file = "/a"\ntimeout_s = 9')
    assert one.pop("engine")["models"]["sft"] == "sft-{digest}"
    assert one == here
    assert "proseform.infer.local" in apart
    keys = [
        key(monkeypatch, f"[evaluate.engine]\n{lines}")[0]
        for lines in (
            'url = "http://one"',
            'url = "http://two"',
            'url = "http://one"\ndialect = "openai"',
            'url = "http://one"\nmodels.sft = "imitator"',
        )
    ]
    assert keys[0] == keys[1]
    assert all(keys[0] != other for other in keys[2:])


def test_records_are_what_the_server_wrote_and_no_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    """The whole stage at a place with an engine: each subject is asked of its model; the report names the server."""
    opened = world(tmp_path, monkeypatch, ALONE)
    monkeypatch.setattr(policy, "Local", Here)
    monkeypatch.setattr(policy, "launcher", None)  # no job is started
    monkeypatch.setattr("proseform.infer.local.LocalEngine", None)
    server.listed += ["sft", "grpo", "formatter"]
    url = f"http://127.0.0.1:{server.server_port}"
    names = 'models = { sft = "sft", grpo = "grpo", formatter = "formatter" }'
    monkeypatch.setenv("PROSEFORM_PLACE", f'[evaluate.engine]\nurl = "{url}"\n{names}\n')
    folder = opened.evaluate()
    rows = records.read(folder / records.RECORDS)
    assert {row.text for row in rows if row.suite == "evaluations"} == {"Of the server."}
    assert {body["model"] for body in server.asked} == {"base", "sft", "grpo", "formatter"}
    report = json.loads((folder / "report.json").read_text())
    assert report["meta"]["machine"] == f"vllm server at {url}"
