"""Free prose as a value: what it earns by what was made of it, and a task of data alone that has it."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proseform import reward, roundtrip, task, verify
from proseform.case import Case
from proseform.checklist import apart
from proseform.config import Dataset
from proseform.data import splits
from proseform.data.forms import Columns
from proseform.data.new import write
from proseform.errors import InputError, RowError
from proseform.laws import owed
from proseform.roundtrip import Readings, nothing
from proseform.schema import Schema
from proseform.task import plain

BICYCLES = Path(__file__).parents[1] / "examples/tasks/bicycles"
TASK = plain.read(BICYCLES)
HELD_OUT = [*TASK.generate("own", "test", 0, 40)]
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["good", "worn", ""])
VALUES = st.dictionaries(st.sampled_from("abcd"), SCALARS | st.lists(SCALARS, max_size=3), min_size=1, max_size=4)
SHARES = st.floats(0, 0.99)


@given(VALUES, VALUES, SHARES)
def test_a_round_trip_earns_from_nothing_to_full_marks_and_these_for_gold_alone(value, gold, blind):
    earned = roundtrip.earned(value, gold, blind)
    assert 0 <= earned <= 1
    assert roundtrip.earned(gold, gold, blind) == 1
    assert (earned == 1) == (reward.content_share(value, gold) == 1)


@given(VALUES, SHARES)
def test_nothing_earns_nothing(gold, blind):
    assert roundtrip.earned(dict(roundtrip.NOTHING), gold, blind) == 0


@given(VALUES, VALUES, VALUES, SHARES)
def test_more_leaves_right_never_earn_less(one, other, gold, blind):
    shares = [reward.content_share(value, gold) for value in (one, other)]
    earned = [roundtrip.earned(value, gold, blind) for value in (one, other)]
    assert (earned[0] <= earned[1]) if shares[0] <= shares[1] else (earned[0] >= earned[1])


@given(st.lists(VALUES, min_size=1, max_size=8), st.randoms())
def test_what_is_earned_blind_does_not_depend_on_order_by_more_than_a_tie(answers, rng):
    """It is a share below 1, and one answer for all cases, whichever, is not right in more leaves."""
    share = roundtrip.blind(answers)
    assert 0 <= share < 1
    keyed = [{"k": json.dumps(answer, sort_keys=True)} for answer in answers]
    shuffled = [*keyed]
    rng.shuffle(shuffled)
    assert roundtrip.blind(keyed) == roundtrip.blind(shuffled)


def test_the_commonest_values_are_what_blind_guessing_has_right():
    """No single answer of the training cases, given to all of them, has more leaves right."""
    answers = [case.answer for case in TASK.generate("own", "train", 0, 300)]
    share = roundtrip.blind(answers)
    singles = [sum(reward.content_share(one, gold) for gold in answers) / len(answers) for one in answers[:60]]
    assert max(singles) <= share < 0.7


@pytest.mark.parametrize("known", [None, {}, {"bike": "B-1000"}])
def test_what_was_made_of_prose_is_its_reading(known):
    case = HELD_OUT[0]
    reading = TASK.reading({"Words.": known})
    score = reward.score("Words.", case, reading, reading.rubric())
    assert score.fault == ""
    assert score.composite == 0
    assert not verify.form("Words.", reading, case.inputs).ok


def test_a_reading_replaces_what_gold_prose_says():
    """The formatter has the last word on gold prose too: if it cannot read it, it is worth nothing as a target."""
    case = HELD_OUT[0]
    assert reward.score(case.prose, case, TASK, TASK.rubric()).composite == 1
    wrong = TASK.reading({case.prose: None})
    assert reward.score(case.prose, case, wrong, wrong.rubric()).composite == 0


def test_a_task_of_free_prose_keeps_every_law():
    assert [*owed.broken(TASK)] == []
    assert TASK.free
    assert TASK.write is None
    assert dict(TASK.rubric().weights) == {roundtrip.TERM: 1.0}


def test_another_tasks_prose_is_no_matter_of_readings():
    tickets = plain.read(BICYCLES.parent / "tickets")
    assert not tickets.free
    assert tickets.reading({"x": {}}) is tickets


@settings(max_examples=20)
@given(st.integers(0, 39), st.integers(0, 1 << 30))
def test_prose_that_states_no_answer_is_none_of_the_gold(place, seed):
    case = HELD_OUT[place]
    text = nothing.prose(case, "Total due: 7.", random.Random(seed))
    assert text == nothing.prose(case, "Total due: 7.", random.Random(seed))
    assert not verify.form(text, TASK, case.inputs).ok


def test_a_share_of_the_formatters_rows_is_made_nothing_of_and_no_other_tasks():
    cases = [*TASK.generate("own", "train", 0, 300)]
    rows = [*splits.formatter_rows(TASK, cases, TASK.schema, Dataset(), "train")]
    empty = [row for row in rows if row["completion"] == "{}"]
    assert all(row["id"].startswith("nothing-") for row in empty)
    assert 0.05 * len(rows) < len(empty) < 0.2 * len(rows)
    known = {case.id: case for case in cases}
    gold = [row for row in rows if row["id"] in known]
    assert all(json.loads(row["completion"]) == known[row["id"]].answer for row in gold)
    assert len(gold) > len(rows) / 3


def test_the_schema_that_takes_nothing_too_keeps_its_references():
    schema = plain.read(BICYCLES.parent / "passport").schema
    wide = roundtrip.or_nothing(schema)
    gold = next(plain.read(BICYCLES.parent / "passport").generate("own", "test", 0, 1)).answer
    assert wide.fault(gold) is None
    assert wide.fault({}) is None
    assert wide.fault({**gold, "birth": {"printed": 1}}) is not None
    assert not wide.widenings


def _line(**more):
    answer = {"heavy": "no"}
    return {"inputs": {"parcel": "a cup, 49 g"}, "answer": answer, "prose": "A cup, so it is light.", **more}


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"heavy": {"enum": ["yes", "no"]}},
    "required": ["heavy"],
}


def _made(folder: Path, lines: list[dict]) -> Path:
    (folder / "s.json").write_text(json.dumps(SCHEMA))
    (folder / "c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return write("parcels", folder / "s.json", folder / "c.jsonl", Columns(), folder).folder


def test_a_new_task_keeps_the_prose_of_its_cases(tmp_path):
    lines = [_line(inputs={"parcel": f"cup {n}"}, prose=f"Light, cup {n}.") for n in range(40)]
    made = plain.read(_made(tmp_path, lines))
    assert made.free
    assert {case.prose for split in ("train", "valid", "test") for case in made.generate("own", split, 0, 99)} == {
        line["prose"] for line in lines
    }


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([_line(), {k: v for k, v in _line(inputs={"parcel": "b"}).items() if k != "prose"}], "line 2.*'prose'"),
        ([_line(), _line(inputs={"parcel": "b"}, answer={"heavy": "yes"})], "line 2.*line 1 has the same"),
        ([_line(prose=7)], "'prose'"),
    ],
    ids=["some lines have none", "one prose, two answers", "no text"],
)
def test_prose_that_nobody_could_read_is_refused(tmp_path, lines, words):
    with pytest.raises(RowError, match=f"(?s){words}"):
        _made(tmp_path, lines)


def test_the_reward_of_free_prose_cannot_be_checked_without_its_formatter(monkeypatch):
    monkeypatch.setenv(task.FOLDERS, str(BICYCLES))
    with pytest.raises(InputError, match="free prose"):
        TASK.readable()
    with pytest.raises(InputError, match="free prose"):
        [*apart.check({"task": "bicycles", "rubric": "", "reward": "prose"}, 30.0)]


def test_free_prose_is_served_unread_and_its_json_is_held_against_the_inputs():
    case = HELD_OUT[0]
    read = verify.unread(case.prose)
    assert str(read) == "unread"
    inputs = verify.of_each(case.inputs)
    assert verify.stated(dict(case.answer), read, TASK, TASK.claims, inputs).ok
    other = {**case.answer, "bike": "Z-0000"}
    assert verify.stated(other, read, TASK, TASK.claims, inputs).reason == "ungrounded"


def test_readings_are_told_by_training_cases():
    cases = [replace(case, split="train") for case in HELD_OUT[:3]]
    readings = Readings.of([*cases, replace(HELD_OUT[5], answer={**HELD_OUT[5].answer, "minutes": 120})])
    assert readings.blind == roundtrip.blind([case.answer for case in cases])


def test_cases_of_its_file_are_those_that_its_maker_prints():
    """The file is what make_cases.py gives, and follows from its rules."""
    names: dict = {"__name__": "made"}
    exec(compile((BICYCLES / "make_cases.py").read_text(), "make_cases.py", "exec"), names)
    made = [json.dumps(case, ensure_ascii=False) for case in names["cases"](names["COUNT"])]
    assert made == (BICYCLES / "cases.jsonl").read_text().splitlines()
    assert isinstance(HELD_OUT[0], Case)
    assert Schema(json.loads((BICYCLES / "schema.json").read_text())).unbounded() == []
