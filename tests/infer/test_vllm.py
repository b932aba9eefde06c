"""`proseform serve` over real servers on this machine: vLLM by `--engine vllm`, and `transformers serve` by its URL.

The models have learnt three cases by heart, so that right answers can be told from others; of a fourth case they know
nothing. vLLM holds JSON to any schema, `transformers serve` to none, where the verifier has to say so.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from proseform import bundle as bundles
from proseform import task as tasks
from proseform.case import Case
from proseform.config.serving import Engine, Quantization
from proseform.errors import ConfigError
from proseform.infer import Completion, Request, ask, hosting, vllm
from proseform.infer.context import encoders
from proseform.infer.http import HttpEngine
from proseform.infer.spec import EngineSpec
from proseform.task import located
from tests.infer import taught
from tests.kube.served import FORMS, served
from tests.waiting import PATIENCE_S, until

FOLDER = Path(__file__).parents[2] / "examples" / "tasks" / "passport"
STRANGE = "PASSPORT NOWHERE\nPassport No Q0000000\nSurname NOBODY\nGiven names NIL\nSex X"
OTHER = {
    "type": "object",
    "properties": {"kind": {"enum": ["north", "south"]}},
    "required": ["kind"],
    "additionalProperties": False,
}
"""A schema of which the formatter knows nothing: what it writes of itself is not valid by it."""
LONG = {
    "type": "object",
    "properties": {"words": {"type": "array", "items": {"enum": ["abcdefgh"]}, "minItems": 120, "maxItems": 120}},
    "required": ["words"],
    "additionalProperties": False,
}
"""A schema that makes the formatter write for some seconds."""
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(2400)]  # a server's start on a busy machine


@dataclass(frozen=True)
class Over:
    """A server of ours over engines.

    Attributes:
        client: Asks it.
        engines: The engines' URLs.
        form: What they are.
    """

    client: httpx.Client
    engines: list[str]
    form: str

    def asked(self, passport: str, **more: Any) -> httpx.Response:
        """An answer of our own protocol."""
        return self.client.post("/v1/tasks/passport/answer", json={"inputs": {"passport": passport}, **more})


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return taught.cases(tasks.load(located(str(FOLDER))))


@pytest.fixture(scope="module", params=["adapters", "servers", "transformers"])
def over(request: Any, cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Over]:
    """`proseform serve`, started as people start it; nothing that it has started is left behind it."""
    form, root = request.param, tmp_path_factory.mktemp(request.param)
    bundle = taught.bundle(root / "bundle", tasks.load("passport"), adapters=form == "adapters")
    if form == "transformers":
        with _transformers(root) as url:
            names = ",".join(str(bundle / role) for role in ("evaluator", "formatter"))
            with _served(root, bundle, ["--engine", url, "--dialect", "openai", "--models", names]) as client:
                yield Over(client, [url], form)
        return
    _vllm()
    end = signal.SIGTERM if form == "adapters" else signal.SIGKILL
    with _served(root, bundle, ["--engine", "vllm"], end) as client:
        client.get("/readyz").raise_for_status()
        found = {port for command in _running(bundle) for port in re.findall(r"--port\0(\d+)", command)}
        yield Over(client, [f"http://127.0.0.1:{port}" for port in sorted(found)], form)
    until(lambda: not _running(bundle))


def _vllm() -> str:
    """The Python with vLLM; the test is skipped without one."""
    try:
        return hosting.interpreter()
    except ConfigError as error:
        pytest.skip(str(error))


def _running(bundle: Path) -> list[str]:
    """The command lines of engines that have the bundle's folder, words apart by NUL, and of their children."""
    lines: dict[int, tuple[str, str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                session = (folder / "stat").read_text().rpartition(")")[2].split()[3]
                lines[int(folder.name)] = session, (folder / "cmdline").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended meanwhile
    engines = {session for session, line in lines.values() if "vllm.entrypoints" in line and str(bundle) in line}
    _SESSIONS.setdefault(bundle, set()).update(engines)
    return [line for session, line in lines.values() if session in _SESSIONS[bundle] and line]


_SESSIONS: dict[Path, set[str]] = {}
"""Sessions of the engines that were seen of a bundle: their children do not name it."""


class _served:  # noqa: N801 - used as a function is
    """`proseform serve` as a process."""

    def __init__(self, root: Path, bundle: Path, options: list[str], end: signal.Signals = signal.SIGTERM) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "proseform.cli", "serve", "--task", str(FOLDER), "--bundle", str(bundle)]
        self.log, self.end = root / "serve.log", end
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(port), "--timeout-s", "300", "--cache-mb", "0", *options],
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PROSEFORM_HOME": str(root / "home")},
            )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S)

    def __enter__(self) -> httpx.Client:
        def ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            try:
                return self.client.get("/readyz").status_code == 200
            except httpx.TransportError:
                return False

        try:
            until(ready)
        except BaseException:
            self.__exit__()
            raise
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.send_signal(self.end)
        self.process.wait(PATIENCE_S)


