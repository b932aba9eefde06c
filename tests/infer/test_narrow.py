"""Narrower schemas: what conforms to them conforms to the whole, and there is as much of it as before."""

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from proseform import testing
from proseform.errors import InputError
from proseform.infer.grammars.constrain import Constraints
from proseform.infer.narrow import RUNGS, longest, narrow
from proseform.schema import Schema
from tests.infer.schemas import HARD, closed

LEAST_TEXT, LEAST_ITEMS = RUNGS[-1]
WIDE = closed(
    verdict={"enum": ["reject", "interview"]},
    score={"type": "number", "minimum": 0, "maximum": 100},
    texts={"type": "array", "items": {"type": "string", "maxLength": 400}, "minItems": 1, "maxItems": 20},
    extra={"anyOf": [{"type": "string", "minLength": 3}, {"type": "null"}]},
)


def valid(value: Any, document: dict[str, Any]) -> bool:
    return Schema(document).fault(value) is None


Pair = tuple[dict[str, Any], Any]
"""A schema with a document of it, put together side by side."""


def pairs(depth: int = 3) -> st.SearchStrategy[Pair]:
    """Schemas of the kinds that people write."""
    deeper = [arrays, tuples, maps, objects, choices, singles, conjunctions, negations]
    return st.one_of(texts(), st.sampled_from(LEAVES), *([kind(depth) for kind in deeper] if depth else ()))


LEAVES: list[Pair] = [
    ({"type": ["string", "null"]}, None),
    ({"type": ["string", "null"]}, "y" * 90),
    *(({"type": "number", "minimum": 0, "maximum": 1}, value) for value in (0, 0.25, 1)),
    ({"enum": ["a", "b" * 90]}, "b" * 90),
    ({"type": "string", "pattern": "^[ab]{70}$"}, "ab" * 35),
    ({"type": "string", "format": "date"}, "2000-01-01"),
]


@st.composite
def texts(draw: DrawFn) -> Pair:
    least = draw(st.sampled_from([0, 0, 3, 100]))
    most = draw(st.sampled_from([{}, {"maxLength": 30 + least}, {"maxLength": 2000}]))
    return {"type": "string", "minLength": least, **most}, "x" * draw(st.integers(least, least + 30))


@st.composite
def arrays(draw: DrawFn, depth: int) -> Pair:
    inner, witness = draw(pairs(depth - 1))
    least = draw(st.sampled_from([0, 1, 12]))
    bounds = draw(st.sampled_from([{}, {"maxItems": least + 20}]))
    value = [witness] * (least + draw(st.integers(0, 9)))
    return {"type": "array", "items": inner, "minItems": least, **bounds}, value


@st.composite
def tuples(draw: DrawFn, depth: int) -> Pair:
    (one, first), (two, second) = draw(pairs(depth - 1)), draw(pairs(depth - 1))
    return {"type": "array", "prefixItems": [one, two], "items": False, "minItems": 2}, [first, second]


@st.composite
def maps(draw: DrawFn, depth: int) -> Pair:
    inner, witness = draw(pairs(depth - 1))
    return {"type": "object", "additionalProperties": inner, "minProperties": 1}, {"k": witness}


@st.composite
def choices(draw: DrawFn, depth: int) -> Pair:
    (one, first), (two, second) = draw(pairs(depth - 1)), draw(pairs(depth - 1))
    return {"anyOf": [one, two]}, draw(st.sampled_from([first, second]))


@st.composite
def singles(draw: DrawFn, depth: int) -> Pair:
    inner, witness = draw(objects(depth))
    return {"oneOf": [inner, {"type": "string"}]}, witness


@st.composite
def conjunctions(draw: DrawFn, depth: int) -> Pair:
    inner, witness = draw(objects(depth))
    assume("z" in witness)
    return {"allOf": [inner, {"properties": {"z": {"minLength": 80}}}]}, {**witness, "z": "z" * 90}


@st.composite
def negations(draw: DrawFn, depth: int) -> Pair:
    inner, witness = draw(objects(depth))
    return {**inner, "not": {"properties": {"q": {"type": "string"}}, "required": ["q"]}}, witness


