"""Batches over HTTP, by the official client: files belong to a key, expire, have a quota; batches outlive a server."""

import asyncio
import json
import threading
from contextlib import ExitStack, suppress

import pytest

from proseform import testing
from proseform.errors import EngineError
from proseform.serve import keys
from proseform.serve.batches import clerk
from proseform.serve.batches import shelf as shelves
from proseform.serve.batches.shelf import Shelf
from proseform.serve.faults import NotFoundError, TooLargeError
from proseform.serve.guard import Guard
from proseform.serve.keys import Keys
from tests.serve.light import JSON, good, light
from tests.serve.test_batches import CHAT, row
from tests.waiting import PATIENCE_S, until

openai = pytest.importorskip("openai")
TOY = testing.toy_task()
ENDED = {"completed", "failed", "cancelled", "expired"}


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "shelf")


def client(serving, key="none"):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{serving.port}/openai/v1", api_key=key, max_retries=0)


def lines(*rows):
    return "".join(json.dumps(one) + "\n" for one in rows).encode()


def sent(asking, *rows, endpoint="/v1/tasks/toy/answer"):
    """A batch that was begun."""
    file = asking.files.create(file=("in.jsonl", lines(*rows)), purpose="batch")
    return asking.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")


def ended(asking, batch):
    """A batch at its end."""
    until(lambda: asking.batches.retrieve(batch.id).status in ENDED)
    return asking.batches.retrieve(batch.id)


def answered(asking, batch, count):
    """Wait until so many rows have their results."""
    until(lambda: asking.batches.retrieve(batch.id).request_counts.completed >= count)


def output(asking, batch):
    return [json.loads(line) for line in asking.files.content(batch.output_file_id).text.splitlines()]


def test_the_official_client_sends_a_file_and_gets_its_results(shelf):
    rows = [row("b"), {"custom_id": "a", "body": {}}, {"custom_id": "c", "url": "/v1/chat/completions", "body": CHAT}]
    with light(shelf=shelf) as serving, client(serving) as asking:
        batch = ended(asking, sent(asking, *rows))
        assert (batch.status, batch.request_counts.total) == ("completed", 3)
        assert (batch.request_counts.completed, batch.request_counts.failed) == (2, 1)
        results = output(asking, batch)
        assert [one["custom_id"] for one in results] == ["b", "a", "c"]
        assert [one["response"]["status_code"] for one in results] == [200, 422, 200]
        assert results[0]["response"]["body"]["answer"] == json.loads(JSON)
        assert [one.id for one in asking.batches.list()] == [batch.id]
        assert {one.purpose for one in asking.files.list()} == {"batch", "batch_output"}
        asking.files.delete(batch.output_file_id)
        with pytest.raises(openai.NotFoundError):
            asking.files.content(batch.output_file_id)


def test_a_file_that_holds_no_requests_fails_its_batch_by_line_and_asks_nobody(shelf):
    with light(shelf=shelf) as serving, client(serving) as asking:
        batch = ended(asking, sent(asking, row(1), row(2, url="https://far.test/v1/chat/completions")))
        assert batch.status == "failed"
        assert "line 2: field 'url'" in batch.errors.data[0].message
        assert serving.engine.requests == []


def test_files_and_batches_are_their_keys_alone(shelf, tmp_path):
    mine, theirs = (keys.new(tmp_path / "keys.json", name, 0) for name in ("mine", "theirs"))
    with light(shelf=shelf, guard=Guard(Keys(tmp_path / "keys.json"))) as serving:
        with client(serving, mine) as asking, client(serving, theirs) as other:
            batch = ended(asking, sent(asking, row(1)))
            assert batch.status == "completed", "its rows are let in without a key"
            assert [*other.files.list(), *other.batches.list()] == []
            for forbidden in (
                lambda: other.batches.retrieve(batch.id),
                lambda: other.batches.cancel(batch.id),
                lambda: other.files.content(batch.output_file_id),
                lambda: other.files.delete(batch.output_file_id),
                lambda: other.batches.create(
                    input_file_id=batch.input_file_id, endpoint="/v1/tasks/toy/answer", completion_window="24h"
                ),
            ):
                with pytest.raises(openai.NotFoundError):
                    forbidden()
        with client(serving, "nobody's") as asking, pytest.raises(openai.AuthenticationError):
            asking.files.list()


