"""A grammar is never narrower than its schema, and what it leaves to the verifier is told, whatever the draft."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from proseform.errors import InputError
from proseform.schema import Schema
from proseform.schema.draft import CONST_SINCE, DEPENDENT_SINCE, NEWEST, URIS

NAMES = st.sampled_from(["a", "b", "c/d", "x y"])
SMALL = st.integers(0, 3)
DRAFT_4 = 4
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from([0.5, 1.0, "", "a", "bb", "é", "2020-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def _schemas(draft: int) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of a draft, with most of its keywords."""
    kinds = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
    leaves: dict[str, Any] = {
        "type": kinds | st.lists(kinds, min_size=1, max_size=2, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=3, unique_by=repr),
        "minLength": SMALL, "maxLength": SMALL, "pattern": st.sampled_from(["^a", "b$", "^[a-z]*$"]),
        "format": st.sampled_from(["date", "uri-reference", "unknown"]), "minItems": SMALL, "maxItems": SMALL,
        "minimum": st.integers(-2, 4), "maximum": st.integers(2, 9), "multipleOf": st.sampled_from([1, 2, 0.5, 1001]),
        "required": st.lists(NAMES, min_size=1, max_size=2, unique=True),
        "minProperties": SMALL, "maxProperties": SMALL, "uniqueItems": st.booleans(), "title": st.just("t"),
        "$ref": st.sampled_from(["#/definitions/x", "#/definitions/y"]),
    }  # fmt: skip
    if draft == 4:
        leaves |= {"exclusiveMinimum": st.booleans(), "exclusiveMaximum": st.booleans()}
    else:
        leaves |= {"exclusiveMinimum": st.integers(-2, 4), "exclusiveMaximum": st.integers(2, 9)}
    if draft >= CONST_SINCE:
        leaves["const"] = VALUES
    if draft >= DEPENDENT_SINCE:
        leaves["dependentRequired"] = st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2)

    def inner(of: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
        some, named = st.lists(of, min_size=1, max_size=2), st.dictionaries(NAMES, of, max_size=3)
        nested: dict[str, Any] = {
            "properties": named, "additionalProperties": of | st.booleans(), "items": of, "allOf": some, "anyOf": some,
            "oneOf": some, "not": of,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), of, max_size=2),
        }  # fmt: skip
        if draft < NEWEST:
            nested |= {"items": of | some, "additionalItems": of | st.booleans()}
        else:
            nested["prefixItems"] = some
        if draft >= CONST_SINCE:
            nested |= {"contains": of, "propertyNames": of}
        if draft >= 7:
            nested |= {"if": of, "then": of, "else": of}
        if draft >= DEPENDENT_SINCE:
            nested |= {"unevaluatedProperties": of | st.booleans(), "unevaluatedItems": of | st.booleans()}
            nested |= {"minContains": SMALL, "dependentSchemas": named}
        else:
            nested["dependencies"] = st.dictionaries(
                NAMES, of | st.lists(NAMES, min_size=1, max_size=2, unique=True), max_size=2
            )
        return st.fixed_dictionaries({}, optional={**leaves, **nested})

    node = st.recursive(st.fixed_dictionaries({}, optional=leaves), inner, max_leaves=4)
    return st.builds(
        lambda root, x, y: {"$schema": URIS[draft], **root, "definitions": {"x": x, "y": y}}, node, node, node
    )


def _python(document: dict[str, Any], value: Any) -> bool:
    """The verdict of python's jsonschema."""
    validator = jsonschema.validators.validator_for(document)
    return validator(document, format_checker=jsonschema.FormatChecker()).is_valid(value)


@pytest.mark.parametrize("draft", list(URIS))
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_a_grammar_is_never_narrower_and_verdicts_are_those_of_the_draft(draft, data):
    document = data.draw(_schemas(draft))
    try:
        schema = Schema(document)
    except InputError:
        assume(False)  # it refers to itself, or has no document
    written = Schema(schema.grammar)
    for value in data.draw(st.lists(VALUES, min_size=4, max_size=8)):
        valid = schema.fault(value) is None
        assert valid == _python(document, value)
        if valid:
            assert written.fault(value) is None, (document, schema.grammar, value)
        elif not schema.widenings and not (draft == DRAFT_4 and _whole_floats(value)):
            assert written.fault(value) is not None, (document, schema.grammar, value)
    assert all(str(place).startswith("#") for place in _references(schema.grammar))


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"oneOf": [{}, {"multipleOf": 1001}]}, [1, "a", 1001]),
        ({"oneOf": [{"type": "array"}, {"type": "array", "uniqueItems": True}]}, [[1, 1]]),
        ({"oneOf": [{"$ref": "#/$defs/a"}, {"type": "string"}], "$defs": {"a": {"not": {"type": "string"}}}}, ["a", 1]),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "oneOf": [{}, {"not": {"minimum": 3}}]}, [3, None]),
        ({"oneOf": [{"oneOf": [{}, {"not": {"type": "null"}}]}, {"type": "integer"}]}, [None, 1]),
    ],
)
def test_alternatives_that_exclude_each_other_are_loosened_where_one_is_wider(schema, values):
    """A branch that the grammar widens may take in a value of another, which oneOf would then refuse."""
    given = Schema(schema)
    written = Schema(given.grammar)
    assert any(widening.keyword == "oneOf" for widening in given.widenings)
    assert "oneOf" not in json.dumps(given.grammar)
    for value in values:
        assert given.fault(value) is not None or written.fault(value) is None, value


def test_alternatives_that_the_grammar_enforces_stay():
    schema = Schema({"oneOf": [{"type": "integer"}, {"type": "string"}], "uniqueItems": True})
    assert schema.grammar["oneOf"] == [{"type": "integer"}, {"type": "string"}]


