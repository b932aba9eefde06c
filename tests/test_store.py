"""The store: a commit is whole or absent, a payload is what its digest says, a key has one worker at a time."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from proseform import digest, store
from proseform.errors import StoreError
from proseform.store import Ref, Store
from tests.waiting import PATIENCE_S, waits_for_a_lock

KEY = digest.of_json("key")


@pytest.fixture
def payload(tmp_path):
    folder = tmp_path / "payload"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "model.bin").write_bytes(b"\0\1\2")
    (folder / "weights" / "result.json").write_text("{}")
    (folder / "model.json").write_text('{"role": "evaluator"}')
    return folder


@pytest.fixture(params=["folder", "memory"])
def root(request, tmp_path):
    """A local folder, and an object store's ways through fsspec's memory."""
    if request.param == "folder":
        return str(tmp_path / "store")
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    return "memory://bucket/store"


def test_what_was_committed_comes_back_file_by_file(root, payload, tmp_path):
    ours = Store(root)
    assert ours.result("sft", KEY) is None
    done = ours.commit("sft", KEY, payload, {"loss": 0.5}, 1.234)
    assert done.ref.digest == digest.of_files(payload)
    assert Store(root).result("sft", KEY) == done
    fetched = store.fetch(Ref.parse(str(done.ref)), tmp_path / "cache")
    assert (fetched / "weights" / "model.bin").read_bytes() == b"\0\1\2"
    assert (fetched / "weights" / "result.json").read_text() == "{}"
    assert store.fetch(done.ref, tmp_path / "cache") == fetched


def test_the_first_commit_of_a_key_stands(root, payload):
    ours = Store(root)
    first = ours.commit("sft", KEY, payload, {"loss": 0.5}, 1)
    (payload / "model.json").write_text("other")
    assert ours.commit("sft", KEY, payload, {"loss": 0.4}, 2) == first


def test_stages_and_keys_do_not_meet(root, payload):
    ours = Store(root)
    ours.commit("sft", KEY, payload, {}, 0)
    assert ours.result("grpo", KEY) is None
    assert ours.result("sft", digest.of_json("other")) is None


def test_a_payload_without_its_commit_does_not_exist(tmp_path, payload):
    ours = Store(str(tmp_path / "store"))
    done = ours.commit("sft", KEY, payload, {}, 0)
    (tmp_path / "store" / "sft" / digest.short(KEY) / store.RESULT).unlink()
    assert ours.result("sft", KEY) is None
    assert ours.commit("sft", KEY, payload, {}, 0) == done


def test_an_altered_payload_is_refused(tmp_path, payload):
    done = Store(str(tmp_path / "store")).commit("sft", KEY, payload, {}, 0)
    file = tmp_path / "store" / "sft" / digest.short(KEY) / "model.json"
    file.write_text('{"role": "formatter"}')
    with pytest.raises(StoreError, match="not those of"):
        store.fetch(done.ref, tmp_path / "cache")


def test_a_missing_payload_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no payload here"):
        store.fetch(Ref(str(tmp_path / "nowhere"), KEY), tmp_path / "cache")


def test_a_payload_with_the_name_of_the_commit_is_refused(root, payload):
    (payload / store.RESULT).write_text("{}")
    with pytest.raises(StoreError, match=r"holds a result\.json"):
        Store(root).commit("sft", KEY, payload, {}, 0)


@pytest.mark.parametrize("text", ["", "/folder", "/folder#", "/folder#md5:abc", "sha256:abc"])
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(StoreError, match="is no reference"):
        Ref.parse(text)


def test_a_reference_keeps_a_hash_in_its_folder():
    ref = Ref("/data/run #3/sft", KEY)
    assert Ref.parse(str(ref)) == ref


HOLD = """
import sys, time
from pathlib import Path
from proseform.store import Store
with Store(sys.argv[1]).lock("sft", sys.argv[2], Path(sys.argv[3])) as waited:
    print("held", waited, flush=True)
    time.sleep(60)
