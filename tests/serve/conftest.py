"""One real server on loopback, over two bundles of random weights that share the traffic 3 to 1."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proseform import testing
from tests.waiting import PATIENCE_S, until


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    root = tmp_path_factory.mktemp("served")
    for index in range(2):
        testing.random_bundle(root / str(index), testing.toy_task(), seed=10 * index)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, str(Path(__file__).with_name("program.py")), str(root), str(port), "3,1"]
    appended = ["--model_name", "other", "--predictor_host", "far.test", "--protocol", "v2"]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [*program, *appended], stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S)

        def ready() -> bool:
            try:
                return client.get("/v2/health/ready").status_code == 200
            except httpx.TransportError:
                assert process.poll() is None, (root / "log").read_text()
                return False

        try:
            until(ready)
            client.port = port
            client.log = root / "log"
            yield client
        finally:
            client.close()
            process.terminate()
            process.wait(PATIENCE_S)
