"""Schemas: refused early, bounded or told where not, projected, and written in one line."""

import contextlib
import itertools
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import digest
from proseform.errors import InputError
from proseform.schema import URIS, Schema

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
    (None, "an object", "nothing"),
    (5, "an object", "a number"),
    ({"type": "text"}, "at /type", "no such type"),
    ({"maxLength": -1}, "at /maxLength", "a negative length"),
    ({"pattern": "("}, "at /pattern", "no regular expression"),
    ({"pattern": "(a{1,1000}){1,1000}"}, "at /pattern", "a regular expression too large to compile"),
    ({"properties": {"a": 3}}, "at /properties/a", "a number in place of a schema"),
    ({"$schema": 5}, "/$schema is 5", "a draft that is a number"),
    ({"$schema": None}, "/$schema is null", "a draft that is null"),
    ({"$schema": "http://json-schema.org/draft-03/schema#"}, "draft-03", "a draft that is too old"),
    (
        {"$schema": "http://json-schema.org/draft-07/schema#", "exclusiveMinimum": True},
        "draft-07",
        "another draft's flag",
    ),
    ({"enum": [float("nan")]}, "/enum/0 is nan", "no number"),
    ({"default": float("inf")}, "/default is inf", "no number, even where it says nothing"),
    ({"maximum": 10**400}, "/maximum is a number of more than", "a number that no double holds"),
    ({"const": "\ud800"}, "/const holds a lone surrogate", "text that is none"),
    ({"properties": {"\udfff": {}}}, "/properties holds a lone surrogate", "a name that is no text"),
    ({"default": {1: 2}}, "/default has the key 1", "a key that is no text"),
    ({"default": b"a"}, "/default is bytes", "no JSON"),
    ({"const": 2**53 + 1}, "holds an integer that no double holds", "a constant that engines cannot write"),
    (
        {"$ref": "http://nowhere.invalid/x"},
        "lies outside of the schema",
        "a remote reference, which must not be fetched",
    ),
    ({"$ref": "#/$defs/none"}, "'#/$defs/none', which does not exist", "a reference to nothing"),
    ({"$ref": "#none"}, "'#none', which does not exist", "a reference to no anchor"),
    ({"$ref": "#/required", "required": ["a"]}, "list, not a schema", "a reference to what is no schema"),
    ({"items": {"$ref": "other.json"}}, "/items refers to 'other.json', which lies outside", "a reference to a file"),
    ({"$ref": "#"}, "refers to itself before it says anything", "a circle"),
    ({"anyOf": [{"$ref": "#/anyOf/0"}]}, "/anyOf/0 refers to itself", "a smaller circle"),
    ({"properties": {"a": {"$ref": "#"}}, "required": ["a"], "type": "object"}, "no document", "what requires itself"),
    ({"not": {"$id": "http://[x"}, "$id": "http://a/b"}, "no URI", "an identifier that is no URI"),
]


UNSEEN = [
    ({"minLength": "x"}, "/minLength", "a length that is text"),
    ({"multipleOf": "a"}, "/multipleOf", "a divisor that is text"),
    ({"multipleOf": 0}, "/multipleOf", "a divisor that divides nothing"),
    ({"minimum": "q"}, "/minimum", "a bound that is text"),
    ({"properties": {"a": {}}, "required": 5}, "/required", "a number in place of names"),
    ({"enum": 5}, "/enum", "a number in place of constants"),
    ({"type": 5}, "/type", "a number in place of a type"),
    ({"properties": 5}, "/properties", "a number in place of properties"),
    ({"properties": {"a/b": {"minItems": None}}}, "/properties/a~1b/minItems", "a fault further down"),
    ({"allOf": [5]}, "/allOf/0", "a number in place of a schema"),
    ({"items": {"$ref": "#/bar/0"}}, "/bar/0/maxItems", "a reference to a further place of that kind"),
]
"""What breaks the rules where no meta-schema looks, and the place that is named."""


