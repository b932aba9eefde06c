"""A server that gets SIGTERM under traffic: a real process, and callers on kept connections."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from tests.serve.light import INPUTS, post
from tests.waiting import PATIENCE_S, until

OURS = "/v1/tasks/toy/answer"
CALLERS = 8


def listening(process, port):
    """Wait until the server answers."""

    def ready():
        try:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            line.request("GET", "/readyz")
            return line.getresponse().status == 200
        except OSError:
            assert process.poll() is None
            return False

    until(ready)


def call(port, statuses, begun):
    """Ask on one kept connection until the server has it closed; what is raised is a request that was lost."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    line.connect()
    line.auto_open = 0
    while True:
        status, headers, _ = post(line, OURS, {"inputs": INPUTS})
        statuses.append(status)
        begun.release()
        if headers.get("connection", "").lower() == "close":
            return


def test_no_request_is_lost_when_the_server_is_told_to_go():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, str(Path(__file__).with_name("draining_program.py")), str(port)]
    process = subprocess.Popen(program, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    try:
        listening(process, port)
        begun, lost = threading.Semaphore(0), []
        outcomes = [[] for _ in range(CALLERS)]

        def caller(statuses):
            try:
                call(port, statuses, begun)
            except (OSError, http.client.HTTPException) as error:
                lost.append(error)

        threads = [threading.Thread(target=caller, args=(statuses,)) for statuses in outcomes]
        for thread in threads:
            thread.start()
        for _ in range(3 * CALLERS):
            begun.acquire()
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert lost == []
        assert {status for statuses in outcomes for status in statuses} == {200}
        process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()