class _transformers:  # noqa: N801 - used as a function is
    """`transformers serve` as a process."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        program = str(Path(sys.executable).with_name("transformers"))
        env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self.log = root / "transformers.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, "serve", "--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu"],
                stdout=log,
                stderr=log,
                env={**env, "HF_HUB_CACHE": str(root / "none")},
            )

    def __enter__(self) -> str:
        def ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
            except OSError:
                return False
            return True

        until(ready)
        return f"http://127.0.0.1:{self.port}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def test_every_case_that_was_learnt_is_answered_verified(over: Over, cases: list[Case]) -> None:
    for case in cases:
        body = over.asked(case.inputs["passport"]).raise_for_status().json()
        assert (body["verdict"], body["answer"], body["prose"]) == ("verified", dict(case.answer), case.prose)


def test_a_case_of_which_nothing_is_known_is_refused_by_the_verifier(over: Over) -> None:
    response = over.asked(STRANGE)
    assert response.status_code == 422
    assert response.json()["error"]["reason"] in {"ungrounded", "incomplete", "inconsistent"}


def test_a_schema_of_the_caller_s_is_kept_where_the_engine_holds_to_it_and_else_the_answer_is_refused(
    over: Over, cases: list[Case]
) -> None:
    response = over.asked(cases[0].inputs["passport"], schema=OTHER)
    if over.form == "transformers":
        assert response.status_code == 422
        assert response.json()["error"]["reason"] in {"schema", "not_json", "truncated", "trailing_text"}
        assert "3 attempts" in response.json()["error"]["message"]
    else:
        assert response.raise_for_status().json()["answer"]["kind"] in OTHER["properties"]["kind"]["enum"]


def test_one_server_holds_both_adapters_and_whole_models_have_one_each(over: Over) -> None:
    if over.form == "transformers":
        pytest.skip("it loads any model by its name")
    served_models = [{model["id"] for model in httpx.get(f"{url}/v1/models").json()["data"]} for url in over.engines]
    if over.form == "adapters":
        assert served_models == [{"base", "evaluator", "formatter"}]
    else:
        assert sorted(served_models, key=min) == [{"evaluator"}, {"formatter"}]


def test_a_caller_that_leaves_cancels_what_the_engine_does(over: Over, cases: list[Case]) -> None:
    """vLLM stops, and counts the request among none of those that have ended."""
    if over.form == "transformers":
        pytest.skip("it does not say what became of a request")

    def figure(name: str) -> float:
        pages = [httpx.get(f"{url}/metrics").text for url in over.engines]
        return sum(float(value) for page in pages for value in re.findall(rf"^{name} (\S+)$", page, re.MULTILINE))

    running, ended = r"vllm:num_requests_running\{.*\}", r"vllm:request_success_total\{.*\}"
    body = {"inputs": {"passport": cases[1].inputs["passport"]}, "schema": LONG}
    before = figure(ended)
    with over.client.stream("POST", "/v1/tasks/passport/answer", json={**body, "stream": True}) as response:
        lines = response.iter_lines()
        while not next(lines).startswith("data:"):
            pass  # the evaluation is being written
        until(lambda: figure(ended) == before + 2 and figure(running) == 1)  # the schema is tried, the evaluation ended
    until(lambda: figure(running) == 0)
    assert figure(ended) == before + 2


_PARSE = """
import json, sys
from vllm.config.quantization import _ONLINE_SHORTHANDS
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for words in json.load(sys.stdin):
    validate_parsed_serve_args(parser.parse_args(words))
