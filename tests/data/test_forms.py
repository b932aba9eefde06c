"""Cases in the forms in which people have them: what each becomes, and what is refused with line and field."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from proseform.case import SPLITS, Case
from proseform.data import bounding, forms, new
from proseform.data.forms import Columns
from proseform.errors import InputError, RowError, TaskError
from proseform.schema import Schema
from proseform.task import plain, replay

PERSON = Schema(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "paid": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "note": {"type": ["string", "null"]},
            "home": {"type": "object", "properties": {"town": {"type": "string"}, "floor": {"type": "number"}}},
        },
    }
)
CALL = Schema({"type": "object", "properties": {"symbol": {"type": "string"}}})
NAMED = Schema({"type": "object", "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}}})
CALLS = Schema({"type": "object", "properties": {"calls": {"type": "array"}}})
TOOL = "<tool_call>\n{'arguments': {'symbol': 'TSLA', 'exact': True}, 'name': 'quote'}\n</tool_call>"
ARGUMENTS = {"symbol": "TSLA", "exact": True}
ANSWER = {"name": "Amina", "age": 41}


def written(folder: Path, name: str, content: Any) -> Path:
    """A file: text as it is, a list as JSON Lines, or as what the suffix says."""
    path = folder / name
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8", newline="")
    elif path.suffix == ".json":
        path.write_text(json.dumps(content))
    elif path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        columns = {name: [row.get(name) for row in content] for row in content for name in row}
        parquet.write_table(pa.table(columns), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def user(text: str) -> dict[str, str]:
    """A user's turn."""
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    """An assistant's turn."""
    return {"role": "assistant", "content": text}


