"""Schemas: refused early, bounded or told where not, projected, and written in one line."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import digest
from proseform.errors import InputError
from proseform.schema import UNENFORCEABLE, Schema

BOUNDED = {
    "type": "object",
    "properties": {
        "verdict": {"enum": ["yes", "no"]},
        "score": {"type": "integer", "minimum": 0, "maximum": 100},
        "tags": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 9}},
        "note": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/note"}]},
    },
    "required": ["verdict", "score"],
    "additionalProperties": False,
    "$defs": {"note": {"type": "string", "maxLength": 9}},
}

REFUSED = [
    ([], "an object", "a list is no schema"),
    (True, "an object", "a boolean schema says nothing that could be answered"),
    ("string", "an object", "a word"),
    ({"type": "text"}, "at type", "no such type"),
    ({"maxLength": -1}, "at maxLength", "a negative length"),
    ({"pattern": "("}, "at pattern", "no regular expression"),
    ({"properties": {"a": 3}}, "at properties/a", "a number in place of a schema"),
    ({"$schema": "http://json-schema.org/draft-07/schema#"}, "draft-07", "another dialect has other rules"),
    ({"$schema": "http://nowhere.invalid/x"}, "nowhere.invalid", "an unknown dialect, which must not be fetched"),
    ({"$ref": "http://nowhere.invalid/x"}, "nowhere.invalid", "a remote reference, which must not be fetched"),
    ({"$ref": "#/$defs/none"}, "none", "a reference to nothing"),
    ({"$ref": "#/required", "required": ["a"]}, "required", "a reference to what is no schema"),
    ({"items": {"$ref": "other.json"}}, "other.json", "a reference to a file"),
]


@pytest.mark.parametrize(("document", "words", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_what_is_no_usable_schema_is_refused_with_its_place(document, words, why):
    with pytest.raises(InputError, match="here: ") as caught:
        Schema(document, "here")
    assert words in str(caught.value)


@pytest.mark.parametrize("keyword", sorted(UNENFORCEABLE))
@pytest.mark.parametrize(
    "place", ["properties/a", "items", "anyOf/0", "$defs/a", "prefixItems/0", "additionalProperties", "definitions/a"]
)
def test_keywords_that_no_decoder_enforces_are_refused_wherever_they_stand(keyword, place):
    values = {
        "uniqueItems": True, "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {}}, "patternProperties": {"a": {}},
        "oneOf": [{}], "$dynamicRef": "#a",
    }  # fmt: skip
    bad = {keyword: values.get(keyword, {})}
    outer, _, inner = place.partition("/")
    document = {outer: [bad] if inner == "0" else {inner: bad} if inner else bad}
    if keyword == "$dynamicRef":
        bad["$dynamicAnchor"] = "a"
    with pytest.raises(InputError, match=rf"/{place.replace('$', '[$]')} uses .*{keyword.replace('$', '[$]')}"):
        Schema(document)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"properties": {"a": {"type": "string"}}}, "/properties/a: a string"),
        ({"properties": {"a": {"type": ["string", "null"]}}}, "/properties/a: a string"),
        ({"properties": {"a": {"type": "array", "maxItems": 3}}}, "/properties/a: an array"),
        ({"properties": {"a": {"type": "array", "items": {"const": 1}}}}, "/properties/a: an array"),
        ({"properties": {"a": {"type": "number", "minimum": 0}}}, "/properties/a: a number"),
        ({"properties": {"a": {}}}, "/properties/a: no type"),
        ({"additionalProperties": True}, "/: an object that is not closed"),
        ({"additionalProperties": {"const": 1}}, "/: an object that is not closed"),
        ({"$defs": {"note": {"type": "string"}}}, "/$defs/note: a string"),
        ({"properties": {"a": {"$ref": "#"}}}, "/properties/a: a reference to what holds it"),
        (
            {"$defs": {"note": {"$ref": "#/$defs/other"}, "other": {"anyOf": [{"$ref": "#/$defs/note"}]}}},
            "/$defs/note: a reference",
        ),
    ],
)
def test_what_has_no_bound_is_named(change, where):
    assert Schema(BOUNDED).unbounded() == []
    assert any(fault.startswith(where) for fault in Schema({**BOUNDED, **change}).unbounded())


def test_a_definition_used_twice_is_not_recursion():
    twice = {**BOUNDED, "properties": {"a": {"$ref": "#/$defs/note"}, "b": {"$ref": "#/$defs/note"}}, "required": ["a"]}
    assert Schema(twice).unbounded() == []


@given(st.sets(st.sampled_from(sorted(BOUNDED["properties"])), min_size=1))
def test_a_projection_keeps_the_order_the_bounds_and_what_is_required(fields):
    schema = Schema(BOUNDED)
    part = schema.project(sorted(fields, reverse=True))
    assert list(part.fields) == [name for name in schema.fields if name in fields]
    assert set(part.document["required"]) == {"verdict", "score"} & fields
    assert part.unbounded() == []
    assert part.project(fields).digest == part.digest
    full = {"verdict": "yes", "score": 3, "tags": ["a"], "note": None}
    assert part.fault({name: full[name] for name in fields}) is None
    if len(fields) < len(full):
        assert part.fault(full) is not None


def test_a_projection_on_an_unknown_field_names_the_known_ones():
    with pytest.raises(InputError, match=r"no field nope.*verdict, score"):
        Schema(BOUNDED).project(["nope"])


def test_formats_are_checked():
    """`pip install jsonschema` alone leaves `format` unchecked; here it counts."""
    assert Schema({"type": "string", "format": "date"}).fault("2026-02-30") is not None
    assert Schema({"type": "string", "format": "date"}).fault("2026-02-28") is None


def test_the_digest_is_of_the_content_and_not_of_the_order():
    assert Schema(BOUNDED).digest == Schema(dict(reversed(BOUNDED.items()))).digest == digest.of_json(BOUNDED)


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (BOUNDED, "{verdict: yes|no, score: 0..100, tags: [text], note: null|text}"),
        ({"enum": [True, None, 1, "a"]}, "true|null|1|a"),
        ({"const": False}, "false"),
        ({"type": "integer", "minimum": 0, "maximum": 123456789}, "0..123456789"),
        ({"type": "number", "minimum": 0.5, "maximum": 1}, "0.5..1"),
        ({"type": "number"}, "number"),
        ({"type": ["string", "null"]}, "text|null"),
        ({"type": "boolean"}, "true|false"),
        ({}, "any"),
        ({"type": "array"}, "[any]"),
        ({"properties": {"a": {"$ref": "#/$defs/x~1y"}}, "type": "object", "$defs": {"x/y": {"const": 1}}}, "{a: 1}"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"const": 1}}}, "{a: {a: any, b: 1}, b: 1}"),
    ],
)
def test_the_signature_of(document, line):
    assert Schema(document).signature() == line


def test_definitions_that_refer_to_one_another_do_not_blow_up_the_signature():
    both = {n: {"$ref": f"#/$defs/d{n + 1}"} for n in range(30)}
    chain = {f"d{n}": {"type": "object", "properties": {"l": both[n], "r": both[n]}} for n in range(30)}
    schema = Schema({"$ref": "#/$defs/d0", "$defs": {**chain, "d30": {"const": 1}}})
    assert len(schema.signature()) < 20_000


@pytest.mark.parametrize("keyword", ["$ref", "$schema"])
def test_nothing_is_ever_fetched(keyword):
    """A schema comes from a caller: what it names must not be visited."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        with pytest.raises(InputError):
            Schema({keyword: f"http://127.0.0.1:{server.getsockname()[1]}/x"})
        with pytest.raises(TimeoutError):
            server.accept()