print(json.dumps([name for name, layers in _ONLINE_SHORTHANDS.items() if layers.linear]))
"""


def test_vllm_s_own_parser_takes_every_command_and_the_knob_has_every_quantisation_of_linear_layers() -> None:
    python = _vllm()
    version = served()
    loaded = vllm.Loaded(version.bundle, ("evaluator", "formatter"), version.ranks, 1024)
    standing = vllm.Standing("/mnt/models", "::", 8080, 90)
    every = [
        *(Engine(gpus=2, quantization=name, lookup=8) for name in get_args(Quantization)),
        Engine(gpus=0, eager=True, arguments=("--max-num-seqs", "4")),
        *(Engine.model_validate(form["serving"].get("engine", {})) for form in FORMS.values()),
    ]
    words = [vllm.argv(loaded, how, standing)[3:] for how in every]
    done = subprocess.run([python, "-c", _PARSE], input=json.dumps(words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"none", *json.loads(done.stdout.splitlines()[-1])} == set(get_args(Quantization))


def test_weights_of_eight_bits_answer_what_was_learnt(cases: list[Case], tmp_path: Path) -> None:
    """The one quantisation for which vLLM has a kernel on a processor; the others want a GPU."""
    _vllm()
    task = tasks.load("passport")
    folder = taught.bundle(tmp_path / "bundle", task, adapters=True)
    own = bundles.read(folder)
    how = hosting.knobs().model_copy(update={"quantization": "fp8_per_channel", "dtype": "bfloat16"})
    servers = hosting.Servers(folder, own, tmp_path / "logs", str, how=how)
    engine = hosting.HostedEngine(servers, EngineSpec(timeout_s=300), own, encoders(folder, own))
    asked = [ask(own, "evaluator", {"passport": case.inputs["passport"]}) for case in cases]
    written, _ = asyncio.run(_completed(engine, asked, servers.urls()["evaluator"]))
    assert written == [case.prose for case in cases]
    (log,) = (tmp_path / "logs").glob("*.log")
    assert "Online quantization" in log.read_text()


def test_tokens_that_are_looked_up_change_no_text(cases: list[Case], tmp_path: Path) -> None:
    """The same server with and without drafts: the same texts of both roles, of known cases and of one that is not."""
    _vllm()
    task = tasks.load("passport")
    folder = taught.bundle(tmp_path / "bundle", task, adapters=True)
    own = bundles.read(folder)
    inputs = [*(case.inputs["passport"] for case in cases), STRANGE]
    asked = [ask(own, "evaluator", {"passport": text}) for text in inputs]
    shown = own.formatter.prompt.shown(task.schema)
    asked += [
        ask(own, "formatter", {"prose": prose, "schema": shown}, schema=task.schema.grammar)
        for prose in (*(case.prose for case in cases), "Nothing can be read of it.")
    ]
    written, drafted = {}, {}
    for lookup in (0, 8):
        how = hosting.knobs().model_copy(update={"lookup": lookup})
        servers = hosting.Servers(folder, own, tmp_path / f"logs-{lookup}", str, how=how)
        engine = hosting.HostedEngine(servers, EngineSpec(timeout_s=300), own, encoders(folder, own))
        written[lookup], page = asyncio.run(_completed(engine, asked, servers.urls()["formatter"]))
        accepted = re.search(r"^vllm:spec_decode_num_accepted_tokens_total\{.*\} (\S+)$", page, re.MULTILINE)
        drafted[lookup] = float(accepted[1]) if accepted else 0.0
    assert written[8] == written[0]
    assert written[0][: len(cases)] == [case.prose for case in cases]
    assert drafted[8] > drafted[0] == 0


async def _completed(engine: HttpEngine, asked: Sequence[Request], url: str) -> tuple[list[str], str]:
    """What is written for all requests, and a server's metrics after that; the engine is closed."""
    try:
        outcomes = await engine.complete_all(asked)
        page = await asyncio.to_thread(httpx.get, f"{url}/metrics")
    finally:
        await engine.close()
    return [one.text if isinstance(one, Completion) else pytest.fail(str(one)) for one in outcomes], page.text