"""


def test_a_lock_is_waited_for_and_vanishes_with_a_killed_holder(root, tmp_path):
    """kill -9 leaves no stale lock behind: the kernel holds it, not a file's existence."""
    command = [sys.executable, "-c", HOLD, root, KEY, str(tmp_path / "work")]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held False\n"
        waiter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while not waits_for_a_lock(waiter.pid):
            assert waiter.poll() is None
        os.kill(holder.pid, signal.SIGKILL)
        assert waiter.stdout.readline() == "held True\n"
    finally:
        for process in (holder, waiter):
            process.kill()
            process.wait()
            process.stdout.close()


def test_other_keys_do_not_wait(tmp_path):
    ours = Store(str(tmp_path / "store"))
    with ours.lock("sft", KEY, tmp_path) as first, ours.lock("sft", digest.of_json("other"), tmp_path) as second:
        assert not first
        assert not second


def test_homes_that_share_an_object_store_do_not_wait_for_each_other(tmp_path):
    ours = Store("memory://bucket/store")
    with ours.lock("sft", KEY, tmp_path / "one") as first, ours.lock("sft", KEY, tmp_path / "other") as second:
        assert not first
        assert not second


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "state.json"
    store.write_json(path, {"step": 1})
    with pytest.raises(TypeError):
        store.write_json(path, {"step": object()})
    assert json.loads(path.read_text()) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def _asks(reference, into, answers):
    """One rank: what it is given, and how many files it hashed."""
    hashed = []
    of_files = digest.of_files
    digest.of_files = lambda *given: hashed.append(1) or of_files(*given)
    answers.put((str(store.fetch(reference, into, shared=True)), len(hashed)))


def test_ranks_that_fetch_side_by_side_share_one_copy_and_hash_it_once(payload, tmp_path):
    """From an object store, whose copy appears under a name that all of them want."""
    root = (tmp_path / "store").as_uri().replace("file://", "local://")
    committed = Store(root).commit("sft", KEY, payload, {}, 1.0).ref
    elsewhere = Ref(f"simplecache::file://{Path(committed.uri.split('://')[-1])}", committed.digest)
    context = multiprocessing.get_context("fork")
    for reference in (committed, elsewhere):
        answers = context.Queue()
        ranks = [context.Process(target=_asks, args=(reference, tmp_path / "into", answers)) for _ in range(4)]
        for rank in ranks:
            rank.start()
        told = [answers.get(timeout=PATIENCE_S) for _ in ranks]
        for rank in ranks:
            rank.join()
        assert len({folder for folder, _ in told}) == 1
        assert sum(hashed for _, hashed in told) == 1


def test_a_rank_trusts_no_payload_that_was_altered_since_it_was_hashed(payload, tmp_path):
    committed = Store(str(tmp_path / "store")).commit("sft", KEY, payload, {}, 1.0).ref
    folder = store.fetch(committed, tmp_path / "into", shared=True)
    (folder / "weights" / "model.bin").write_bytes(b"\0\1\3")
    with pytest.raises(StoreError, match="its files are not those of"):
        store.fetch(committed, tmp_path / "into", shared=True)


def test_two_processes_that_fetch_from_an_object_store_end_with_one_folder(payload, tmp_path, monkeypatch):
    """The second one's rename meets the folder that the first has put there meanwhile."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    done = Store("memory://bucket/store").commit("sft", KEY, payload, {}, 1.0)
    real, calls = type(fs).get, []

    def get(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == 1:
            store.fetch(done.ref, tmp_path / "cache")  # somebody else, in between
        return real(self, *args, **kwargs)

    monkeypatch.setattr(type(fs), "get", get)
    fetched = store.fetch(done.ref, tmp_path / "cache")
    assert len(calls) == 2
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [fetched.name]


def test_a_store_of_the_version_before_is_read():
    """Written by the version whose bundles have format 0."""
    found = Store(str(Path(__file__).parent / "fixtures" / "stores" / "0")).result("dataset", "sha256:" + "a" * 64)
    assert found is not None
    assert (store.fetch(found.ref, Path("unused")) / "rows.jsonl").read_text() == '{"id": 1}\n'


def test_a_home_of_any_name_holds_its_store(payload, tmp_path):
    ours = Store(str(tmp_path / "my home%20é #1"))
    done = ours.commit("sft", KEY, payload, {}, 1.0)
    assert (store.fetch(Ref.parse(str(done.ref)), tmp_path / "cache") / "model.json").is_file()
