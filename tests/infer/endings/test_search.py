"""Endings are looked for at any place of any document; what is found ends it by the grammar and by the schema."""

import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher

from proseform import bytewise, testing, verify
from proseform.errors import InputError
from proseform.infer.endings import samples
from proseform.infer.endings.search import STEPS, Endings, Place
from proseform.infer.grammars.constrain import Constraints
from proseform.schema import Schema
from tests.infer.schemas import HARD

SOME_ROOM = 600


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    words = testing.tokenizer(["the parcel weighs 400 g", '{"verdict": "send"}'])
    return Constraints(words, [words.eos_token_id], len(words))


def valid(text: bytes, schema: dict) -> bool:
    return Schema(schema).fault(json.loads(text)) is None


def wander(endings: Endings, rng: random.Random, steps: int) -> tuple[bytes, Place]:
    """A place that is reached by choosing among the allowed bytes at random."""
    place, text = endings.start(), b""
    for _ in range(steps):
        allowed = int.from_bytes(place.matcher.compute_bitmask()[:32], "little")
        choices = [byte for byte in range(256) if allowed >> byte & 1]
        if not choices:
            break
        byte = bytes([rng.choice(choices)])
        place, text = endings.walk(place, byte), text + byte
        assert place is not None
    return text, place


@pytest.mark.parametrize("name", HARD)
def test_a_short_document_is_found_from_the_beginning(constraints, name):
    endings = constraints.endings(HARD[name])
    ending, steps = endings.find(endings.start(), SOME_ROOM)
    assert ending is not None
    assert valid(ending, HARD[name])
    assert steps < 1000


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(HARD)), seed=st.integers(0, 10**6), steps=st.integers(0, 120))
def test_an_ending_is_found_wherever_a_document_has_come_to(constraints, name, seed, steps):
    endings = constraints.endings(HARD[name])
    text, place = wander(endings, random.Random(seed), steps)
    ending, _ = endings.find(place, SOME_ROOM)
    assert ending is not None, text
    assert endings.ends(place, ending)
    verdict = verify.answer((text + ending).decode(errors="replace"), Schema(HARD[name]))
    assert verdict.ok or _by_chance(str(verdict.reason), verdict.detail, text), verdict


def _by_chance(reason: str, detail: str, text: bytes) -> bool:
    """Whether what chance wrote before the ending is at fault.

    Grammars allow a key twice, a number without end, February 29 in every year, and the leap second 60, which is only
    one on some days.
    """
    loose = ("too large a number" in detail and b"E" in text.upper()) or 'is not a "date-time"' in detail
    leaps = 'is not a "date"' in detail and re.search(rb"-02-29(\"|\Z)", text) is not None
    return reason == "duplicate_key" or loose or leaps


def test_an_ending_is_no_longer_than_the_limit(constraints):
    endings = constraints.endings(HARD["a long string"])
    assert endings.find(endings.start(), 72)[0] == b'"' + b"." * 70 + b'"'
    assert endings.find(endings.start(), 71)[0] is None


def test_optional_fields_are_left_out_and_lists_left_empty(constraints):
    schema = {
        "type": "object",
        "properties": {
            "early": {"type": "string"},
            "list": {"type": "array", "items": {"type": "string"}},
            "late": {"type": "object", "properties": {"deep": {"type": "boolean"}}},
        },
        "required": ["list"],
        "additionalProperties": False,
    }
    endings = constraints.endings(schema)
    assert endings.find(endings.start(), SOME_ROOM)[0] == b'{"list": []}'


def test_a_key_is_not_written_twice(constraints):
    endings = constraints.endings({"type": "object", "minProperties": 4, "additionalProperties": {"type": "null"}})
    ending = endings.find(endings.start(), SOME_ROOM)[0]
    assert ending is not None
    assert len(json.loads(ending)) == 4


def test_equal_places_have_equal_endings(constraints):
    schema = HARD["formats"]
    found = {
        Endings(schema, constraints.endings(schema).start().matcher).find(constraints.endings(schema).start(), 600)
    }
    found.add(constraints.endings(schema).find(constraints.endings(schema).start(), 600))
    assert len(found) == 1


def test_no_steps_find_nothing(constraints):
    endings = constraints.endings(HARD["formats"])
    assert endings.find(endings.start(), SOME_ROOM, steps=2) == (None, 2)


def test_a_grammar_without_documents_has_no_ending():
    schema = {"$ref": "#"}
    matcher = LLMatcher(bytewise.tokenizer(), LLMatcher.grammar_from_json_schema(schema), log_level=0)
    endings = Endings(schema, matcher)
    assert endings.find(endings.start(), SOME_ROOM)[0] is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 10**9},
        {"type": "array", "items": {"type": "string"}, "minItems": 10**6},
        {"type": "string", "pattern": "^((a{99}){99}){9}$"},
        {"type": "object", "minProperties": 500},
    ],
    ids=["length", "items", "pattern", "members"],
)
def test_documents_that_no_budget_holds_are_given_up_within_the_steps(constraints, schema):
    """Also without the memory that they would take."""
    try:
        endings = constraints.endings(schema)
    except InputError:
        return  # the grammar engine does not take it
    ending, steps = endings.find(endings.start(), 3000)
    assert steps <= STEPS
    assert ending is None or verify.answer(ending.decode(), Schema(schema)).ok


@pytest.mark.parametrize("pattern", ["a{2001}", "((a{99}){99}){99}", "(?P<x>", "\\p{L}+", "(" * 500])
def test_a_pattern_that_is_too_long_or_not_read_has_no_sample(pattern):
    assert samples.of_pattern(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{2}-[0-9]{3}(x|yz)+$",
        "\\d{4}-\\d\\d?",
        "^(foo|ba[rz])\\.(?:a|b){2}$",
        "[^a0]{3}",
        "(ab)\\1",
        "^\\w+@\\w+\\.com$",
    ],
)
def test_a_sample_matches_its_pattern(pattern):
    sample = samples.of_pattern(pattern)
    assert sample is not None
    assert re.search(pattern, sample)
