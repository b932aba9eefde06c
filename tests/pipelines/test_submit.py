"""Submitting a pipeline to a server that implements the few calls of KFP's API (v2beta1) that this needs, over HTTP."""

from __future__ import annotations

import functools
import json
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipelines import cluster, server
from pipelines.__main__ import app
from proseform.errors import ClusterError, ConfigError

ARGUMENTS = {"task": "cv", "run": "small", "tracking_uri": "", "name": ""}
EXPERIMENT = {"experiment_id": "e-1", "display_name": "proseform", "created_at": "2026-11-24T09:00:00Z"}
RECORDED: dict[tuple[str, str], tuple[int, Any]] = {
    ("GET", "/apis/v2beta1/healthz"): (200, {"multi_user": False}),
    ("GET", "/apis/v2beta1/experiments"): (200, {}),
    ("POST", "/apis/v2beta1/experiments"): (200, EXPERIMENT),
    ("POST", "/apis/v2beta1/runs"): (200, {"run_id": "r-1", "experiment_id": "e-1", "state": "PENDING"}),
}


class Kfp:
    """The requests to the server, and its answers."""

    def __init__(self) -> None:
        self.answers = dict(RECORDED)
        self.asked: list[tuple[str, str, Any, str]] = []
        self.url = ""

    def sent(self) -> dict[str, Any]:
        """The run that was sent."""
        (body,) = [body for method, path, body, _ in self.asked if (method, path) == ("POST", "/apis/v2beta1/runs")]
        return dict(body)


@pytest.fixture(scope="module", autouse=True)
def compiled_once() -> Iterator[None]:
    """A pipeline is compiled once: for every value of a step KFP walks the stack, and pytest's is deep."""
    write = cluster.write

    @functools.cache
    def text(run: str, place: str, name: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            return write(run, place, Path(folder), (name,))[name].read_text()

    def copied(run: str, place: str, folder: Path, names: tuple[str, ...]) -> dict[str, Path]:
        files = {name: folder / f"{name}.yaml" for name in names}
        for name, file in files.items():
            file.write_text(text(run, place, name))
        return files

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "write", copied)
        yield


@pytest.fixture
def kfp() -> Iterator[Kfp]:
    state = Kfp()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path = self.path.partition("?")[0]
            state.asked.append((self.command, path, body, self.headers.get("Authorization", "")))
            status, answer = state.answers.get((self.command, path), (404, {"error": "not found"}))
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{listening.server_port}"
    yield state
    listening.shutdown()
    listening.server_close()


@pytest.mark.parametrize("what", ["train", "promote"])
def test_the_compiled_pipeline_is_sent_with_its_parameters_and_without_kfps_cache(what: str, kfp: Kfp) -> None:
    assert server.submit(what, "small", "default", ARGUMENTS, kfp.url) == "r-1"
    sent = kfp.sent()
    assert sent["experiment_id"] == "e-1"
    assert sent["runtime_config"]["parameters"] == ARGUMENTS
    assert sent["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == f"proseform-{what}"
    assert "kubernetes" in sent["pipeline_spec"]["platform_spec"]["platforms"]
    assert '"enableCache": true' not in json.dumps(sent)


def test_the_runs_service_account_goes_with_it(kfp: Kfp) -> None:
    server.submit("train", "small", 'extends = "default"\n[steps]\naccount = "runner"\n', ARGUMENTS, kfp.url)
    assert kfp.sent()["service_account"] == "runner"


def test_an_experiment_that_is_there_is_used(kfp: Kfp) -> None:
    kfp.answers["GET", "/apis/v2beta1/experiments"] = (200, {"experiments": [EXPERIMENT], "total_size": 1})
    server.submit("train", "small", "default", ARGUMENTS, kfp.url)
    assert ("POST", "/apis/v2beta1/experiments") not in [(method, path) for method, path, _, _ in kfp.asked]


def test_the_token_comes_from_a_file_and_is_sent_as_a_bearer(kfp: Kfp, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    done = CliRunner().invoke(
        app, ["submit", "--host", kfp.url, "--run", "small", "--token-file", str(tmp_path / "token")]
    )
    assert done.exit_code == 0, done.output
    assert "r-1" in done.output
    assert {token for *_, token in kfp.asked} == {"Bearer s3cret"}


def test_what_the_server_refuses_is_told_in_its_words(kfp: Kfp) -> None:
    kfp.answers["POST", "/apis/v2beta1/runs"] = (403, {"error": "user may not create runs"})
    with pytest.raises(ClusterError, match="user may not create runs") as raised:
        server.submit("train", "small", "default", ARGUMENTS, kfp.url)
    assert raised.value.status == 403


def test_a_server_that_is_away_is_named() -> None:
    with pytest.raises(ClusterError, match=r"http://127\.0\.0\.1:9: the KFP server does not answer"):
        server.submit("train", "small", "default", ARGUMENTS, "http://127.0.0.1:9", namespace="people")


def test_a_wrong_run_is_refused_before_anything_is_sent(kfp: Kfp) -> None:
    with pytest.raises(ConfigError, match=r"place: steps\.cpu"):
        server.submit("train", "small", '[steps]\ncpu = "many"\n', ARGUMENTS, kfp.url)
    assert kfp.asked == []


def test_help_says_that_no_server_was_at_hand() -> None:
    output = " ".join(CliRunner().invoke(app, ["submit", "--help"]).output.split())
    assert "not against a server" in output
