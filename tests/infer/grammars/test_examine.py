"""Grammars are compiled within limits; what engines refuse is widened with its place, or refused in words."""

import time

import pytest

from proseform.errors import InputError, Refusal
from proseform.infer.grammars.examine import Examiner, checked, examined
from proseform.schema import Schema

TEXT = {"type": "string"}

WIDENED = [
    ({"oneOf": [TEXT, {"type": ["string", "null"]}]}, ["/: oneOf"], {"anyOf": [TEXT, {"type": ["string", "null"]}]}),
    (
        {"type": "object", "properties": {"a": TEXT}, "anyOf": [{}], "oneOf": [{"required": ["a"]}, {}]},
        ["/: oneOf"],
        {"type": "object", "properties": {"a": TEXT}, "allOf": [{"anyOf": [{}]}], "anyOf": [{"required": ["a"]}, {}]},
    ),
    ({"items": {**TEXT, "pattern": "(?=a)b"}}, ["/items: pattern"], {"items": TEXT}),
    ({"items": {**TEXT, "pattern": r"\bfoo"}}, ["/items: pattern"], {"items": TEXT}),
    (
        {"definitions": {"a/b": {**TEXT, "pattern": "(?!a)b"}}, "$ref": "#/definitions/a~1b"},
        ["/definitions/a~1b: pattern"],
        {"$ref": "#/$defs/a_1b", "$defs": {"a_1b": TEXT}},
    ),
    (
        {"patternProperties": {"a": TEXT, "b": {"const": 1}}, "additionalProperties": False},
        ["/: patternProperties"],
        {"additionalProperties": {"anyOf": [TEXT, {"const": 1}]}},
    ),
    (
        {"patternProperties": {"a": TEXT, "b": {"const": 1}}, "additionalProperties": {"const": 2}},
        ["/: patternProperties"],
        {},
    ),
    ({"type": "number", "minimum": 1e-14, "maximum": 9e13}, None, None),
]


@pytest.mark.parametrize(("document", "places", "grammar"), WIDENED)
def test_what_only_the_compiler_tells_is_widened_with_its_place_in_the_schema(document, places, grammar):
    schema = examined(Schema(document))
    if places is not None:
        assert [str(widening).split(" (")[0] for widening in schema.widenings] == places
        assert schema.grammar == grammar


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"type": "string", "minLength": 5, "maxLength": 3}, "schema: /: no document can conform to it: minLength"),
        ({"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]}, "no document"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "no document"),
    ],
)
def test_what_no_document_conforms_to_is_refused_in_these_words(document, words):
    with pytest.raises(InputError) as caught:
        examined(Schema(document))
    assert words in str(caught.value)


def test_what_takes_too_long_to_compile_is_compiled_without_what_it_says_about_characters():
    patterns = [{"pattern": f".*{chr(97 + n)}.*{chr(98 + n)}"} for n in range(20)]
    examiner = Examiner(seconds=1.0)
    schema = examiner.schema(Schema({"type": "string", "allOf": patterns}))
    assert {widening.reason for widening in schema.widenings} == {"compiling it takes too long"}
    assert schema.fault("abcdefghijklmnopqrstuvwxyz") is None
    assert schema.fault("abc") is not None
    examiner.close()


def test_what_takes_too_much_even_so_is_refused_with_the_limit():
    examiner = Examiner(seconds=1.0)
    many = {"type": "object", "properties": {f"p{n}": TEXT for n in range(15_000)}}
    with pytest.raises(InputError, match="takes more than"):
        examiner.schema(Schema(many))
    examiner.close()


def test_the_deadline_covers_the_compilation():
    with pytest.raises(Refusal) as caught:
        Examiner().schema(Schema({"type": "string", "maxLength": 77}), deadline=time.monotonic())
    assert caught.value.reason == "deadline"


def test_what_was_examined_is_kept_by_bytes():
    examiner = Examiner(cache=6_000)
    grammars = [{"enum": [f"{n}" * 500]} for n in range(9)]
    first = [examiner.grammar(grammar) for grammar in grammars]
    assert examiner.grammar(grammars[-1]) is first[-1]
    assert examiner.grammar(grammars[0]) is not first[0]
    examiner.close()


def test_a_grammar_that_compiles_stays_as_it_is():
    document = {
        "type": "object",
        "properties": {"a": {"const": "a\x01"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert checked(document).grammar == document
    assert not checked(document).widenings