@st.composite
def objects(draw: DrawFn, depth: int) -> Pair:
    """An object with a document of it."""
    members = {name: draw(pairs(depth - 1)) for name in draw(st.sets(st.sampled_from("abc"), max_size=3))}
    schema: dict[str, Any] = {"type": "object", "properties": {name: sub for name, (sub, _) in members.items()}}
    value = {name: witness for name, (_, witness) in members.items()}
    if draw(st.booleans()):
        schema["properties"]["z"], value["z"] = {"type": "string"}, "z" * 90
    schema["required"] = sorted(value if draw(st.booleans()) else {})
    match draw(st.sampled_from(["open", "closed", "required only", "either", "counted", "pattern"])):
        case "closed":
            schema["additionalProperties"] = False
        case "required only":
            schema["required"] = [*schema["required"], "w"]
            value["w"] = 1
        case "either":
            schema["anyOf"] = [{"required": ["v"]}, {"required": ["u"]}]
            value["v"] = "v"
        case "counted":
            schema["minProperties"] = len(value) + 1
            value["extra"] = True
        case "pattern":
            schema["patternProperties"] = {"^p": {"type": "string", "minLength": 70}}
            value["p1"] = "p" * 70
    return schema, value


@st.composite
def whole(draw: DrawFn) -> Pair:
    """A schema of the kind that people write, perhaps with a definition that is used in several places."""
    schema, value = draw(pairs())
    if draw(st.booleans()):
        return schema, value
    place = draw(st.sampled_from(["$defs", "definitions"]))
    reference = {"$ref": f"#/{place}/d"}
    beside = draw(st.sampled_from([reference, {"allOf": [reference]}, {"anyOf": [reference, {"type": "null"}]}]))
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        place: {"d": schema},
        **closed(one=reference, two=beside),
    }
    return schema, {"one": value, "two": value}


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    words = testing.tokenizer(["the parcel weighs 400 g"])
    return Constraints(words, [words.eos_token_id], len(words))


@settings(max_examples=150, deadline=None)
@given(pair=whole(), budget=st.sampled_from([1, 500, 3000, 10**6]))
def test_a_schema_that_has_documents_keeps_some_and_they_are_all_its_own(constraints, pair, budget):
    """Documents of the narrower schema are asked of the grammar engine, which knows nothing of how it was narrowed."""
    schema, witness = pair
    assert valid(witness, schema)
    narrowed = narrow(schema, budget)
    try:
        before = constraints.endings(Schema(schema).grammar)
    except InputError:
        return  # not taken, narrower or not
    if before.find(before.start(), 5000)[0] is None:
        return
    endings = constraints.endings(Schema(narrowed).grammar)
    ending, _ = endings.find(endings.start(), 5000)
    assert ending is not None, narrowed
    value = json.loads(ending)
    assert not valid(value, narrowed) or valid(value, schema)


@settings(max_examples=150, deadline=None)
@given(pair=whole(), budget=st.sampled_from([1, 500, 3000]), data=st.data())
def test_what_conforms_to_the_narrower_conforms_to_the_whole(pair, budget, data):
    """Also documents near the bounds, and with members that stand in neither."""
    schema, witness = pair
    narrowed = narrow(schema, budget)
    changed = data.draw(changes(witness))
    assert not valid(changed, narrowed) or valid(changed, schema)


@settings(max_examples=150, deadline=None)
@given(pair=whole())
def test_content_of_a_sentence_and_a_handful_of_items_is_kept(pair):
    """A document of short texts and lists and of declared members conforms to the narrowest schema as well."""
    schema, witness = pair
    value = short(witness)
    assume(valid(value, schema))
    narrowed = narrow(schema, 1)
    dropped = declared(value)
    assert valid(value, narrowed) or (not valid(dropped, schema) or valid(dropped, narrowed))


def short(value: Any) -> Any:
    """A document with texts of a sentence and lists of a handful."""
    if isinstance(value, str):
        return value[:LEAST_TEXT]
    if isinstance(value, list):
        return [short(item) for item in value[:LEAST_ITEMS]]
    return {name: short(item) for name, item in value.items()} if isinstance(value, dict) else value


def declared(value: Any) -> Any:
    """A document without the members that no strategy declares."""
    if isinstance(value, list):
        return [declared(item) for item in value]
    if isinstance(value, dict):
        return {name: declared(item) for name, item in value.items() if name in {*"abcz", "one", "two"}}
    return value


@st.composite
def changes(draw: DrawFn, value: Any) -> Any:
    """A document that is a little different somewhere."""
    value = copy.deepcopy(value)
    if isinstance(value, str):
        return draw(st.sampled_from([value, value[:63], value * 2, "", "x" * 65, 5]))
    if isinstance(value, list) and value:
        return draw(st.sampled_from([value, value[:8], value * 3, [draw(changes(value[0])), *value[1:]]]))
    if isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)))
        other = {**value, name: draw(changes(value[name]))}
        without = {key: item for key, item in value.items() if key != name}
        return draw(st.sampled_from([value, other, without, {**other, "unknown": "x" * 70}, {**value, "q": "q"}]))
    return value