def human(text: str, answered: str, **more: Any) -> dict[str, Any]:
    """A conversation of ShareGPT."""
    return {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": answered}], **more}


CSV = (
    "id,letter,name,age,paid,tags,note,home.town,home.floor,split\r\n"
    '1,"two\nlines, so",Amina,41,true,"[""a""]",,Oslo,2.5,dev\r\n'
    "2,x,007,,FALSE,,so,,,\r\n"
)
LATER = [{"from": "tool", "value": "7"}, {"from": "gpt", "value": "It is 7."}]

TAKEN: dict[str, tuple[str, Any, Schema, Columns, list[tuple[dict[str, str], dict[str, Any]]]]] = {
    "cases as they are": (
        "a.jsonl",
        [{"inputs": {"letter": "x"}, "answer": ANSWER}],
        PERSON,
        Columns(),
        [({"letter": "x"}, ANSWER)],
    ),
    "a JSON array": ("a.json", [{"letter": "x", "answer": ANSWER}], PERSON, Columns(), [({"letter": "x"}, ANSWER)]),
    "CSV with a column a field": (
        "a.csv",
        CSV,
        PERSON,
        Columns(),
        [
            (
                {"letter": "two\nlines, so"},
                {"name": "Amina", "age": 41, "paid": True, "tags": ["a"], "note": None}
                | {"home": {"town": "Oslo", "floor": 2.5}},
            ),
            ({"letter": "x"}, {"name": "007", "paid": False, "note": "so", "home": {"town": ""}}),
        ],
    ),
    "TSV with an answer in JSON, and one of two texts as input": (
        "a.tsv",
        'letter\tremark\tanswer\nx\ty\t"{""name"": ""Amina"", ""age"": 41}"\n',
        PERSON,
        Columns(inputs=("letter",)),
        [({"letter": "x"}, ANSWER)],
    ),
    "Parquet": (
        "a.parquet",
        [{"letter": "x", "name": "Amina", "age": 41, "home": {"town": "Oslo", "floor": None}, "note": None}],
        PERSON,
        Columns(),
        [({"letter": "x"}, {**ANSWER, "note": None, "home": {"town": "Oslo"}})],
    ),
    "Parquet with a date for a text": (
        "a.parquet",
        [{"letter": "x", "name": dt.date(2026, 11, 5)}],
        PERSON,
        Columns(),
        [({"letter": "x"}, {"name": "2026-11-05"})],
    ),
    "messages, the answer in a fence": (
        "a.jsonl",
        [{"messages": [user("x"), assistant('Here:\n```json\n{"name": "Amina", "age": 41}\n```')]}],
        PERSON,
        Columns(),
        [({"text": "x"}, ANSWER)],
    ),
    "messages in parts, with a tool call of OpenAI's": (
        "a.jsonl",
        [
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "x"}]},
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"function": {"name": "quote", "arguments": json.dumps(ARGUMENTS)}}],
                    },
                ]
            }
        ],
        CALL,
        Columns(),
        [({"text": "x"}, ARGUMENTS)],
    ),
    "prompt and completion as texts": (
        "a.jsonl",
        [{"prompt": "x", "completion": json.dumps(ANSWER)}],
        PERSON,
        Columns(),
        [({"text": "x"}, ANSWER)],
    ),
    "prompt and completion as messages": (
        "a.jsonl",
        [{"prompt": [user("x")], "completion": [assistant(json.dumps(ANSWER))]}],
        PERSON,
        Columns(),
        [({"text": "x"}, ANSWER)],
    ),
    "one system's turn for all is left out": (
        "a.jsonl",
        [{"messages": [{"role": "system", "content": "s"}, user(t), assistant(json.dumps(ANSWER))]} for t in "ab"],
        PERSON,
        Columns(),
        [({"text": "a"}, ANSWER), ({"text": "b"}, ANSWER)],
    ),
    "a system's turn that differs is an input": (
        "a.jsonl",
        [{"messages": [{"role": "system", "content": t}, user("x"), assistant(json.dumps(ANSWER))]} for t in "ab"],
        PERSON,
        Columns(),
        [({"system": "a", "text": "x"}, ANSWER), ({"system": "b", "text": "x"}, ANSWER)],
    ),
    "ShareGPT with a tool call as Python prints it": (
        "a.json",
        [human("x", TOOL, category="finance")],
        CALL,
        Columns(),
        [({"text": "x"}, ARGUMENTS)],
    ),
    "with its name, where the schema has one": (
        "a.json",
        [human("x", TOOL)],
        NAMED,
        Columns(),
        [({"text": "x"}, {"name": "quote", "arguments": ARGUMENTS})],
    ),
    "all calls of a turn, where the schema is an array": (
        "a.json",
        [human("x", f"Both:\n{TOOL}\n{TOOL}")],
        CALLS,
        Columns(),
        [({"text": "x"}, {"calls": [{"name": "quote", "arguments": ARGUMENTS}] * 2})],
    ),
    "what follows the first answer is passed over": (
        "a.json",
        [{"conversations": [*human("x", TOOL)["conversations"], *LATER]}],
        CALL,
        Columns(),
        [({"text": "x"}, ARGUMENTS)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "schema", "columns", "cases"), TAKEN.values(), ids=TAKEN)
def test_a_form_is_told_by_its_columns(
    tmp_path: Path,
    name: str,
    content: Any,
    schema: Schema,
    columns: Columns,
    cases: list[tuple[dict[str, str], dict[str, Any]]],
) -> None:
    rows = forms.rows(written(tmp_path, name, content), schema, columns)
    assert [(row.inputs, row.answer) for row in rows] == cases


