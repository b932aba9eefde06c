"""What `proseform schema` says: taken or refused, the draft, who enforces what, and the cost."""

import json

import pytest
from typer.testing import CliRunner

from proseform.cli import app
from proseform.errors import InputError
from proseform.infer.plan import plan, read

CLOSED = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"a": {"type": "string", "maxLength": 9}},
    "required": ["a"],
    "additionalProperties": False,
}


def test_a_schema_that_the_grammar_enforces_wholly_says_so_with_its_longest_document():
    made = plan(CLOSED)
    assert (made.draft, made.note, made.verified) == ("draft-07", "", ())
    assert made.longest_bytes is not None
    assert made.longest_bytes >= len('{"a": "éééééééé"}'.encode())
    assert made.as_dict()["enforced"]


def test_what_only_the_verifier_enforces_is_listed_with_its_place():
    made = plan({"properties": {"a": {"uniqueItems": True, "items": {"pattern": "(?=x)y"}}}})
    assert {(w.place, w.keyword) for w in made.verified} == {
        ("/properties/a", "uniqueItems"),
        ("/properties/a/items", "pattern"),
    }
    assert made.longest_bytes is None
    assert "newest draft whose rules it keeps" in made.note


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "is not JSON: Expecting property name enclosed in double quotes: line 1 column 2"),
        (b"\xff{}", "is not UTF-8, at byte 0"),
        (b"[" * 100_000, "is nested deeper"),
        (b'{"const": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b" " * (9 << 20), "is larger than 8 MiB"),
    ],
)
def test_a_file_that_holds_no_json_is_refused_with_the_reason(tmp_path, content, words):
    path = tmp_path / "schema.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert words in str(caught.value)


def test_a_byte_order_mark_is_fine(tmp_path):
    path = tmp_path / "schema.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert read(path) == {}


def test_the_command_shows_the_plan_or_ends_with_2_and_the_place(tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(CLOSED))
    bad.write_text(json.dumps({"items": {"$ref": "other.json"}}))
    run = CliRunner()
    assert "draft-07" in run.invoke(app, ["schema", str(good)]).stdout
    assert json.loads(run.invoke(app, ["schema", str(good), "--json"]).stdout)["taken"] is True
    refused = run.invoke(app, ["schema", str(bad), "--json"])
    assert refused.exit_code == 2
    assert "/items refers to 'other.json'" in json.loads(refused.stdout)["message"]
