"""Batches: what a file holds, what becomes of each row, a kill, and results as tables."""

import csv
import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from proseform import cli, testing
from proseform.errors import ConfigError, EngineError, InputError, RowError
from proseform.serve.batches import file, rows, tables, work
from proseform.serve.batches.journal import Journal
from tests.serve.light import INPUTS, JSON, PROSE, good
from tests.serve.test_in_a_pod import CASE, TASK, engine
from tests.waiting import until

TOY = testing.toy_task()
ABOUT = {"requests": "a"}


def row(number, parcel="a map, 90 g", **rest):
    return {"custom_id": str(number), "body": {"inputs": {**INPUTS, "parcel": parcel}}, **rest}


def written(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def ran(source, out, script=good, **options):
    """The outcomes of a batch, and the engine."""
    scripted = testing.ScriptedEngine(testing.toy_bundle(TOY), script)
    known = {"concurrency": 3, "timeout_s": 20, "patience_s": 20, **options}
    outcomes = file.run(scripted, TOY, source, out, watched=lambda _total, _done: nullcontext(print), **known)
    return outcomes, scripted


def results(out):
    return [json.loads(line) for line in out.read_text().splitlines()]


CHAT = {"model": "toy", "messages": [{"role": "user", "content": json.dumps(INPUTS)}]}


def test_each_row_has_its_result_in_its_place_and_refusals_too(tmp_path):
    def script(request):
        return "I cannot say." if "a sofa" in request.prompt.text and request.role == "evaluator" else good(request)

    lines = [
        row("b"),
        row("a", "a sofa, 90 g"),
        {"custom_id": "c", "body": {"inputs": {"parcel": "x"}}},
        {"custom_id": "d", "method": "POST", "url": "/v1/chat/completions", "body": CHAT},
        {"custom_id": "e", "url": "/openai/v1/completions", "body": {"model": "toy/formatter", "prompt": "90 g"}},
    ]
    out = tmp_path / "out.jsonl"
    outcomes, _ = ran(written(tmp_path / "in.jsonl", *lines), out, script)
    assert outcomes == {"verified": 2, "incomplete": 1, "input": 1, "valid": 1}
    answered = results(out)
    assert [one["custom_id"] for one in answered] == ["b", "a", "c", "d", "e"]
    assert [one["response"]["status_code"] for one in answered] == [200, 422, 422, 200, 200]
    assert answered[0]["response"]["body"]["answer"] == json.loads(JSON)
    assert answered[1]["response"]["body"]["error"]["reason"] == "incomplete"
    assert len({one["id"] for one in answered}) == len(lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"], "no journal is left"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ({"body": {}}, "'custom_id'"),
        ({**row(""), "custom_id": ""}, "'custom_id'"),
        ({**row(5), "custom_id": 5}, "'custom_id'"),
        (row(1), "earlier line"),
        (row(2, url="https://far.test/v1/tasks/toy/answer"), "'url'"),
        (row(2, url="/v1/tasks/other/answer"), "'url'"),
        (row(2, url="/metrics"), "'url'"),
        (row(2, url="/v1/tasks/toy/../toy/answer"), "'url'"),
        (row(2, url=5), "'url'"),
        (row(2, method="GET"), "'method'"),
        (row(2, more=1), "'more'"),
        ({"custom_id": "2", "body": []}, "'body' is an array"),
        ({"custom_id": "2", "body": {"stream": True}}, "'body.stream'"),
    ],
)
def test_a_line_that_is_no_request_is_refused_by_name_before_anything_begins(tmp_path, line, named):
    source = written(tmp_path / "in.jsonl", row(1), line)
    with pytest.raises(RowError, match=named) as caught:
        ran(source, tmp_path / "out.jsonl")
    assert "in.jsonl, line 2" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_file_without_requests_is_refused(tmp_path):
    with pytest.raises(RowError, match="no request"):
        rows.read(written(tmp_path / "in.jsonl"), TOY)