REFUSED: dict[str, tuple[str, Any, str]] = {
    "no such file": ("", None, "there is no such file"),
    "no case": ("a.jsonl", "\n", "there is no case in it"),
    "an object in the place of an array": ("a.json", '{"letter": "x"}', "expected an array of records"),
    "half an array": ("a.json", "[", "not JSON .*JSON Lines have the suffix .jsonl"),
    "CSV with a cell too few": ("a.csv", "letter,name\nx,Amina\ny\n", "a.csv, line 3: it has 1 cells, expected 2"),
    "CSV with a quote that does not end": ("a.csv", 'letter,name\nx,"Amina\n', "a.csv, line 2: not CSV"),
    "CSV with two columns of a name": ("a.csv", "name,name\nx,y\n", "line 1: columns need names, each its own"),
    "CSV with a number that is none, after a cell of two lines": (
        "a.csv",
        'letter,age\n"a\nb",41\nx,old\n',
        "a.csv, line 4: field 'age' is 'old', which is no JSON",
    ),
    "what is called Parquet": ("a.parquet", "PAR1", "not Parquet"),
    "Parquet with bytes": (
        "a.parquet",
        [{"letter": "x", "note": "so"}, {"letter": "y", "note": "so", "tags": [b"a"]}],
        "a.parquet, row 2: field 'tags' is of the type bytes, which JSON does not have",
    ),
    "Parquet with a span of time": (
        "a.parquet",
        [{"letter": "x", "age": dt.timedelta(days=3)}],
        "a.parquet, row 1: field 'age' is of the type timedelta, which JSON does not have",
    ),
    "Parquet with what is no number": (
        "a.parquet",
        [{"letter": "x", "home": {"floor": float("nan")}}],
        r"a.parquet, row 1: field 'home' is nan, which is no number in JSON. Leave the cell empty \(null\)",
    ),
    "no column for an input": ("a.csv", "name\nAmina\n", "line 2: no column is an input"),
    "an input that is a number": ("a.jsonl", [{"letter": 7, "name": "x"}], "line 1: field 'letter' is a number"),
    "an answer that is a text": ("a.jsonl", [{"inputs": {"a": "x"}, "answer": "x"}], "line 1: field 'answer' is text"),
    "a split of another name": (
        "a.jsonl",
        [{"inputs": {"a": "x"}, "answer": {}, "split": "holdout"}],
        "line 1: field 'split' is 'holdout', expected train, valid, test",
    ),
    "an assistant that is asked twice": (
        "a.jsonl",
        [{"messages": [user("x"), user("y"), assistant("{}")]}],
        "line 1: field 'messages.1': a second turn of the user",
    ),
    "an assistant that begins": ("a.jsonl", [{"messages": [assistant("{}")]}], "the assistant speaks before the user"),
    "an assistant that is silent": ("a.jsonl", [{"messages": [user("x")]}], "the assistant does not answer"),
    "prose for an answer": (
        "a.jsonl",
        [{"prompt": "x", "completion": "{}"}, {"prompt": "x", "completion": "Gladly!"}],
        "line 2: field 'completion' is no JSON",
    ),
    "a Python value that is no JSON": ("a.jsonl", [{"prompt": "x", "completion": "{'a': {1}}"}], "is no JSON"),
    "code for an answer": ("a.jsonl", [{"prompt": "x", "completion": "[exit(3)]"}], "is no JSON"),
    "a tool call without a name": (
        "a.jsonl",
        [human("x", "<tool_call>{}</tool_call>")],
        "a tool call has a name and arguments",
    ),
    "two tool calls for a schema of one": ("a.jsonl", [human("x", TOOL + TOOL)], "has 2 tool calls"),
}


