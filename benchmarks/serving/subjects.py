"""The servers that are measured, each a process tree of its own before one engine.

Our server is the command ``proseform serve`` with its defaults, beside a bundle's folder, so that it counts prompts by
the bundle's tokenizer and sends token ids. LiteLLM's proxy is installed into an environment of its own. Ours verifies;
the others hand on what the engine says.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.serving import cases
from proseform import lifetime, testing
from proseform import task as tasks
from proseform.bundle import Generation, Part
from proseform.errors import ConfigError

LITELLM = "1.108.7"
FOLDER = Path(".cache/bench-serve").absolute()
OURS = ("proseform", "traced")
"""Our server, without traces and with each request's spans sent to a collector that takes them."""
NAMES = (*OURS, "litellm", "kserve")
_START_S = 300.0
_ALONE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
"""LiteLLM asks the network for prices otherwise."""
_CONFIG = """\
model_list:
  - model_name: formatter
    litellm_params: {{model: openai/formatter, api_base: "http://127.0.0.1:{port}/v1", api_key: none}}
litellm_settings: {{telemetry: false, num_retries: 0}}
general_settings: {{dangerously_permit_weak_or_unset_master_key: true}}
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """A running server.

    Attributes:
        name: Its name.
        port: Where it listens.
        pid: Of the first process of its tree.
    """

    name: str
    port: int
    pid: int

    def processes(self) -> list[psutil.Process]:
        """Its tree."""
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]

    def cpu_s(self) -> float:
        """Processor time of its tree so far, in seconds."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())


@contextmanager
def running(names: Sequence[str], delay_ms: float, count: int) -> Iterator[dict[str, Subject]]:
    """An engine, which is the subject ``direct``, and servers before it."""
    folder = bundle(FOLDER / "bundle", count)
    with ExitStack() as stack:
        command = module("engine", delay_ms, count, folder / "base")
        engine = stack.enter_context(started("engine", command, read=True))
        port = int(first_line(engine))
        subjects = {"direct": Subject("direct", port, engine.pid)}
        collector = first_line(stack.enter_context(started("collector", module("collector"), read=True))).strip()
        for name in names:
            own = free_port()
            process = stack.enter_context(started(name, _command(name, port, own, folder, collector)))
            subjects[name] = Subject(name, own, process.pid)
        for name in names:
            await_ready(subjects[name])
        yield subjects


_READY = {**dict.fromkeys(OURS, "/readyz"), "litellm": "/health/liveliness", "kserve": f"/v1/models/{cases.MODEL}"}


def _command(name: str, engine: int, port: int, folder: Path, collector: str) -> list[str]:
    """How a server is started."""
    match name:
        case "proseform":
            return proseform(folder, port, [f"http://127.0.0.1:{engine}"])
        case "traced":
            return [*proseform(folder, port, [f"http://127.0.0.1:{engine}"]), "--traces", collector]
        case "litellm":
            config = FOLDER / "litellm.yaml"
            config.write_text(_CONFIG.format(port=engine))
            return [str(litellm() / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        case "kserve":
            return [*module("transformer", engine), "--http_port", str(port)]
    raise ConfigError(f"No server '{name}' is measured.", hint=f"There are {', '.join(NAMES)}.")


def proseform(folder: Path, port: int, engines: Sequence[str], more: Sequence[str] = ()) -> list[str]:
    """Our server's command, with more options."""
    return [
        *(str(Path(sys.executable).with_name("proseform")), "serve", "--task", "cv", "--bundle", str(folder)),
        *("--port", str(port), "--cache-age-s", str(cases.KEPT_S)),
        *(part for url in engines for part in ("--engine", url)),
        *more,
    ]


def module(name: str, *arguments: object) -> list[str]:
    """The command of a module of this package."""
    return [sys.executable, "-m", f"benchmarks.serving.{name}", *map(str, arguments)]


def first_line(process: subprocess.Popen[bytes]) -> str:
    """What a process prints first, once it is ready."""
    assert process.stdout is not None
    return process.stdout.readline().decode()


def bundle(folder: Path, count: int) -> Path:
    """A bundle's folder without weights: prompts, schema, and a tokenizer that was trained on the cases."""
    cv = tasks.load("cv")
    said = [text for case in cases.drawn(min(count, 200)) for text in (*case.inputs.values(), case.prose)]
    base = folder / "base"
    base.mkdir(parents=True, exist_ok=True)
    testing.vocabulary(said, 2000).save(str(base / "tokenizer.json"))
    tokenizer = {"eos_token": testing.SPECIAL["eos_token"], "chat_template": testing.CHATML}
    (base / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    (base / "config.json").write_text(json.dumps({"max_position_embeddings": 8192}))
    part = {"base": "base", "base_digest": "0" * 64}
    generation = Generation(1024, 8192)
    parts = {"evaluator": Part(prompt=cv.evaluator, generation=generation, **part)}
    parts |= {"formatter": Part(prompt=cv.formatter, generation=generation, **part)}
    testing.toy_bundle(cv, **parts).write(folder)
    return folder


def litellm() -> Path:
    """The programs of LiteLLM's environment, which is installed where it is not there."""
    folder = FOLDER / f"litellm-{LITELLM}"
    if not (folder / "bin" / "litellm").exists():
        uv = [str(Path(sys.executable).with_name("uv"))]
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
        python = str(folder / "bin" / "python")
        install = [*uv, "pip", "install", "-q", "--python", python, f"litellm[proxy]=={LITELLM}"]
        subprocess.run(install, check=True, env={**os.environ, "VIRTUAL_ENV": str(folder)})
    return folder / "bin"


@contextmanager
def started(name: str, command: Sequence[str], *, read: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with the context; what it prints is in a file of its name."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE if read else log,
            stderr=log,
            env={**os.environ, **_ALONE},
            preexec_fn=lifetime.end_with_parent,  # noqa: PLW1509 - LiteLLM cannot be told by its own code
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def await_ready(subject: Subject) -> None:
    """Wait until a server answers.

    Raises:
        ConfigError: It has ended, or does not answer.
    """
    path = _READY[subject.name]
    until, log = time.monotonic() + _START_S, FOLDER / f"{subject.name}.log"
    while time.monotonic() < until and psutil.Process(subject.pid).status() != psutil.STATUS_ZOMBIE:
        try:
            if httpx.get(f"http://127.0.0.1:{subject.port}{path}", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise ConfigError(f"{subject.name} does not answer.", hint=f"{log} ends: {log.read_text()[-500:]}")


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
