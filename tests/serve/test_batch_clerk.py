"""What goes wrong with one batch ends no other, and logs no word of a row; what has ended is not answered again."""

import errno
import logging
import os
import resource
from contextlib import contextmanager

import pytest

from proseform.serve.batches import clerk, rows
from proseform.serve.batches.journal import Journal
from proseform.serve.batches.shelf import OPEN, Shelf
from tests.serve.light import light
from tests.serve.test_batch_door import client, ended, gated, halted, output, sent
from tests.serve.test_batches import ABOUT, row
from tests.waiting import PATIENCE_S, until

pytest.importorskip("openai")


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "shelf")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """The shelf is looked at again at once."""
    monkeypatch.setattr(clerk, "_LOOK_S", 0.05)
    monkeypatch.setattr(clerk, "_NOTE_S", 0.05, raising=False)


def left(shelf):
    """Journals and drafts of batches."""
    return [path.name for path in shelf.root.rglob("*batch_*") if path.suffix != ".json"]


def test_a_batch_whose_record_has_gone_is_ended_and_the_next_is_worked_on(shelf):
    script, free, waits = gated(1)
    with light(script, shelf=shelf) as serving, client(serving) as asking:
        gone = halted(asking, waits, rows=4, done=1)
        (shelf.root / "anybody" / f"{gone.id}.json").unlink()
        until(lambda: not left(shelf))
        free.set()
        assert ended(asking, sent(asking, row("next"))).status == "completed"
        assert [one.purpose for one in asking.files.list()].count("batch_output") == 1


