"""Servers on this machine: which are started, what is said where they do not start, and that none is left behind.

The interpreter is one of ours that takes vLLM's command line; vLLM itself is in `test_vllm.py` (`make test-vllm`).
"""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from proseform import bundle as bundles
from proseform import testing
from proseform.errors import ConfigError, EngineError
from proseform.infer import hosting
from proseform.infer.answer import close
from proseform.infer.hosting import Servers
from proseform.infer.opening import over
from proseform.infer.spec import EngineSpec
from proseform.stages import probe
from proseform.stages.engine import opened
from tests.waiting import until


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """An executable that stands in for vLLM's Python."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("standing_in.py")} "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv(hosting.VARIABLE, str(path))
    return path


@pytest.fixture(params=[True, False], ids=["adapters", "whole"])
def bundle(request, tmp_path, task):
    """A bundle's folder, and how many servers it needs."""
    return testing.random_bundle(tmp_path / "bundle", task, adapters=request.param), 1 if request.param else 2


_START = """
import sys, time
from pathlib import Path
from proseform import bundle
from proseform.infer.hosting import Servers
folder, logs = map(Path, sys.argv[1:])
Servers(folder, bundle.read(folder), logs, str)
print("up", flush=True)
time.sleep(3600)
"""


def left(folder):
    """Processes that name the folder."""
    done = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False)
    return done.stdout.split()


def calls(folder):
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def test_one_server_holds_both_adapters_and_whole_models_have_one_each(bundle, interpreter, tmp_path):
    folder, count = bundle
    told = []
    servers = Servers(folder, bundles.read(folder), tmp_path / "logs", told.append)
    try:
        urls = servers.urls()
        assert set(urls) == {"evaluator", "formatter"}
        assert len(set(urls.values())) == count == len(calls(folder))
        assert all(urllib.request.urlopen(f"{url}/health").status == 200 for url in urls.values())
        for words in calls(folder):
            assert words[words.index("--host") + 1] == "127.0.0.1"
            assert words[words.index("--max-model-len") + 1] == "2048"
        assert str(tmp_path / "logs") in told[0]
    finally:
        servers.stop()
    assert not left(folder)


def test_an_engine_that_was_started_here_ends_when_it_is_closed(bundle, interpreter, tmp_path):
    folder, count = bundle
    engine = over(folder, EngineSpec("vllm"), tmp_path / "logs")
    assert engine.bundle == bundles.read(folder)
    assert len({engine.spec.roots(role) for role in engine.bundle.parts}) == count
    assert left(folder)
    close(engine)
    assert not left(folder)


def test_a_server_that_ends_says_why_and_the_other_one_ends_too(bundle, interpreter, tmp_path):
    folder, _ = bundle
    (folder / "broken").touch()
    with pytest.raises(EngineError, match="ended with code 1: RuntimeError: no such weights") as caught:
        Servers(folder, bundles.read(folder), tmp_path / "logs", str)
    assert str(tmp_path / "logs") in caught.value.hint
    assert not left(folder)


def test_servers_end_with_the_process_that_started_them_however_that_ends(bundle, interpreter, tmp_path):
    folder, _ = bundle
    command = [sys.executable, "-c", _START, str(folder), str(tmp_path / "logs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        process.kill()
    until(lambda: not left(folder))


def test_without_vllm_it_is_said_what_to_run(monkeypatch):
    monkeypatch.delenv(hosting.VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="vLLM is not installed here") as caught:
        hosting.interpreter()
    assert "make vllm" in caught.value.hint


def test_an_interpreter_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv(hosting.VARIABLE, "/nowhere/python")
    with pytest.raises(ConfigError, match=f"{hosting.VARIABLE}: no interpreter at /nowhere/python"):
        hosting.interpreter()


@pytest.mark.parametrize(
    "options",
    [{"evaluator_url": "http://a"}, {"key_file": "key"}, {"dialect": "openai"}],
    ids=lambda one: next(iter(one)),
)
def test_options_of_another_server_are_refused_beside_it(options):
    with pytest.raises(ConfigError, match="--engine vllm"):
        EngineSpec("vllm", **options)


def test_several_engines_one_of_which_is_the_word_are_refused():
    with pytest.raises(ConfigError, match="no URL"):
        EngineSpec.parse(["vllm", "http://a"])


def test_a_run_that_is_to_end_with_vllm_is_refused_before_it_begins(monkeypatch):
    for name in ("PROSEFORM_ENGINE", "PROSEFORM_PLACE"):
        monkeypatch.delenv(name, raising=False)
    probe.check()
    monkeypatch.setenv("PROSEFORM_ENGINE", "vllm")
    monkeypatch.setenv(hosting.VARIABLE, "/nowhere/python")
    with pytest.raises(ConfigError, match="no interpreter"):
        probe.check()
    monkeypatch.setenv(hosting.VARIABLE, sys.executable)
    probe.check()
    monkeypatch.setenv("PROSEFORM_PLACE", "default")
    with pytest.raises(ConfigError, match="--engine and --place"):
        probe.check()


def test_the_word_opens_the_engine_wherever_a_command_opens_one(bundle, interpreter, task, tmp_path, monkeypatch):
    folder, _ = bundle
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    engine = opened(task, EngineSpec.parse(["vllm"]), folder, "", "", "")
    close(engine)
    assert len(list((tmp_path / "home" / "engines").glob("*.log"))) == len(calls(folder))
