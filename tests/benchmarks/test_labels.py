"""Labels of documents: read, checked, and counted beside answers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from benchmarks import labels
from proseform.tasks.cv.judgement import Verdict

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "benchmarks/labels/accounts_officer.jsonl"
ADVERT = ROOT / "examples/cv/advert.md"
GO = {"kind": "skill", "importance": "required", "subject": "Go", "needs": ""}
TIME = {"kind": "experience", "importance": "required", "needs": "2 years"}


def written(path: Path, *verdicts: Verdict, deeds: tuple[str, ...] = ()) -> Path:
    """A file of labels of one document, for the job ``job.md`` beside it."""
    job = path / "job.md"
    job.write_text("We want Go", encoding="utf-8")
    head = {"job": hashlib.sha256(job.read_bytes()).hexdigest(), "requirements": [TIME, GO]}
    file = path / "labels.jsonl"
    row = {"document": "ab", "verdicts": verdicts, "deeds": deeds}
    file.write_text(f"{json.dumps(head)}\n{json.dumps(row)}\n", encoding="utf-8")
    return file


def test_labels_are_of_one_job(tmp_path: Path) -> None:
    file = written(tmp_path, "met", "missing")
    assert labels.read(file, tmp_path / "job.md")["ab"].recommendation == "consider"
    with pytest.raises(ValueError, match="another job"):
        labels.read(file, ADVERT)


def test_those_that_are_here_are_of_the_example_and_hold_a_verdict_for_each_requirement() -> None:
    known = labels.read(SHIPPED, ADVERT)
    assert len(known) == 119
    for one in known.values():
        verdicts = {row.get("subject", ""): row["verdict"] for row in one.requirements}
        assert len(verdicts) == 7
        assert set(verdicts.values()) <= {"met", "partly", "missing", "unclear"}
        assert all(verdicts[subject] == "missing" for subject in one.deeds)


def test_what_is_found_left_alone_or_not_read_is_told_apart(tmp_path: Path) -> None:
    label = labels.read(written(tmp_path, "met", "missing", deeds=("Go",)), tmp_path / "job.md")["ab"]
    time, go = labels.compared(label, [{**TIME, "verdict": "partly"}])
    assert (time.name, time.right, time.said, time.found, time.deed) == ("experience", "met", "partly", True, False)
    assert (go.name, go.right, go.said, go.found, go.deed) == ("Go", "missing", "", False, True)


def test_the_table_counts_them(tmp_path: Path) -> None:
    label = labels.read(written(tmp_path, "met", "missing"), tmp_path / "job.md")["ab"]
    right = {"recommendation": "consider", "requirements": [{**TIME, "verdict": "met"}, {**GO, "verdict": "missing"}]}
    wrong = {"recommendation": "reject", "requirements": [{**GO, "verdict": "met"}]}
    lines = list(labels.table([(label, right), (label, wrong)]))[2:]
    rows = dict(line.strip("| ").split(" | ")[:2] for line in lines)
    assert rows["recommendation right"] == "1 of 2"
    assert rows["… if all were rejected"] == "0 of 2"
    assert rows["requirement read from the job"] == "3 of 4"
    assert rows["what the document names: found"] == "1 of 2"
    assert rows["what it does not name: not found"] == "1 of 2"
    assert rows["verdict: Go"] == "1 of 2"
    assert "what it shows by deeds alone: found" not in rows