@pytest.mark.parametrize("number", ["file-1", "..", "%2e%2e%2fkeys", "file-" + "g" * 32, "batch_" + "0" * 32])
def test_an_id_that_is_none_leads_nowhere(shelf, number):
    with light(shelf=shelf) as serving:
        for path in ("/v1/files/", "/v1/batches/"):
            line = serving.line()
            line.request("GET", path + number)
            response = line.getresponse()
            assert (response.status, json.loads(response.read())["error"]["reason"]) == (404, "not_found")


def test_ids_are_128_random_bits(shelf):
    numbers = {shelf.put("", b"", "a", "batch")["id"] for _ in range(8)}
    assert len(numbers) == 8
    assert {len(number) for number in numbers} == {len("file-") + 128 // 4}


def test_a_key_keeps_no_more_than_its_quota(shelf):
    small = Shelf(shelf.root, quota_bytes=1000)
    with light(shelf=small) as serving, client(serving) as asking:
        asking.files.create(file=("a.jsonl", b"x" * 900), purpose="batch")
        with pytest.raises(openai.APIStatusError) as refused:
            asking.files.create(file=("a.jsonl", b"x" * 200), purpose="batch")
        assert refused.value.status_code == 413
        (file,) = asking.files.list()
        asking.files.delete(file.id)
        asking.files.create(file=("a.jsonl", b"x" * 200), purpose="batch")


def test_what_is_too_old_is_gone(tmp_path):
    now = [1000.0]
    shelf = Shelf(tmp_path, keep_s=100, clock=lambda: now[0])
    number = shelf.put("", b"x", "a", "batch")["id"]
    assert shelf.records("", "file")[0]["id"] == number
    now[0] = 1100.0
    assert shelf.records("", "file") == []
    with pytest.raises(Exception, match="expired"):
        shelf.record("", number)
    assert list(shelf.open()) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def gated(count):
    """A script that lets so many cases through, what opens it, and what says that it waits."""
    free, waits, left = threading.Event(), threading.Event(), iter(range(count))

    async def script(request):
        if request.role == "evaluator" and next(left, None) is None:
            waits.set()
            while not free.is_set():  # noqa: ASYNC110 - set by the test, from another thread
                await asyncio.sleep(0.005)
        return good(request)

    return script, free, waits


def halted(asking, waits, *, rows, done):
    """A batch of so many rows, of which some are answered and the next one waits."""
    batch = sent(asking, *map(row, range(rows)))
    answered(asking, batch, done)
    assert waits.wait(PATIENCE_S)
    return batch


def test_a_batch_goes_on_when_a_server_begins_again(shelf):
    script, free, waits = gated(3)
    with ExitStack() as first:
        serving = first.enter_context(light(script, shelf=shelf))
        asking = first.enter_context(client(serving))
        batch = halted(asking, waits, rows=8, done=3)
    free.set()
    with light(shelf=shelf) as serving, client(serving) as asking:
        done = ended(asking, batch)
        assert (done.status, done.request_counts.completed) == ("completed", 8)
        assert [one["custom_id"] for one in output(asking, done)] == [str(number) for number in range(8)]
        evaluated = [request for request in serving.engine.requests if request.role == "evaluator"]
        assert len(evaluated) == 5, "what was answered before is not asked again"


def test_a_batch_that_is_cancelled_gives_what_was_answered(shelf):
    script, free, waits = gated(2)
    with light(script, shelf=shelf) as serving, client(serving) as asking:
        batch = halted(asking, waits, rows=6, done=2)
        assert asking.batches.cancel(batch.id).status == "cancelling"
        done = ended(asking, batch)
        assert done.status == "cancelled"
        assert len(output(asking, done)) == done.request_counts.completed == 2
        free.set()
        again = ended(asking, sent(asking, row("next")))
        assert again.status == "completed", "the next batch is worked on"


def test_a_batch_whose_time_is_up_gives_what_was_answered(shelf, monkeypatch):
    monkeypatch.setattr(clerk, "WINDOW_S", 0)
    with light(lambda _request: EngineError("away"), shelf=shelf) as serving, client(serving) as asking:
        done = ended(asking, sent(asking, row(1)))
        assert (done.status, output(asking, done)) == ("expired", [])


@pytest.mark.parametrize(
    "body",
    [
        {"endpoint": "/metrics"},
        {"endpoint": "https://far.test/"},
        {"completion_window": "1h"},
        {"input_file_id": 5},
        {"metadata": ["a"]},
        {"metadata": "a"},
        {"metadata": {str(number): "" for number in range(17)}},
        {"metadata": {"k" * 65: ""}},
        {"metadata": {"k": "v" * 513}},
        {"metadata": {"k": 5}},
        {"metadata": {"k": {"deep": "v"}}},
    ],
)
def test_a_batch_that_cannot_be_is_refused(shelf, body):
    with light(shelf=shelf) as serving, client(serving) as asking:
        file = asking.files.create(file=("in.jsonl", lines(row(1))), purpose="batch")
        right = {"input_file_id": file.id, "endpoint": "/v1/tasks/toy/answer", "completion_window": "24h"}
        with pytest.raises(openai.BadRequestError):
            asking.batches.create(**{**right, **body})
        assert list(asking.batches.list()) == []


def test_metadata_of_the_largest_size_are_kept_and_a_larger_request_is_not_read(shelf):
    largest = {f"{number:02}" + "\U0001f4e6" * 62: "\U0001f4e6" * 512 for number in range(16)}
    with light(shelf=shelf) as serving, client(serving) as asking:
        file = asking.files.create(file=("in.jsonl", lines(row(1))), purpose="batch")
        right = {"input_file_id": file.id, "endpoint": "/v1/tasks/toy/answer", "completion_window": "24h"}
        assert asking.batches.create(**right, metadata=largest).metadata == largest
        assert asking.batches.create(**right).metadata is None
        with pytest.raises(openai.APIStatusError) as refused:
            asking.batches.create(**right, metadata={"k": "v" * (1 << 20)})
        assert refused.value.status_code == 413


def test_a_key_has_no_more_open_batches_than_it_may(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(shelves, "MOST_OPEN", 2)
    mine, theirs = (keys.new(tmp_path / "keys.json", name, 0) for name in ("mine", "theirs"))
    script, free, _waits = gated(0)
    with ExitStack() as stack:
        serving = stack.enter_context(light(script, shelf=shelf, guard=Guard(Keys(tmp_path / "keys.json"))))
        asking, other = (stack.enter_context(client(serving, key)) for key in (mine, theirs))
        first, second = sent(asking, row(1)), sent(asking, row(2))
        with pytest.raises(openai.RateLimitError) as refused:
            sent(asking, row(3))
        assert (refused.value.code, int(refused.value.response.headers["retry-after"])) == ("busy", 60)
        third = sent(other, row(4))
        free.set()
        assert {ended(asking, first).status, ended(asking, second).status} == {"completed"}
        assert ended(other, third).status == "completed"
        assert ended(asking, sent(asking, row(5))).status == "completed"


def test_a_key_keeps_no_more_files_and_batches_than_it_may(shelf, monkeypatch):
    monkeypatch.setattr(shelves, "MOST_KEPT", 3)
    with light(shelf=shelf) as serving, client(serving) as asking:
        batch = ended(asking, sent(asking, row(1)))  # with its input and its output: three
        assert batch.status == "completed"
        with pytest.raises(openai.APIStatusError) as refused:
            sent(asking, row(2))
        assert refused.value.status_code == 413
        asking.files.delete(batch.output_file_id)
        asking.files.create(file=("in.jsonl", lines(row(2))), purpose="batch")


def test_what_has_expired_is_deleted_with_all_that_belongs_to_it(tmp_path):
    now = [0.0]
    shelf = Shelf(tmp_path, clock=lambda: now[0])
    numbers = [shelf.put("", b"x", "in.jsonl", "batch")["id"] for _ in range(20)]
    (shelf.data("", numbers[0]).parent / f".{numbers[0]}.jsonl.new").write_bytes(b"a draft")
    now[0] = shelf.keep_s / 2
    kept = shelf.put("", b"x", "in.jsonl", "batch")["id"]
    now[0] = shelf.keep_s + 1
    assert shelf.open() == []
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [f"{kept}.json", f"{kept}.jsonl"]


def test_records_count_against_the_quota(shelf):
    small = Shelf(shelf.root, quota_bytes=4000)
    with light(shelf=small) as serving, client(serving) as asking:
        file = asking.files.create(file=("in.jsonl", b"x" * 1000), purpose="batch")
        right = {"input_file_id": file.id, "endpoint": "/v1/tasks/toy/answer", "completion_window": "24h"}
        for _ in range(2):
            asking.batches.create(**right, metadata={"k": "v" * 500})  # its record is kept, though it fails
        with pytest.raises(openai.APIStatusError) as refused:
            asking.batches.create(**right, metadata={"k": "v" * 500})
        assert refused.value.status_code == 413
    assert small.used("") == sum(path.stat().st_size for path in shelf.root.rglob("*") if path.is_file())


def test_files_that_come_together_do_not_pass_the_quota(tmp_path):
    """Each of the two looks at what is used, and waits a while for the other to look too."""
    together = threading.Barrier(2)

    class Slow(Shelf):
        def used(self, *arguments):
            used = super().used(*arguments)
            with suppress(threading.BrokenBarrierError):
                together.wait(0.5)
            return used

    shelf, refused = Slow(tmp_path, quota_bytes=1000), []

    def put():
        try:
            shelf.put("", b"x" * 600, "a", "batch")
        except TooLargeError as error:
            refused.append(error)

    threads = [threading.Thread(target=put) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert len(shelf.records("", "file")) == 1


def test_the_shelf_is_looked_at_and_written_beside_the_event_loop(tmp_path):
    on_the_loop = []

    class Watched(Shelf):
        def open(self):
            self._note("open")
            return super().open()

        def keep(self, *arguments):
            self._note("keep")
            super().keep(*arguments)

        def used(self, *arguments):
            self._note("used")
            return super().used(*arguments)

        def records(self, *arguments):
            self._note("records")
            return super().records(*arguments)

        def _note(self, what):
            with suppress(RuntimeError):  # no loop runs in this thread
                asyncio.get_running_loop()
                on_the_loop.append(what)

    with light(shelf=Watched(tmp_path)) as serving, client(serving) as asking:
        batch = ended(asking, sent(asking, *map(row, range(5))))
        assert batch.request_counts.completed == 5
        asking.batches.cancel(batch.id)
        assert len([*asking.files.list(), *asking.batches.list()]) == 3
        asking.files.delete(batch.output_file_id)
    assert on_the_loop == []


def test_a_file_that_an_open_batch_needs_stays_until_that_has_ended(tmp_path):
    now = [1000.0]
    shelf = Shelf(tmp_path, keep_s=100, clock=lambda: now[0])
    number = shelf.put("", b"x", "a", "batch")["id"]
    batch = {"id": "batch_" + "0" * 32, "object": "batch", "status": "validating", "created_at": 1050}
    shelf.begin("", {**batch, "input_file_id": number})
    now[0] = 1100.0
    assert [owned["id"] for _, owned in shelf.open()] == [batch["id"]]
    assert shelf.data("", number).read_bytes() == b"x"
    with pytest.raises(NotFoundError):
        shelf.record("", number)
    shelf.change("", batch["id"], shelves.OPEN, {"status": "completed"})
    shelf.open()
    assert not shelf.data("", number).exists()


def test_a_record_that_a_power_failure_has_emptied_stands_in_nobodys_way(shelf):
    with light(shelf=shelf) as serving, client(serving) as asking:
        batch = ended(asking, sent(asking, row(1)))
        (shelf.root / "anybody" / f"batch_{'1' * 32}.json").write_bytes(b"")
        assert [one.id for one in asking.batches.list()] == [batch.id]
        assert ended(asking, sent(asking, row(2))).status == "completed"


@pytest.mark.parametrize("under", ["", "/content"])
def test_a_batch_is_no_file(shelf, under):
    script, free, waits = gated(0)
    with light(script, shelf=shelf) as serving, client(serving) as asking:
        batch = sent(asking, row(1))
        assert waits.wait(PATIENCE_S)
        line = serving.line()
        line.request("GET" if under else "DELETE", f"/v1/files/{batch.id}{under}")
        assert line.getresponse().status == 404
        with pytest.raises(openai.BadRequestError):
            asking.files.delete(batch.input_file_id)
        with pytest.raises(openai.BadRequestError):
            asking.batches.create(input_file_id=batch.id, endpoint="/v1/tasks/toy/answer", completion_window="24h")
        free.set()
        assert ended(asking, batch).status == "completed"
        assert ended(asking, sent(asking, row(2))).status == "completed"


def test_a_server_without_a_folder_takes_no_files():
    with light() as serving, client(serving) as asking, pytest.raises(openai.NotFoundError):
        asking.files.list()