@pytest.mark.parametrize(("part", "place", "why"), UNSEEN, ids=[why for _, _, why in UNSEEN])
@pytest.mark.parametrize("head", [{}, {"$schema": URIS[4]}, {"$schema": URIS[7]}], ids=["newest", "4", "7"])
@pytest.mark.parametrize("name", ["foo", "default", "$defs"])
def test_what_a_reference_leads_to_is_held_to_the_draft_wherever_it_stands(head, name, part, place, why):
    """Meta-schemas look at subschemas and definitions only; before draft 2019-09 ``$defs`` is none of them."""
    document = {**head, "$ref": f"#/{name}/a", name: {"a": part}, "bar": [{"maxItems": "x"}]}
    with pytest.raises(InputError, match="here: is no JSON schema of ") as caught:
        Schema(document, "here")
    assert f"at {place}" in str(caught.value) or f"at /{name}/a{place}" in str(caught.value)


def test_what_nothing_refers_to_may_break_the_rules_of_a_draft_that_does_not_look_at_it():
    odd = Schema({"$schema": URIS[7], "type": "boolean", "$defs": {"a": {"type": 5}, "b": {"type": [{}]}}})
    assert odd.fault(True) is None
    assert odd.unbounded() == ["/$defs/a: no type"]


@pytest.mark.parametrize(("document", "words", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_what_is_no_usable_schema_is_refused_with_its_place(document, words, why):
    with pytest.raises(InputError, match="here: ") as caught:
        Schema(document, "here")
    assert words in str(caught.value)


def _chain(links: int, keyword: str = "allOf") -> dict:
    """A chain whose links refer to the next twice."""
    both = [{keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(links)]
    return {
        "$ref": "#/$defs/d0",
        "$defs": {**{f"d{n}": link for n, link in enumerate(both)}, f"d{links}": {"type": "integer"}},
    }


def _nested(levels: int) -> dict:
    """Arrays in arrays."""
    document: dict = {"type": "integer"}
    for _ in range(levels):
        document = {"type": "array", "items": document}
    return document


def _dynamic(count: int) -> dict:
    """As many dynamic references as anchors that each may lead to."""
    references = {f"b{n}": {"$dynamicRef": "#x"} for n in range(count)}
    return {"properties": {**references, **{f"a{n}": {"$dynamicAnchor": "x"} for n in range(count)}}}


class _Endless(list):
    """A list that tells a length above the limit and has no end."""

    def __len__(self) -> int:
        return 200_000

    def __iter__(self):
        return itertools.repeat(0)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (_chain(27), "is too intertwined"),
        (_chain(20, "anyOf"), "is too intertwined"),
        (_chain(2000, "oneOf"), "is too intertwined"),
        (_nested(250), "nested deeper than 100 levels"),
        (_nested(20_000), "nested deeper than 100 levels"),
        ({"default": [0] * 100_000}, "larger than"),
        ({"description": "x" * (1 << 20)}, "larger than"),
        ({"properties": {str(n): True for n in range(60_000)}}, "more than 50000 subschemas"),
        ({"properties": {"k" * 700_000: {"properties": {str(n): {} for n in range(9_000)}}}}, "pointers to its"),
        ({"k" * 2_000: _Endless([0])}, "larger than"),
        (_dynamic(10_000), "more than 50000 places"),
    ],
    ids=[
        "allOf chain", "anyOf chain", "oneOf chain", "depth 250", "depth 20,000", "values", "bytes", "subschemas",
        "pointers", "values that are not all gone through", "dynamic references",
    ],
)  # fmt: skip
def test_what_would_cost_too_much_is_refused_before_anything_is_done_with_it(document, words):
    with pytest.raises(InputError, match=words):
        Schema(document)


def test_a_long_chain_of_references_is_followed_to_its_end():
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(1000)}
    schema = Schema({"$ref": "#/$defs/d0", "$defs": {**chain, "d1000": {"type": "boolean"}}})
    assert schema.fault(True) is None
    assert schema.fault(1) is not None
    assert schema.grammar == {"$ref": "#/$defs/d1000", "$defs": {"d1000": {"type": "boolean"}}}


def test_what_requires_many_parts_is_judged_once_and_not_for_each_of_them():
    """The parts are known to have a document only one after another, each through the one before."""
    count = 12_000
    chain = {
        f"p{n}": {"type": "array", "minItems": 1, "items": {"$ref": f"#/properties/p{n - 1}"}} for n in range(1, count)
    }
    parts = {"p0": {"type": "null"}, **chain}
    assert Schema({"type": "object", "properties": parts, "required": list(parts)}).fault({}) is not None