def test_after_a_kill_the_same_command_goes_on_and_asks_for_nothing_that_was_answered(tmp_path):
    """A real SIGKILL while rows are answered; results stand once, and only what was cut off is asked again."""
    count = 60
    source = written(tmp_path / "in.jsonl", *(row(number, f"a map, 90 g, for p{number}") for number in range(count)))
    out, log = tmp_path / "out.jsonl", tmp_path / "log"
    program = [sys.executable, str(Path(__file__).with_name("batch_program.py")), str(source), str(out), str(log)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen([*program, "0.05"], env=environment)
    journal = file.ledger(out)
    until(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 10, lambda: process.poll() is None)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    with journal.open("ab") as cut:
        cut.write(b'{"custom_id": "59", "resp')  # as a kill within a write leaves it
    answered = journal.read_bytes().count(b"\n") - 1
    assert 9 <= answered < count
    assert not out.exists()
    asked = log.read_text().split()
    subprocess.run([*program, "0"], env=environment, check=True)
    assert [one["custom_id"] for one in results(out)] == [str(number) for number in range(count)]
    again = log.read_text().split()[len(asked) :]
    assert len(again) == count - answered
    assert len(set(asked) & set(again)) <= 4, "at most what was under way is asked twice"
    assert set(asked) | set(again) == {f"p{number}" for number in range(count)}


def test_one_process_writes_a_journal(tmp_path):
    first = Journal(tmp_path / "a", ABOUT)
    with pytest.raises(ConfigError, match="another process"):
        Journal(tmp_path / "a", ABOUT)
    first.close()
    Journal(tmp_path / "a", ABOUT).close()


def test_a_journal_of_another_file_or_bundle_is_refused(tmp_path):
    Journal(tmp_path / "a", ABOUT).close()
    with pytest.raises(ConfigError, match="another file, task or bundle"):
        Journal(tmp_path / "a", {"requests": "b"})


def test_a_result_stands_once(tmp_path):
    journal = Journal(tmp_path / "a", ABOUT)
    journal.add({"custom_id": "1", "response": "first"})
    journal.add({"custom_id": "1", "response": "second"})
    assert (journal.result("1")["response"], len(journal)) == ("first", 1)
    journal.close()


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_journal_that_was_cut_anywhere_holds_whole_results_alone(tmp_path, cut):
    journal = Journal(tmp_path / "a", ABOUT)
    for number in range(3):
        journal.add({"custom_id": str(number), "response": number})
    journal.close()
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(data[:-cut])
    again = Journal(tmp_path / "a", ABOUT)
    assert all(again.result(str(number))["response"] == number for number in range(len(again)))
    for number in range(3):
        again.add({"custom_id": str(number), "response": number})
    again.close()
    assert (tmp_path / "a").read_bytes() == data


def test_results_that_are_there_are_not_written_over(tmp_path):
    source, out = written(tmp_path / "in.jsonl", row(1)), tmp_path / "out.jsonl"
    ran(source, out)
    with pytest.raises(InputError, match="there already"):
        ran(source, out)


def test_a_row_whose_engine_is_away_is_asked_again(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_LONGEST_PAUSE_S", 0.01)
    said = iter([EngineError("away"), EngineError("away"), PROSE, JSON])
    outcomes, scripted = ran(
        written(tmp_path / "in.jsonl", row(1)), tmp_path / "o.csv", lambda _: next(said), patience_s=60
    )
    assert outcomes == {"verified": 1}
    assert len(scripted.requests) == 4


def test_an_engine_that_stays_away_ends_the_batch_and_what_was_answered_is_kept(tmp_path):
    source, out = written(tmp_path / "in.jsonl", *map(row, range(6))), tmp_path / "out.jsonl"
    state = {"answers": 3}

    def script(request):
        if request.role == "evaluator":
            state["answers"] -= 1
        return EngineError("away") if state["answers"] < 0 else good(request)

    with pytest.raises(EngineError, match="the same command goes on"):
        ran(source, out, script, patience_s=0.2, concurrency=1)
    assert not out.exists()
    _, scripted = ran(source, out)
    assert len(scripted.requests) == 2 * 3, "three rows were left"
    assert len(results(out)) == 6


HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "plain", 'quo"te,\nline']


def test_cells_that_begin_as_formulas_are_escaped_and_all_else_comes_back(tmp_path):
    source = written(tmp_path / "in.jsonl", *(row(text) for text in HOSTILE))
    ran(source, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as opened:
        table = list(csv.DictReader(opened))
    assert [one["custom_id"] for one in table] == [f"'{text}" if text[0] in "=+-@\t\r" else text for text in HOSTILE]
    assert {one["status_code"] for one in table} == {"200"}
    assert json.loads(table[0]["answer"]) == json.loads(JSON)


def test_parquet_has_a_row_for_each_and_the_text_as_it_is(tmp_path):
    lines = [*(row(text) for text in HOSTILE), {"custom_id": "refused", "body": {}}]
    ran(written(tmp_path / "in.jsonl", *lines), tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [one["custom_id"] for one in table] == [*HOSTILE, "refused"]
    assert (table[-1]["status_code"], table[-1]["reason"], table[0]["prose"]) == (422, "input", PROSE)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.jsonl, \.csv, \.parquet"):
        tables.writer(tmp_path / "out.xlsx")


def test_parquet_without_its_library_is_refused_before_anything_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(tables.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match="pyarrow"):
        tables.writer(tmp_path / "out.parquet")


def test_the_command_line_answers_a_file_by_an_engine_elsewhere(tmp_path):
    (tmp_path / "bundle").mkdir()
    testing.toy_bundle(TASK).write(tmp_path / "bundle")
    source = written(tmp_path / "in.jsonl", {"custom_id": "1", "body": {"inputs": dict(CASE.inputs)}})
    asked = []
    with engine(asked) as address:
        options = ["--bundle", str(tmp_path / "bundle"), "--engine", f"http://{address}"]
        run = CliRunner().invoke(cli.app, ["batch", str(source), *options, "--json"])
    assert run.exception is None, run.output
    assert json.loads(run.stdout) == [{"outcome": "verified", "rows": "1"}]
    assert results(tmp_path / "in.results.jsonl")[0]["response"]["body"]["answer"] == CASE.answer
    assert set(asked) == {"evaluator", "formatter"}
