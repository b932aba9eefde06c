"""Keys, locks and commits: which results are adopted, which are made again, and what a failure leaves behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest

from proseform.errors import ConfigError, StoreError
from proseform.stages import cache
from tests.waiting import PATIENCE_S, until, waits_for_a_lock


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path))
    monkeypatch.setenv("PROSEFORM_RUN", "test")
    monkeypatch.delenv("PROSEFORM_FRESH", raising=False)
    return tmp_path


class Body:
    """A stage that writes one file, and counts its runs."""

    def __init__(self, text: str = "x") -> None:
        self.text, self.calls = text, 0

    def __call__(self, work: Path, out: Path) -> Mapping[str, Any]:
        self.calls += 1
        (out / "file").write_text(self.text)
        return {"calls": self.calls}


def _states(home: Path) -> list[str]:
    return [json.loads(line)["state"] for line in (home / "runs/test/events.jsonl").read_text().splitlines()]


def test_the_same_inputs_are_made_once(home: Path) -> None:
    body = Body()
    first = cache.once("dataset", {"a": 1}, body)
    again = cache.once("dataset", {"a": 1}, body)
    assert first == again
    assert body.calls == 1
    assert _states(home) == ["started", "done", "reused"]


@pytest.mark.parametrize("inputs", [{"a": 2}, {"a": 1, "b": 1}, {}])
def test_other_inputs_are_made_anew(inputs: dict[str, int]) -> None:
    body = Body()
    cache.once("dataset", {"a": 1}, body)
    cache.once("dataset", inputs, body)
    assert body.calls == 2


def test_other_code_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    body = Body()
    cache.once("dataset", {}, body)
    monkeypatch.setattr(cache.keys, "of", lambda *_: {"code": "sha256:other"})
    cache.once("dataset", {}, body)
    assert body.calls == 2


def test_fresh_adopts_only_what_the_same_run_has_made(monkeypatch: pytest.MonkeyPatch) -> None:
    body = Body()
    cache.once("dataset", {}, body)
    monkeypatch.setenv("PROSEFORM_FRESH", "now")
    cache.once("dataset", {}, body)
    cache.once("dataset", {}, body)
    assert body.calls == 2


def test_a_failure_leaves_its_reason_and_no_result_and_the_next_try_succeeds(home: Path) -> None:
    def failing(work: Path, out: Path) -> Mapping[str, Any]:
        (out / "half").write_text("x")
        raise ConfigError("The batch is odd.", hint="Make it even.")

    with pytest.raises(ConfigError, match="odd"):
        cache.once("sft", {}, failing)
    (work,) = (home / "work").iterdir()
    assert json.loads((work / "error.json").read_text())["message"] == "The batch is odd."
    assert not list((home / "store").rglob("result.json"))
    done = cache.once("sft", {}, Body())
    assert sorted(p.name for p in Path(done.ref.uri.removeprefix("file://")).iterdir()) == ["file", "result.json"]


def test_an_altered_payload_is_refused() -> None:
    done = cache.once("sft", {}, Body())
    (Path(done.ref.uri.removeprefix("file://")) / "file").write_text("tampered")
    artifact = cache.Slot(done.ref.uri, {"digest": done.ref.digest})
    with pytest.raises(StoreError, match="its files are not those of"):
        cache.folder(artifact)


def test_two_processes_make_it_once_and_the_second_waits(home: Path) -> None:
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_slow, args=(home / "count",)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in both] == [0, 0]
    assert (home / "count").read_text() == "x"
    assert sorted(_states(home)) == ["done", "reused", "started"]


def test_two_of_one_home_make_it_once_on_an_object_store_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They share the folder that they work in, so the second one must not empty it under the first."""
    fsspec.filesystem("memory").store.clear()
    monkeypatch.setenv("PROSEFORM_STORE", "memory://bucket/store")
    entered, results = [], []

    def body(_work: Path, out: Path) -> Mapping[str, Any]:
        entered.append(out)
        (out / "first half").write_text("x")
        until(lambda: len(entered) == 2 or waits_for_a_lock(os.getpid()))
        (out / "second half").write_text("x")
        return {}

    both = [threading.Thread(target=lambda: results.append(cache.once("dataset", {}, body))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(PATIENCE_S)
    assert len(entered) == 1
    assert results[0] == results[1]
    payload = cache.folder(cache.Slot(results[0].ref.uri, {"digest": results[0].ref.digest}))
    assert sorted(file.name for file in payload.iterdir()) == ["first half", "result.json", "second half"]


def _slow(count: Path) -> None:
    """A stage that takes a moment, and records each run."""

    def body(work: Path, out: Path) -> Mapping[str, Any]:
        with count.open("a") as file:
            file.write("x")
        time.sleep(0.5)
        (out / "file").write_text("x")
        return {}

    cache.once("dataset", {"slow": True}, body)
