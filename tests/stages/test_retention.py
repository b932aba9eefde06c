"""Retention: texts of a user's own cases go on their date, wherever they lie, and nothing else does."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import fsspec
import pytest
from typer.testing import CliRunner

from proseform import cli, digest, launch, records
from proseform.outcome import Outcome
from proseform.stages import cache, dataset, retention
from proseform.store import RESULT, Store, fetch, there

DUE = dt.date(2026, 3, 1)
DAY = dt.timedelta(days=1)
OWN = [Outcome("evaluations", "sft", "greedy", "case-1", texts={"text": "Met 3 of 4."})]


@pytest.fixture(params=["folder", "memory"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> cache.Home:
    """A home whose store is a folder below it, or an object store's ways through fsspec's memory."""
    fsspec.filesystem("memory").store.clear()
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PROSEFORM_RUN", "today")
    monkeypatch.setenv("PROSEFORM_STORE", "memory://bucket/store" if request.param == "memory" else "")
    return cache.home()


def commit(store: Store, folder: Path, until: dt.date) -> cache.Result:
    """Own texts as the evaluate stage commits them."""
    folder.mkdir()
    records.write_texts(folder / records.TEXTS, OWN, until.isoformat())
    key = digest.of_files(folder)
    return store.commit(retention.STAGE, key, folder, {"delete_after": until.isoformat()}, 0.0)


def test_texts_are_kept_up_to_their_date_and_deleted_on_it(home: cache.Home, tmp_path: Path) -> None:
    due, later = (commit(home.store, tmp_path / str(until), until) for until in (DUE, DUE + DAY))
    other = home.store.commit("records", digest.of_json(1), tmp_path / str(DUE), {}, 0.0)  # no texts by its name
    assert retention.prune(home, DUE - DAY) == []
    assert [(one.uri, one.delete_after) for one in retention.prune(home, DUE)] == [(due.ref.uri, DUE)]
    assert [there(one.ref) for one in (due, later, other)] == [False, True, True]
    assert not home.store.fs.find(due.ref.uri)
    assert retention.prune(home, DUE) == []
    assert [one.uri for one in retention.prune(home, DUE + 400 * DAY)] == [later.ref.uri]


def test_copies_that_were_fetched_or_left_by_an_interruption_go_too(home: cache.Home, tmp_path: Path) -> None:
    """A file says its own date, so the store need not have it any more; files without one are left alone."""
    left = home.root / "work/records-abc/checkpoints"
    left.mkdir(parents=True)
    records.write(left / "sft.parquet", OWN, DUE.isoformat())
    records.write(left / "others.parquet", OWN)
    (left / "half.parquet").write_bytes(b"PAR1")
    expected = {left / "sft.parquet"}
    payload = commit(home.store, tmp_path / "payload", DUE)
    copy = fetch(payload.ref, home.root / "fetched") / records.TEXTS
    places = {payload.ref.uri, str(left / "sft.parquet")}
    if not home.store.local:
        expected.add(copy)
        places.add(str(copy))
    assert retention.prune(home, DUE - DAY) == []
    assert {one.uri for one in retention.prune(home, DUE)} == places
    assert not any(path.exists() for path in expected)
    assert (left / "others.parquet").exists()
    assert (left / "half.parquet").exists()


def test_a_deletion_that_was_cut_off_is_found_again(home: cache.Home, tmp_path: Path) -> None:
    payload = commit(home.store, tmp_path / "payload", DUE)
    home.store.fs.rm_file(f"{home.store.root}/{retention.STAGE}/{digest.short(payload.key)}/{records.TEXTS}")
    assert [one.uri for one in retention.prune(home, DUE)] == [payload.ref.uri]
    assert not there(payload.ref)


def test_what_a_commit_that_was_cut_off_has_left_goes_too(tmp_path: Path) -> None:
    """A folder that was filled and never renamed."""
    home = cache.Home(tmp_path, Store(str(tmp_path / "store")), "today", "")
    staging = commit(home.store, tmp_path / "payload", DUE).ref.uri.removeprefix("file://")
    Path(staging, RESULT).unlink()
    left = Path(staging).rename(Path(staging).with_name(".commit-x")) / records.TEXTS
    assert [one.uri for one in retention.prune(home, DUE)] == [str(left)]
    assert not left.exists()


def left(home: cache.Home, name: str, alive: dt.date, **settings: Any) -> Path:
    """The checkpoints of a stage that failed, whose last sign of life was on a date."""
    work = home.root / "work" / name
    run = {"dataset": {"file": "own.jsonl"}, "evaluate": {"retention_days": 30}}
    launch.prepare(launch.Job("grpo", str(work), str(work / "made"), settings={"run": run, **settings}))
    checkpoint = work / "checkpoints/checkpoint-4"
    checkpoint.mkdir(parents=True)
    (checkpoint / "proseform.json").write_text("{}")
    at = dt.datetime.combine(alive, dt.time(12), dt.UTC).timestamp()
    for path in work.rglob("*"):
        os.utime(path, (at, at))
    return checkpoint.parent


def test_checkpoints_of_a_stage_that_failed_on_own_cases_go_too(home: cache.Home) -> None:
    """With replay they hold cases and completions; what is alive, of generated cases or dated by its files stays."""
    died = DUE - 30 * DAY
    due, alive = left(home, "grpo-due", died), left(home, "grpo-alive", died)
    generated = left(home, "grpo-generated", died, run={"dataset": {"file": ""}, "evaluate": {"retention_days": 30}})
    dated = left(home, "records-dated", died, delete_after="2027-01-01")
    unknown, broken = left(home, "grpo-unknown", died, run={}), left(home, "grpo-broken", died)
    (broken.parent / launch.JOB).write_text("{")
    at = dt.datetime.combine(DUE, dt.time(), dt.UTC).timestamp()
    os.utime(alive / "checkpoint-4/proseform.json", (at, at))
    assert retention.prune(home, DUE - DAY) == []
    assert retention.prune(home, DUE) == [retention.Deleted(str(due), DUE)]
    assert not due.exists()
    assert due.parent.is_dir()
    assert all(folder.is_dir() for folder in (alive, generated, dated, unknown, broken))
    assert retention.prune(home, DUE) == []
    assert [one.uri for one in retention.prune(home, DUE + 30 * DAY)] == [str(alive)]


def test_a_pipeline_run_begins_with_it_and_says_what_was_deleted(
    home: cache.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = commit(home.store, tmp_path / "payload", DUE)
    monkeypatch.setattr(retention, "today", lambda: DUE)
    run = str(Path(__file__).parents[1] / "runs/micro.toml")
    for _ in range(2):
        dataset.run("cv", run, cache.Slot())
    assert not there(payload.ref)
    events = [json.loads(line) for line in (home.runs / "events.jsonl").read_text().splitlines()]
    (told,) = [event for event in events if event["stage"] == "retention"]
    assert told["figures"]["key"] == "own texts deleted at 1 places, due by 2026-03-01"


def test_the_verb_says_what_it_deleted(home: cache.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = commit(home.store, tmp_path / "payload", DUE)
    monkeypatch.setattr(retention, "today", lambda: DUE)
    shown = CliRunner().invoke(cli.app, ["prune", "--json"])
    assert json.loads(shown.stdout) == [{"deleted": payload.ref.uri, "delete_after": "2026-03-01"}]
    assert CliRunner().invoke(cli.app, ["prune"]).stdout == "Nothing is due.\n"
