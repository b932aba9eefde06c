"""Advertisements with labels: what stands in them, and how answers are counted beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import adverts
from benchmarks.adverts import Advert

FOLDER = Path(__file__).parents[2] / adverts.FOLDER
TIME = {"kind": "experience", "importance": "required", "needs": "2 years"}
GO = {"kind": "skill", "importance": "required", "subject": "Go", "needs": ""}
SQL = {"kind": "skill", "importance": "preferred", "subject": "SQL", "needs": ""}


def test_what_the_labels_name_stands_in_the_advertisement() -> None:
    known = adverts.read(FOLDER)
    assert len(known) == len(list(FOLDER.glob("*.md")))
    for one in known:
        for row in one.requirements:
            assert row.get("subject", "") in one.text, row
            assert row["needs"] in one.text, row
    assert {one.years for one in known} == {"first", "between", "last", "none"}


def test_a_requirement_is_read_by_kind_and_subject_and_wholly_with_the_rest() -> None:
    stated: list[dict[str, Any]] = [
        {**GO, "subject": "go"},
        {**SQL, "importance": "required"},
        {**SQL, "subject": "knowledge of R"},
        {**TIME, "kind": "place"},
    ]
    rows = adverts.compared([TIME, GO, SQL, {**SQL, "subject": "R"}, {**SQL, "subject": "No"}], stated)
    assert [(found, wholly) for _, found, wholly in rows] == [
        (False, False),
        (True, True),
        (True, False),
        (True, False),
        (False, False),
    ]


def test_the_table_counts_them() -> None:
    told = ["Two years at work", "some Go, please"]
    licence = {**GO, "kind": "permit"}
    given = [(Advert("", (TIME, GO)), [TIME, SQL, licence], told), (Advert("", (GO,)), [GO, TIME], ["Go on."])]
    lines = list(adverts.table(given))[2:]
    counts = {line.split(" | ")[0].strip("| "): line.split(" | ")[1] for line in lines}
    assert counts == {
        "read": "2 of 3",
        "… wholly": "2 of 3",
        "named, of whatever kind": "2 of 2",
        "not read: told of": "1 of 1",
        "sentences told of: not read": "1 of 3",
        "years of experience, where they stand first: read": "1 of 1",
        "stated, and asked for": "2 of 5",
        "no years of experience asked for: none stated": "0 of 1",
        "experience": "1 of 1",
        "skill": "1 of 2",
    }
