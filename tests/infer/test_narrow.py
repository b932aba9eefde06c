"""Narrower schemas: what conforms to them conforms to the whole."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from proseform.infer.narrow import longest, narrow
from proseform.schema import Schema

WIDE = {
    "type": "object",
    "properties": {
        "verdict": {"enum": ["reject", "interview"]},
        "score": {"type": "number", "minimum": 0, "maximum": 100},
        "texts": {"type": "array", "items": {"type": "string", "maxLength": 400}, "minItems": 1, "maxItems": 20},
        "extra": {"anyOf": [{"type": "string", "minLength": 3}, {"type": "null"}]},
    },
    "required": ["verdict", "score", "texts"],
}


def test_enums_stay_the_models_choice():
    assert narrow(WIDE, 10)["properties"]["verdict"] == {"enum": ["reject", "interview"]}


def test_a_generous_budget_keeps_more_than_a_tight_one():
    assert longest(narrow(WIDE, 5000)) > longest(narrow(WIDE, 100))
    assert "extra" in narrow(WIDE, 5000)["properties"]
    assert "extra" not in narrow(WIDE, 100)["properties"]


def test_the_bound_is_kept_where_a_rung_reaches_it():
    assert longest(narrow(WIDE, 400)) <= 400


def test_lower_bounds_are_never_crossed():
    narrowed = narrow({"type": "string", "minLength": 30, "maxLength": 90}, 1)
    assert narrowed["maxLength"] == 30


def test_what_has_no_bound_is_infinite():
    assert longest({"type": "string"}) == math.inf
    assert (
        longest({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}, "maxItems": 2}}})
        == math.inf
    )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_conforms_to_the_narrower_conforms_to_the_whole_and_is_no_longer_than_said(data):
    budget = data.draw(st.sampled_from([1, 100, 400, 2000]))
    narrowed = narrow(WIDE, budget)
    texts = narrowed["properties"]["texts"]
    value = {
        "verdict": data.draw(st.sampled_from(["reject", "interview"])),
        "score": data.draw(st.integers(0, 100)),
        "texts": data.draw(
            st.lists(st.text(max_size=texts["items"]["maxLength"]), min_size=1, max_size=texts["maxItems"])
        ),
    }
    if Schema(narrowed).fault(value) is None:
        assert Schema(WIDE).fault(value) is None
        printable = all(character.isprintable() for text in value["texts"] for character in text)
        if printable:
            assert len(json.dumps(value, ensure_ascii=False).encode(errors="replace")) <= longest(narrowed)


def test_definitions_that_refer_to_one_another_do_not_explode():
    """A small schema that unfolds to 20^12 fields is measured and signed in no time."""
    layers = {}
    for depth in range(12):
        fields = {f"f{number}": {"$ref": f"#/$defs/d{depth + 1}"} for number in range(20)}
        layers[f"d{depth}"] = {"type": "object", "properties": fields, "additionalProperties": False}
    document = {"$ref": "#/$defs/d0", "$defs": {**layers, "d12": {"type": "boolean"}}}
    assert len(Schema(document).signature()) < 20_000
    assert longest(document) > 20**12
    assert (
        Schema({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}}).signature()
        == "[any]"
    )