def _whole_floats(value: Any) -> bool:
    """Whether 1.0 stands in a value: to draft 4 it is no integer, to the others it is; engines write 1."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, float) and value.is_integer()) or any(map(_whole_floats, children))


def _references(node: Any) -> list[Any]:
    """Every reference of a grammar."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own = [node["$ref"]] if isinstance(node, dict) and isinstance(node.get("$ref"), str) else []
    return own + [reference for child in children for reference in _references(child)]


KEYWORDS = st.sampled_from(
    ["$ref", "$id", "id", "$anchor", "$schema", "$defs", "definitions", "type", "enum", "const", "properties", "items",
     "allOf", "required", "pattern", "multipleOf", "minimum", "$dynamicRef", "$recursiveRef", "dependencies", "format",
     "maxLength", "if"],
)  # fmt: skip
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["#", "#/properties", "http://a/b", "urn:x", "//", "#/%", "http://[", "\ud800", 10**400])
    | st.just("string"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(ODD)
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_place_of_a_schema_is_taken_or_an_input_error(document):
    try:
        schema = Schema(document)
    except InputError:
        return
    json.dumps(schema.grammar, allow_nan=False)
    schema.signature()
    schema.fault({"a": [1]})


ASSERTIONS = st.sampled_from(
    ["type", "enum", "required", "properties", "items", "minLength", "maxItems", "multipleOf", "minimum", "allOf",
     "exclusiveMaximum", "minProperties", "uniqueItems", "patternProperties", "dependencies", "not", "contains"],
)  # fmt: skip


@pytest.mark.parametrize("draft", list(URIS))
@given(part=st.dictionaries(ASSERTIONS, VALUES | st.lists(NAMES, unique=True) | st.just("string"), max_size=3))
@settings(max_examples=60, deadline=None)
def test_a_definition_means_the_same_wherever_it_stands(draft, part):
    """Taken or refused, and with the same grammar, also where no meta-schema looks."""
    schemas = [_taken(draft, place, part) for place in ("definitions", "$defs", "foo", "default")]
    assert all(schema is None for schema in schemas) or len({json.dumps(schema) for schema in schemas}) == 1


def _taken(draft: int, place: str, part: Any) -> Any:
    """The grammar of a schema that refers to a part at a place; None where it is refused."""
    try:
        return Schema({"$schema": URIS[draft], "$ref": f"#/{place}/a", place: {"a": part}}).grammar
    except InputError:
        return None


@pytest.mark.parametrize(
    ("document", "grammar", "widened"),
    [
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, {"type": "integer", "exclusiveMinimum": 3}, []),
        ({"minimum": 3, "exclusiveMinimum": False}, {"minimum": 3}, []),
        ({"items": [{}, {"type": "null"}]}, {"prefixItems": [{}, {"type": "null"}]}, []),
        ({"$schema": URIS[7], "definitions": {"a": {"const": 1}},
          "properties": {"b": {"$ref": "#/definitions/a", "const": 2}}},
         {"properties": {"b": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"const": 1}}}, []),
        ({"unevaluatedProperties": False, "properties": {"a": {}}},
         {"properties": {"a": {}}, "additionalProperties": False}, []),
        ({"unevaluatedProperties": False, "allOf": [{}]}, {"allOf": [{}]}, ["/: unevaluatedProperties"]),
        ({"contains": {"const": 1}}, {"minItems": 1}, ["/: contains"]),
        ({"contains": {"const": 1}, "minContains": 0}, {}, []),
        ({"if": {"const": 1}}, {}, []),
        ({"items": {"if": {"const": 1}, "then": False}}, {"items": {}}, ["/items: if"]),
        ({"dependentRequired": {"a": ["b"]}, "uniqueItems": True, "propertyNames": {"maxLength": 1}}, {},
         ["/: dependentRequired", "/: propertyNames", "/: uniqueItems"]),
        ({"properties": {"a": {}}, "minProperties": 1}, {"properties": {"a": {}}}, ["/: minProperties"]),
        ({"properties": {"a": {}}, "required": ["a"], "maxProperties": 2},
         {"properties": {"a": {}}, "required": ["a"], "maxProperties": 2}, []),
        ({"enum": [1, 2**53 + 1]}, {"enum": [1]}, ["/: enum"]),
        ({"maximum": 2**64, "minimum": 0}, {"minimum": 0}, ["/: maximum"]),
        ({"multipleOf": 99_999_999}, {}, ["/: multipleOf"]),
        ({"allOf": [{"multipleOf": 997}, {"multipleOf": 991}]},
         {"allOf": [{}, {"multipleOf": 991}]}, ["/allOf/0: multipleOf"]),
        ({"type": "number", "exclusiveMinimum": 0}, {"type": "number", "exclusiveMinimum": 0}, ["/: exclusiveMinimum"]),
        ({"type": "number", "exclusiveMinimum": 5e-324}, {"type": "number"}, ["/: exclusiveMinimum"]),
        ({"properties": {"a": {"type": "object", "properties": {"b": {"$ref": "#/properties/a"}}, "required": ["b"]}}},
         {"properties": {"a": False}}, []),
        ({"$id": "http://x/y.json", "$ref": "z.json", "$defs": {"z": {"$id": "z.json", "type": "null"}}},
         {"$ref": "#/$defs/z", "$defs": {"z": {"type": "null"}}}, []),
        ({"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "null"}}},
         {"$ref": "#/$defs/a_b", "$defs": {"a_b": {"type": "null"}}}, []),
    ],
)  # fmt: skip
def test_the_grammar_of(document, grammar, widened):
    schema = Schema(document)
    assert schema.grammar == grammar
    assert sorted(str(widening).split(" (")[0] for widening in schema.widenings) == sorted(widened)
