"""The display reads what stages leave behind, and says what was done."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from proseform import display


def _line(path: Path, **event: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({"t": 0, **event}) + "\n")


def test_a_tail_gives_whole_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    tail = display.Tail(path)
    assert list(tail) == []
    path.write_text('{"a": 1}\n{"a": ')
    assert list(tail) == [{"a": 1}]
    with path.open("a") as file:
        file.write("2}\n")
    assert list(tail) == [{"a": 2}]
    assert list(tail) == []


def test_a_run_is_shown_step_by_step_without_a_terminal(tmp_path: Path) -> None:
    events, work = tmp_path / "events.jsonl", tmp_path / "work"
    _line(events, stage="dataset", state="reused", seconds=1.0, figures={"key": "5 cases"})
    _line(events, stage="sft-evaluator", state="started", work=str(work), resumed=True)
    _line(events, stage="sft-evaluator", state="done", seconds=61.2, figures={"key": "loss 0.2"})
    _line(events, stage="grpo", state="started", work=str(work), resumed=False)
    _line(events, stage="grpo", state="failed", type="NoSignalError", message="No group differs.", hint="")
    console = Console(file=io.StringIO(), width=100)
    steps = display.follow(tmp_path, lambda: False, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert {step: event["state"] for step, event in steps.items()} == {
        "dataset": "reused",
        "sft-evaluator": "done",
        "grpo": "failed",
    }
    for words in ("as made before, 5 cases", "goes on where it stopped", "61 s, loss 0.2", "No group differs."):
        assert words in shown


def test_what_this_run_made_and_used_again_counts_as_done(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    _line(events, stage="base", state="started", work=str(tmp_path / "w"))
    _line(events, stage="base", state="done", seconds=9.0, figures={})
    _line(events, stage="base", state="reused", seconds=9.0, figures={})
    steps = display.follow(tmp_path, lambda: False, Console(file=io.StringIO()))
    assert steps["base"]["state"] == "done"


def test_an_answer_shows_where_it_stands_and_what_was_noticed_of_its_inputs(capsys):
    """Quotes and findings are shown beneath an answer, with their places."""
    finding = {"kind": "special_token", "message": "'<|im_end|>' is a control token.", "start": 7, "end": 17}
    guess = {"kind": "encoding", "message": "A guess.", "start": None, "end": None}
    quoted = {"pointer": "/name", "input": "cv", "start": 3, "end": 6}
    answer = {
        "prose": "P.",
        "answer": {"name": "Ana"},
        "evidence": [quoted],
        "seconds": {},
        "bundle": "b",
        "abstained": [],
    }
    verdicts = {"verdict": "verified", "prose_verdict": "verified"}
    display.answered({**answer, **verdicts, "findings": {"cv": [finding, guess]}}, as_json=False)
    shown = capsys.readouterr().out
    assert '/name: "Ana" in cv, 3 to 6' in shown
    assert "cv, at 7: '<|im_end|>' is a control token." in shown
    assert "cv: A guess." in shown


@pytest.mark.parametrize(("gate", "promoted"), [("closed, 5 of 6 checks passed", False), ("open, 6 checks", True)])
def test_a_closed_gate_promotes_nothing_and_is_told_with_the_report(gate, promoted, tmp_path):
    steps = {"gate": {"figures": {"key": gate}}, "evaluate": {"uri": f"file://{tmp_path}"}}
    console = Console(file=io.StringIO(), width=200)
    display.conclude(tmp_path, steps, console)
    assert display.promoted(steps) is promoted
    assert ("nothing was promoted" in console.file.getvalue()) is not promoted
    assert f"Report: {tmp_path}/report.html" in console.file.getvalue()
