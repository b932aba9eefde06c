"""The transformer as KServe starts it: a bundle's manifest, engines by host, neither torch nor registry nor traces."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from proseform import task as tasks
from proseform import testing
from tests.waiting import PATIENCE_S, until

TASK = tasks.load("cv")
CASE = TASK.gold[0]
BLOCK = """import sys
for name in ("torch", "transformers", "peft", "mlflow", "llguidance", "opentelemetry"):
    sys.modules[name] = None
"""


@contextmanager
def engine(asked: list[str]) -> Iterator[str]:
    """A server like vLLM that knows one case; its host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body["model"])
            text = CASE.prose if body["model"] == "evaluator" else json.dumps(CASE.answer)
            message = {"message": {"content": text}, "text": text, "finish_reason": "stop"}
            data = json.dumps({"choices": [message], "usage": {"completion_tokens": 1}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_answers_by_two_engines_and_names_its_bundle(tmp_path: Path) -> None:
    bundle = testing.toy_bundle(TASK)
    bundle.write(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    asked: list[list[str]] = [[], []]
    with engine(asked[0]) as evaluator, engine(asked[1]) as formatter, (tmp_path / "log").open("wb") as log:
        ours = [
            "--task",
            "cv",
            "--bundle",
            str(tmp_path),
            "--model_name",
            "proseform-cv",
            "--evaluator",
            f"http://{evaluator}",
        ]
        kserves = ["--predictor_host", formatter, "--http_port", str(port), "--workers", "1"]
        env = {
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "HOME": str(tmp_path),
            "PROSEFORM_HOME": str(tmp_path / "none"),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "proseform.cli", "serve", *ours, *kserves],
            stdout=log,
            stderr=log,
            cwd=tmp_path,
            env=env,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
                answer = first_answer(client, process, tmp_path / "log")
                predicted = client.post(
                    "/v1/models/proseform-cv:predict", json={"instances": [dict(CASE.inputs)]}
                ).json()
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
    assert answer["answer"] == CASE.answer
    assert answer["bundle"] == bundle.digest
    assert predicted["predictions"][0]["bundle"] == bundle.digest
    assert [set(models) for models in asked] == [{"evaluator"}, {"formatter"}]
    assert not (tmp_path / "none").exists()  # nothing of a registry was asked or made


def first_answer(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """The answer to the case, once the server is ready."""

    def ready() -> bool:
        try:
            return client.get("/v2/health/ready").status_code == 200
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
            return False

    until(ready)
    response = client.post("/v1/tasks/cv/answer", json={"inputs": dict(CASE.inputs)})
    assert response.status_code == 200, response.text
    return dict(response.json())