def test_many_definitions_of_one_name_are_numbered():
    count = 8_000
    defs = {f"d{n}": {"properties": {"a": {"type": "null"}}} for n in range(count)}
    uses = {f"p{n}": {"$ref": f"#/$defs/d{n}/properties/a"} for n in range(count)}
    names = list(Schema({"properties": uses, "$defs": defs}).grammar["$defs"])
    assert names == ["a", *(f"a_{n}" for n in range(2, count + 1))]


def test_a_chain_of_references_is_followed_once_and_not_from_each_of_its_links():
    count = 12_000
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(count)}
    uses = {f"p{n}": {"$ref": f"#/$defs/d{n}"} for n in range(count)}
    schema = Schema({"properties": uses, "$defs": {**chain, f"d{count}": {"type": "null"}}})
    assert list(schema.grammar["$defs"]) == [f"d{count}"]


def test_a_value_whose_check_would_double_at_each_level_is_a_fault_and_not_a_hang():
    doubling = Schema({"allOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]})
    value: list = []
    for _ in range(60):
        value = [value]
    assert "more than 1000000 steps" in str(doubling.fault(value))
    assert doubling.fault([[[]]]) is None


def test_steps_are_counted_no_further_than_they_may_be():
    """Each of 10,000 parts would be looked at by each of 10,000 patterns."""
    patterns = {f"^{n}$": {"title": "n"} for n in range(10_000)}
    schema = Schema({"patternProperties": patterns, "additionalProperties": {"$ref": "#"}})
    assert "more than 1000000 steps" in str(schema.fault({f"a{n}": {} for n in range(10_000)}))


def test_an_intertwined_schema_judges_without_words():
    """Words for a fault cost a look at every branch, gathered; a verdict does not."""
    schema = Schema(_chain(14, "anyOf"))
    assert schema.fault(3) is None
    assert schema.fault("x") == ("/", "it does not conform; the schema is too intertwined to say where")


def test_a_value_as_deep_as_json_may_be_read_is_judged():
    value: list = []
    for _ in range(900):
        value = [value]
    assert Schema({"items": {"$ref": "#"}, "type": "array"}).fault(value) is None


def test_a_pattern_that_looks_back_too_often_is_a_fault_and_not_a_hang():
    assert Schema({"pattern": "^(?=a)(a|aa)+$(?<!x)"}).fault("a" * 5000 + "b") is not None


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
            {"$defs": {"note": {"$ref": "#/$defs/other"}, "other": {"properties": {"a": {"$ref": "#/$defs/note"}}}}},
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


@pytest.mark.parametrize("links", [150, 2000])
def test_a_chain_of_definitions_that_is_longer_than_the_stack_has_a_signature(links):
    """Also in a thread, as requests are served."""
    chain = {
        f"d{n}": {"type": "object", "properties": {"a": {"type": "array", "items": {"$ref": f"#/$defs/d{n + 1}"}}}}
        for n in range(links)
    }
    document = {"$ref": "#/$defs/d0", "$defs": {**chain, f"d{links}": {"const": 1}}}
    with ThreadPoolExecutor(1) as threads:
        line = threads.submit(lambda: Schema(document).signature()).result()
    assert line == "{a: [" * links + "1" + "]}" * links


def test_a_schema_that_is_widened_further_has_a_signature_of_its_own():
    schema = Schema({"type": "object", "properties": {"a": {"type": "integer"}}})
    assert schema.signature() == "{a: integer}"
    assert schema.widened({"type": "object"}, []).signature() == "{}"
    assert schema.signature() == "{a: integer}"


@pytest.mark.parametrize("keyword", ["$ref", "$schema"])
def test_nothing_is_ever_fetched(keyword):
    """A schema comes from a caller: what it names must not be visited."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        with contextlib.suppress(InputError):
            Schema({keyword: f"http://127.0.0.1:{server.getsockname()[1]}/x"})
        with pytest.raises(TimeoutError):
            server.accept()