def test_an_output_takes_the_place_of_its_journal_in_the_quota(shelf):
    with light(shelf=shelf) as serving, client(serving) as asking:
        first = ended(asking, sent(asking, *map(row, range(20))))
        size, used = shelf.data("", first.output_file_id).stat().st_size, shelf.used("")
    tight = Shelf(shelf.root.with_name("tight"), quota_bytes=used + size // 2)
    with light(shelf=tight) as serving, client(serving) as asking:
        again = ended(asking, sent(asking, *map(row, range(20))))
        assert (again.status, len(output(asking, again))) == ("completed", 20)


def test_a_batch_whose_output_is_too_large_fails_and_the_next_is_worked_on(shelf):
    small = Shelf(shelf.root, quota_bytes=8000)
    with light(shelf=small) as serving, client(serving) as asking:
        failed = ended(asking, sent(asking, *map(row, range(30))))
        assert (failed.status, failed.output_file_id) == ("failed", None)
        assert failed.errors.data[0].code == "too_large"
        assert "more than 8000 bytes" in failed.errors.data[0].message
        asking.files.delete(failed.input_file_id)
        until(lambda: not left(shelf))
        assert ended(asking, sent(asking, row("next"))).status == "completed"


def test_a_batch_goes_on_once_a_full_disk_has_room(shelf, monkeypatch, caplog):
    add, full = Journal.add, [True, True]

    def added(self, result):
        if full:
            full.pop()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        add(self, result)

    monkeypatch.setattr(Journal, "add", added)
    with light(shelf=shelf) as serving, client(serving) as asking:
        batch = ended(asking, sent(asking, *map(row, range(6))))
        assert (batch.status, batch.request_counts.completed) == ("completed", 6)
    assert "a batch waits: No space left on device" in caplog.text


def test_an_unforeseen_error_is_logged_without_its_words_and_ends_no_other_batch(shelf, monkeypatch, caplog):
    read, broken, words = rows.read, [], "a word of a row"

    def fragile(path, task):
        broken[:] = broken or [path]
        if path == broken[0]:
            raise RuntimeError(words)
        return read(path, task)

    monkeypatch.setattr(rows, "read", fragile)
    with light(shelf=shelf) as serving, client(serving) as asking:
        waiting = sent(asking, row(1))
        until(lambda: broken)
        assert ended(asking, sent(asking, row(2))).status == "completed"
        assert asking.batches.retrieve(waiting.id).status in OPEN
        monkeypatch.setattr(rows, "read", read)
        assert ended(asking, waiting).status == "completed"
    assert "unforeseen, in a batch: RuntimeError" in caplog.text
    assert words not in caplog.text


def test_errors_of_many_rows_are_each_logged_without_their_words(caplog):
    words = [ValueError("a word"), ExceptionGroup("more words", [OSError(errno.ENOSPC, "No space"), KeyError("third")])]
    clerk._log(ExceptionGroup("words", words))
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said == [
        "unforeseen, in a batch: ValueError\n",
        "a batch waits: No space",
        "unforeseen, in a batch: KeyError\n",
    ]


def test_a_folder_that_cannot_be_read_for_a_while_ends_nothing(tmp_path):
    class Away(Shelf):
        away = [True, True]  # noqa: RUF012 - of this test alone

        def open(self):
            if self.away:
                self.away.pop()
                raise PermissionError(errno.EACCES, "Permission denied")
            return super().open()

    with light(shelf=Away(tmp_path)) as serving, client(serving) as asking:
        assert ended(asking, sent(asking, row(1))).status == "completed"


def test_a_batch_whose_input_has_gone_fails(shelf):
    script, free, waits = gated(0)
    with light(script, shelf=shelf) as serving, client(serving) as asking:
        first, batch = sent(asking, row(1)), sent(asking, row(2))
        assert waits.wait(PATIENCE_S)
        shelf.data("", batch.input_file_id).unlink()
        free.set()
        assert ended(asking, first).status == "completed"
        done = ended(asking, batch)
        assert (done.status, done.errors.data[0].message) == ("failed", "The input file has gone.")


def test_a_batch_that_is_cancelled_while_it_waits_asks_nobody(shelf):
    """Both were open when the second server began to look."""
    with light(gated(0)[0], shelf=shelf) as serving, client(serving) as asking:
        first, second = sent(asking, row("first")), sent(asking, row("second", "a globe, 80 g"))
    script, free, waits = gated(0)
    with light(script, shelf=shelf) as serving, client(serving) as asking:
        assert waits.wait(PATIENCE_S)
        behind, before = (second, first) if asked(serving, "a map, 90 g") else (first, second)  # of the same second
        assert asking.batches.cancel(behind.id).status == "cancelling"
        free.set()
        assert ended(asking, before).status == "completed"
        done = ended(asking, behind)
        assert (done.status, output(asking, done)) == ("cancelled", [])
        assert not (asked(serving, "a map, 90 g") and asked(serving, "a globe, 80 g"))


def asked(serving, word):
    """Whether an engine was asked for a case with a word in it."""
    return any(word in request.prompt.text for request in serving.engine.requests)


def test_a_batch_that_another_process_cancels_is_ended(shelf):
    """The other process writes the record; nobody tells this one."""
    script, free, waits = gated(1)
    with light(script, shelf=shelf) as serving, client(serving) as asking:
        batch = sent(asking, *map(row, range(4)))
        assert waits.wait(PATIENCE_S)
        shelf.change("", batch.id, OPEN, {"status": "cancelling"})
        done = ended(asking, batch)
        assert (done.status, len(output(asking, done))) == ("cancelled", done.request_counts.completed)
        free.set()


def test_a_batch_that_another_process_has_finished_since_is_left_as_it_is(shelf):
    class Stale(Shelf):
        """Its first list of open batches was made before the other process had finished."""

        def open(self):
            return [*([("", stale.pop())] if stale else []), *super().open()]

    with light(shelf=shelf) as serving, client(serving) as asking:
        batch = ended(asking, sent(asking, row(1)))
    record = shelf.record("", batch.id)
    stale = [{**record, "status": "in_progress", "output_file_id": None}]
    with light(shelf=Stale(shelf.root)) as serving, client(serving) as asking:
        assert ended(asking, sent(asking, row("next", "a globe, 80 g"))).status == "completed"
        assert not asked(serving, "a map, 90 g")
        assert shelf.record("", batch.id) == record
        assert not list(shelf.root.rglob(f"{batch.id}.jsonl*"))


@contextmanager
def room(bytes_):
    """Files of this process grow no further."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_result_of_which_only_the_beginning_fits_is_none(tmp_path):
    journal = Journal(tmp_path / "journal", ABOUT)
    journal.add({"custom_id": "a", "response": "x"})
    size = journal.path.stat().st_size
    with room(size + 10), pytest.raises(OSError, match="No space"):
        journal.add({"custom_id": "b", "response": "x"})
    assert journal.path.stat().st_size == size
    assert "b" not in journal
    journal.add({"custom_id": "c", "response": "y"})
    assert journal.result("c")["response"] == "y"
    journal.close()
    again = Journal(journal.path, ABOUT)
    assert ("a" in again, "b" in again, "c" in again) == (True, False, True)
    again.close()