@pytest.mark.parametrize(("name", "content", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_case_is_refused_by_line_and_field(tmp_path: Path, name: str, content: Any, words: str) -> None:
    path = written(tmp_path, name, content) if name else tmp_path / "nothing.jsonl"
    with pytest.raises(RowError, match=words):
        forms.rows(path, PERSON, Columns())


def test_a_column_groups_what_belongs_together(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "letter,name,age,agent\nx,Amina,41,k7\ny,Bo,42,k7\n")
    by_column = forms.rows(path, PERSON, Columns(group="agent"))
    assert [(row.groups, row.inputs) for row in by_column] == [
        (("agent:k7",), {"letter": "x"}),
        (("agent:k7",), {"letter": "y"}),
    ]
    assert forms.rows(path, PERSON, Columns(("letter",), "answer.name"))[0].groups == ("answer.name:Amina",)
    with pytest.raises(RowError, match="line 2: field 'customer' is null, and cannot say what belongs together"):
        forms.rows(path, PERSON, Columns(group="customer"))


def test_names_of_inputs_become_those_that_placeholders_have(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "Letter (body),Subject,name\nx,y,Amina\n")
    assert forms.rows(path, PERSON, Columns())[0].inputs == {"letter_body": "x", "subject": "y"}
    with pytest.raises(RowError, match=r"a.csv: the input 'Letter 2' is named as 'Letter 1'"):
        forms.rows(written(tmp_path, "a.csv", "Letter 1,Letter 2,name\nx,y,Amina\n"), PERSON, Columns())
    with pytest.raises(RowError, match=r"a.csv: the input '7' has no letters"):
        forms.rows(written(tmp_path, "a.csv", "7,name\nx,Amina\n"), PERSON, Columns())


def rows(count: int = 30) -> list[dict[str, Any]]:
    """Records that make a task."""
    return [
        {"inputs": {"letter": f"{'Amina' if at % 2 else 'Bo'} is {at}."}, "answer": {"name": "x" * (at % 9), "age": at}}
        for at in range(count)
    ]


def test_a_folder_is_written_that_is_a_task(tmp_path: Path) -> None:
    """A schema without bounds gets them by what the cases hold, and the places are named."""
    schema = written(tmp_path, "s.json", json.dumps(PERSON.document))
    written_folder = new.write("people", schema, written(tmp_path, "a.jsonl", rows()), Columns(), tmp_path / "tasks")
    people = plain.read(tmp_path / "tasks/people")
    assert (written_folder.cases, len(written_folder.bounds)) == (30, 9)
    assert people.schema.unbounded() == []
    assert people.schema.document["properties"]["age"] == {"type": "integer", "minimum": 0, "maximum": 1000}
    assert people.schema.document["properties"]["name"] == {"type": "string", "maxLength": 40}
    assert people.gold[3].answer == {"name": "xxx", "age": 3}


def test_decimals_of_parquet_are_numbers_of_json(tmp_path: Path) -> None:
    """Whole ones as integers, which the schema may ask for."""
    schema = written(tmp_path, "s.json", json.dumps(PERSON.document))
    records = [{"letter": f"{at}.", "age": Decimal(at), "home": {"floor": Decimal("2.50")}} for at in range(30)]
    folder = new.write("people", schema, written(tmp_path, "a.parquet", records), Columns(), tmp_path / "tasks").folder
    answers = [json.loads(line)["answer"] for line in (folder / replay.FILE).read_text().splitlines()]
    assert [json.dumps(answer) for answer in answers[:2]] == [
        '{"age": 0, "home": {"floor": 2.5}}',
        '{"age": 1, "home": {"floor": 2.5}}',
    ]


def test_a_folder_states_the_split_of_each_case_which_stays(tmp_path: Path) -> None:
    """Also where further cases make an input common, by which the old ones were told apart."""
    schema = written(tmp_path, "s.json", json.dumps(PERSON.document))
    cases = [
        {"inputs": {"letter": f"Letter {at}.", "rule": f"Rule {at}."}, "answer": {"age": at}, "split": "dev"}
        for at in range(40)
    ]
    for case in cases[1:]:
        del case["split"]
    folder = new.write("people", schema, written(tmp_path, "a.jsonl", cases), Columns(), tmp_path / "tasks").folder
    path = folder / replay.FILE
    stated = [json.loads(line)["split"] for line in path.read_text().splitlines()]
    assert stated[0] == "valid"
    assert {*stated} == {"train", "valid", "test"}
    assert [case.split for case in cases_of(folder)] == stated
    with path.open("a") as file:
        for at in range(60):
            row = {"inputs": {"letter": f"Further {at}.", "rule": "The rule."}, "answer": {"age": at}}
            file.write(json.dumps(row) + "\n")
    assert [case.split for case in cases_of(folder)[:40]] == stated


def cases_of(folder: Path) -> list[Case]:
    """All cases of a task's folder, in the order of their lines."""
    people = plain.read(folder)
    known = [case for split in SPLITS for case in people.generate("own", split, 0, 999)]
    return sorted(known, key=lambda case: case.id)


def test_what_is_refused_names_the_file_that_was_given_and_writes_nothing(tmp_path: Path) -> None:
    schema = written(tmp_path, "s.json", json.dumps(PERSON.document))
    cases = rows()
    cases[7]["answer"]["age"] = "old"
    with pytest.raises(RowError, match=r"mine.jsonl, line 8: field 'answer.age': \"old\" is not of type \"integer\""):
        new.write("people", schema, written(tmp_path, "mine.jsonl", cases), Columns(), tmp_path / "tasks")
    assert not (tmp_path / "tasks").exists()
    properties = {**PERSON.document["properties"], "name": {"type": "string", "x-from": "parcel"}}
    schema = written(tmp_path, "s.json", json.dumps({"type": "object", "properties": properties}))
    with pytest.raises(TaskError, match="there is no input 'parcel'"):
        new.write("people", schema, written(tmp_path, "mine.jsonl", rows()), Columns(), tmp_path / "tasks")
    assert list((tmp_path / "tasks").iterdir()) == []


TAKEN_NAMES = {
    "a name that is none": ("a b", "'a b' is no name"),
    "a task that is installed": ("cv", "a task 'cv' is installed"),
    "a folder that exists": ("there", "there exists"),
}


@pytest.mark.parametrize(("name", "words"), TAKEN_NAMES.values(), ids=TAKEN_NAMES)
def test_a_name_that_is_taken_or_none_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "there").mkdir()
    schema = written(tmp_path, "s.json", json.dumps(PERSON.document))
    with pytest.raises(InputError, match=words):
        new.write(name, schema, written(tmp_path, "a.jsonl", rows()), Columns(), tmp_path)


def test_bounds_leave_what_is_bounded_and_take_every_answer() -> None:
    document = {
        "type": "object",
        "$defs": {
            "row": {"type": "object", "properties": {"n": {"type": "number"}, "s": {"type": "string", "maxLength": 3}}}
        },
        "properties": {
            "rows": {"type": "array", "items": {"$ref": "#/$defs/row"}},
            "kind": {"enum": ["a"]},
            "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
    }  # fmt: skip
    answers = [{"rows": [{"n": -2.5, "s": "abc"}] * 9, "kind": "a", "either": "y" * 100}, {"rows": [{"n": 71}]}]
    bounded = bounding.bounded(document, answers)
    assert bounded["$defs"]["row"]["properties"] == {
        "n": {"type": "number", "minimum": -100, "maximum": 1000},
        "s": {"type": "string", "maxLength": 3},
    }
    assert (bounded["properties"]["rows"]["maxItems"], bounded["properties"]["kind"]) == (18, {"enum": ["a"]})
    assert bounded["properties"]["either"]["anyOf"][0]["maxLength"] == 200
    assert Schema(bounded).unbounded() == []
    assert all(Schema(bounded).fault(answer) is None for answer in answers)
    assert "maxItems" not in document["properties"]["rows"]


SHARED = {
    "of two fields": (
        {"a": {"$ref": "#/$defs/t"}, "b": {"$ref": "#/$defs/t"}},
        {"t": {"type": "string"}},
        {"a": "x", "b": "y" * 201},
        {"t": {"type": "string", "maxLength": 410}},
    ),
    "behind another, and in a choice": (
        {"a": {"$ref": "#/$defs/u"}, "b": {"anyOf": [{"$ref": "#/$defs/t"}, {"type": "null"}]}},
        {"t": {"type": "integer"}, "u": {"type": "array", "items": {"$ref": "#/$defs/t"}}},
        {"a": [3], "b": -2000},
        {
            "t": {"type": "integer", "minimum": -100000, "maximum": 100},
            "u": {"type": "array", "items": {"$ref": "#/$defs/t"}, "maxItems": 4},
        },
    ),
    "of no value at all": (
        {"a": {"$ref": "#/$defs/t"}, "b": {"$ref": "#/$defs/t"}},
        {"t": {"type": "string"}},
        {},
        {"t": {"type": "string", "maxLength": 40}},
    ),
    "that refers to itself twice": (
        {"a": {"$ref": "#/$defs/t"}},
        {"t": {"type": "object", "properties": {"s": {"type": "string"}, **{s: {"$ref": "#/$defs/t"} for s in "lr"}}}},
        {"a": {"s": "x", "l": {"s": "y" * 50, "r": {"s": "z" * 100}}}},
        {
            "t": {
                "type": "object",
                "properties": {"s": {"type": "string", "maxLength": 200}, **{s: {"$ref": "#/$defs/t"} for s in "lr"}},
                "additionalProperties": False,
            }
        },
    ),
    "that is nothing but itself": ({"a": {"$ref": "#/$defs/t"}}, {"t": {"$ref": "#/$defs/t"}}, {"a": 1},
        {"t": {"$ref": "#/$defs/t"}}),
}  # fmt: skip


@pytest.mark.parametrize(("properties", "defs", "answer", "bounded"), SHARED.values(), ids=SHARED)
def test_a_definition_is_bounded_by_the_values_of_all_its_places(
    properties: dict[str, Any], defs: dict[str, Any], answer: dict[str, Any], bounded: dict[str, Any]
) -> None:
    document = {"type": "object", "properties": properties, "$defs": defs}
    assert bounding.bounded(document, [answer])["$defs"] == bounded
    assert bounding.bounded(document, [{}, answer, answer])["$defs"] == bounded


def test_a_schema_that_branches_into_itself_is_bounded_at_once() -> None:
    """Each place is looked at once for a value, and not on every way that leads there."""
    names = [f"n{at}" for at in range(12)]
    node = {"type": "object", "properties": {name: {"$ref": "#/$defs/t"} for name in names}}
    bounded = bounding.bounded({"$ref": "#/$defs/t", "$defs": {"t": node}}, [{"n1": {"n2": {}}}])
    assert bounded["$defs"]["t"]["additionalProperties"] is False


NUMBERS = {
    "an exclusive one below": ({"exclusiveMinimum": -100}, [5], {"minimum": -100, "maximum": 100}),
    "an exclusive one above": ({"exclusiveMaximum": 9.5}, [5], {"minimum": 0, "maximum": 9.5}),
    "two of them": ({"exclusiveMinimum": 0, "exclusiveMaximum": 9}, [5], {"minimum": 0, "maximum": 9}),
    "one beside an ordinary one": ({"exclusiveMinimum": 0, "minimum": 2}, [5], {"minimum": 2, "maximum": 100}),
    "a lowest above what was seen of others": ({"minimum": 500}, [], {"minimum": 500, "maximum": 10000}),
    "a highest below 0, and no value": ({"exclusiveMaximum": -5}, [], {"minimum": -100, "maximum": -5}),
}


@pytest.mark.parametrize(("stated", "values", "bounds"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_keeps_its_exclusive_bound(
    stated: dict[str, Any], values: list[float], bounds: dict[str, Any]
) -> None:
    """As an ordinary one too, since a number without minimum and maximum counts as unbounded."""
    document = {"type": "object", "properties": {"n": {"type": "number", **stated}}}
    bounded = bounding.bounded(document, [{"n": value} for value in values])
    assert bounded["properties"]["n"] == {"type": "number", **stated, **bounds}
    assert Schema(bounded).unbounded() == []
