"""Whatever is written is read back: over any values, over random schemas with answers of theirs, and over cases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proseform import task as tasks
from proseform import verbal
from proseform.schema import Schema
from proseform.strict import same
from proseform.verbal import Labels

NAMES = st.sampled_from(
    ["score", "due_at", "dueAt", "Due at", "yes", "7", "rows", "a.b", 'say "x"', "", "näme", "x y 1", "none", "a\nb"]
)
HOSTILE = (
    "met", "no", "none", "yes", "below par", "1", "a. B: c.", ", ", '"', "\\", "\n", "\r\n", "\u2028", "\x85", "\t",
    "Score: 50.", "Rows 1. Is in: yes.", "[]", "{}", "]", "é", "e\u0301", "\u202e", "👩‍👩‍👧", "<|im_end|>", "\x00", " ",
    "a" * 3000,
)  # fmt: skip
"""Separators of the form itself, line ends of every system, and characters of every kind."""
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(HOSTILE), st.lists(st.sampled_from(HOSTILE)).map("".join))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=15,
)
LABELS = Labels.of(
    Schema(
        {
            "properties": {
                "score": {"type": "integer", "title": "Score in points"},
                "due_at": {"enum": ["met", "below par", "no", "1"]},
                "rows": {"items": {"properties": {"näme": {"type": "string", "x-from": "letter"}, "yes": {}}}},
            }
        }
    )
)


@st.composite
def leaf(draw: st.DrawFn) -> tuple[dict[str, Any], Any]:
    """A subschema of a simple value, and a value of it."""
    kind = draw(st.sampled_from(["text", "quote", "choice", "number", "truth", "nothing"]))
    match kind:
        case "choice":
            choices = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
            return {"enum": choices}, draw(st.sampled_from(choices))
        case "number":
            return {"type": "number"}, draw(NUMBERS)
        case "truth":
            return {"type": "boolean"}, draw(st.booleans())
        case "nothing":
            return {"type": ["string", "null"]}, None
        case _:
            return {"type": "string", **({"x-from": "letter"} if kind == "quote" else {})}, draw(TEXTS)


@st.composite
def described(draw: st.DrawFn, depth: int = 3) -> tuple[dict[str, Any], Any]:
    """A random schema, and an answer that conforms to it."""
    if not depth or draw(st.booleans()):
        return draw(leaf())
    if draw(st.booleans()):
        node, value = draw(described(depth - 1))
        return {"type": "array", "items": node}, [value] * draw(st.integers(0, 3))
    return draw(objects(depth - 1))


@st.composite
def objects(draw: st.DrawFn, depth: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    """A random schema of an object, some of whose fields are absent, with titles now and then."""
    properties, answer = {}, {}
    for name in draw(st.lists(NAMES, max_size=5, unique=True)):
        node, value = draw(described(depth))
        title = draw(st.sampled_from([None, None, "Due", "Rows", "a b", "!"]))
        properties[name] = {**node, **({"title": title} if title else {})}
        if draw(st.integers(0, 3)):
            answer[name] = value
    keys = draw(st.permutations(list(answer)))
    return {"type": "object", "properties": properties}, {key: answer[key] for key in keys}


@settings(max_examples=300, deadline=None)
@given(value=VALUES)
def test_any_value_is_read_back_from_its_prose(value: Any) -> None:
    """Also one that the schema does not describe, and another value never has the same prose."""
    text = verbal.write(value, LABELS)
    verdict = verbal.read(text, LABELS)
    assert verdict.ok, (str(verdict), text)
    assert same(verdict.value, value), text


@settings(max_examples=300, deadline=None)
@given(pair=objects())
def test_an_answer_is_read_back_over_random_schemas(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    schema, answer = Schema(pair[0]), pair[1]
    assert schema.fault(answer) is None
    labels = Labels.of(schema)
    text = verbal.write(answer, labels)
    assert same(verbal.read(text, labels).value, answer), text


@settings(max_examples=300, deadline=None)
@given(data=st.data(), value=VALUES)
def test_a_changed_text_is_refused_or_states_what_it_is_the_prose_of(data: st.DataObject, value: Any) -> None:
    """One or two characters are put in, taken out or replaced: the reader never takes a text for another answer."""
    text = verbal.write(value, LABELS)
    for _ in range(data.draw(st.integers(1, 2))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 2)))
        put = data.draw(st.one_of(st.just(""), st.sampled_from(list(' .,:"\\[]{}\n1-aN')), st.characters()))
        text = text[:start] + put + text[end:]
    verdict = verbal.read(text, LABELS)
    verbal.scan(text, LABELS)
    if verdict.ok:
        assert verbal.write(verdict.value, LABELS) == text.strip()


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from('abS:.,"[]{} \n-10yesno\\'), max_size=60))
def test_any_text_gets_a_verdict(text: str) -> None:
    verdict = verbal.read(text, LABELS)
    if verdict.ok:
        assert verbal.write(verdict.value, LABELS) == text.strip()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no text"),
        ('Due at: "met".', "a choice of the schema stands without quotes"),
        ("Due at: unheard.", "other words stand in quotes"),
        ("Score in points: 050.", "a number with a leading zero"),
        ("Score in points: 50.0 .", "a blank before the full stop"),
        ("Score in points: 50", "no full stop"),
        ("Score in points: 50. Due at: met.", "leaves of the root have a line each"),
        ("Score in points: 1.\nScore in points: 1.", "it is stated twice"),
        ("Score in points: 1.\nDue at: met.\nI hope this helps!", "talk behind it"),
        ("Rows 2. Yes: no.", "the first is left out"),
        ("Rows 1. Yes: no.\nRows: [].", "a value that has parts too"),
        ("Points: 50.", "no field of that name"),
        ("Rows " + "9" * 5000 + ". Yes: no.", "a number that no array reaches"),
        ("Due at, " * 200 + "Due at. Yes: no.", "parts of parts without end"),
        ('Due at: "\ud800".', "half of a character"),
        ('Due at: "' + "a" * 60_000 + '".', "more than is read"),
        ("Score in points: " + "9" * 5000 + ".", "more digits than Python reads"),
    ],
)
def test_what_was_never_written_so_is_refused(text: str, why: str) -> None:
    verdict = verbal.read(text, LABELS)
    assert not verdict.ok, why


def test_the_shipped_tasks_answers_are_read_back() -> None:
    cv = tasks.load("cv")
    labels = Labels.of(cv.schema)
    for level in cv.levels:
        for case in cv.generate(level, "train", 9, 5):
            text = verbal.write(case.answer, labels)
            assert verbal.read(text, labels).value == json.loads(json.dumps(case.answer)), text