@pytest.mark.parametrize("name", HARD)
def test_hard_schemas_keep_their_documents(constraints, name):
    narrowed = narrow(HARD[name], 1)
    endings = constraints.endings(narrowed)
    ending, _ = endings.find(endings.start(), 2000)
    assert ending is not None
    assert valid(json.loads(ending), HARD[name])


def test_a_date_beside_texts_cuts_none_of_them_to_a_character():
    narrowed = narrow(HARD["a date among long texts"], 1)
    assert narrowed["properties"]["date"] == {"type": "string", "format": "date"}
    assert narrowed["properties"]["a"]["maxLength"] == LEAST_TEXT
    assert narrowed["properties"]["tags"] == {
        "type": "array", "items": {"type": "string", "maxLength": 40}, "maxItems": LEAST_ITEMS,
    }  # fmt: skip


def test_numbers_and_enums_stay_the_models_choice():
    narrowed = narrow(WIDE, 10)
    assert narrowed["properties"]["verdict"] == WIDE["properties"]["verdict"]
    assert narrowed["properties"]["score"] == WIDE["properties"]["score"]


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"type": "string"}, {"minLength": 600}]},
        {"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 100}]},
        {"type": "string", "not": {"maxLength": 70}},
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        {"type": "array", "contains": {"type": "string", "minLength": 90}, "items": {"type": "string"}},
        {"type": "object", "properties": {"p": {"type": "string"}}, "patternProperties": {"p": {"minLength": 90}}},
        {
            "type": "object",
            "properties": {"p": {"type": "string"}},
            "anyOf": [{"required": ["q"]}, {"required": ["r"]}],
        },
        {"$ref": "https://example.com/other", "$defs": {"a": {"type": "string"}}},
        {"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a", "minLength": 90},
        {"$defs": {"a": {"type": "string"}}, "not": {"$ref": "#/$defs/a"}, "anyOf": [{"$ref": "#/$defs/a"}, {}]},
        {"properties": {"a": {"type": "string", "enum": ["x" * 99]}, "b": {"const": ["x"] * 99}}},
    ],
    ids="+".join,
)
def test_where_several_subschemas_decide_nothing_is_touched(schema):
    assert narrow(schema, 1) == schema


def test_what_is_referred_to_is_narrowed_once_for_all_whatever_the_place_is_called():
    for place in ("$defs", "definitions"):
        reference = {"$ref": f"#/{place}/text"}
        schema = {place: {"text": {"type": "string"}}, **closed(a=reference, b={"type": "array", "items": reference})}
        assert narrow(schema, 1)[place]["text"]["maxLength"] == LEAST_TEXT


def test_objects_are_closed_only_where_nothing_needs_more():
    fields = {"a": {"type": "string"}}
    assert narrow({"type": "object", "properties": fields}, 1)["additionalProperties"] is False
    assert "additionalProperties" not in narrow({"type": "object", "properties": fields, "required": ["b"]}, 1)
    assert "additionalProperties" not in narrow({"type": "object", "properties": fields, "minProperties": 2}, 1)
    assert "additionalProperties" not in narrow({"type": "object"}, 1)


def test_a_generous_budget_keeps_more_than_a_tight_one():
    assert longest(narrow(WIDE, 50_000)) > longest(narrow(WIDE, 1000))
    assert longest(narrow(WIDE, 20_000)) <= 20_000


def test_lower_bounds_are_never_crossed():
    assert narrow({"type": "string", "minLength": 130, "maxLength": 900}, 1)["maxLength"] == 130
    assert narrow({"type": "array", "items": {"type": "null"}, "minItems": 30}, 1)["maxItems"] == 30


def test_what_goes_round_in_circles_has_no_bound():
    tree = {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}, "maxItems": 2}}}
    assert longest(tree) == math.inf


def test_definitions_that_refer_to_one_another_do_not_explode():
    """A small schema that unfolds to 20^12 fields is measured in no time."""
    layers = {}
    for depth in range(12):
        fields = {f"f{number}": {"$ref": f"#/$defs/d{depth + 1}"} for number in range(20)}
        layers[f"d{depth}"] = {"type": "object", "properties": fields, "additionalProperties": False}
    document = {"$ref": "#/$defs/d0", "$defs": {**layers, "d12": {"type": "boolean"}}}
    assert longest(narrow(document, 1)) > 20**12
