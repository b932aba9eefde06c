"""Cases: one line of JSON each, refused with line and field named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.case import SPLITS, Case, read_cases
from proseform.errors import RowError

ROW = {"id": "a", "level": "easy", "split": "train", "inputs": {"cv": "x"}, "prose": "y", "answer": {"z": 1}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3), max_leaves=5
)


def line(**changes):
    """A row as JSON; a change to ... drops the field."""
    return json.dumps({key: value for key, value in {**ROW, **changes}.items() if value is not ...})


REFUSED = [
    ("not JSON", "not a line of JSON", "prose"),
    ('{"id": "a"', "not a line of JSON", "a line that was cut"),
    ('{"id": ' + "1" * 5000 + "}", "not a line of JSON", "a number that Python does not convert"),
    ("[" * 100_000, "not a line of JSON", "nested deeper than can be read"),
    ("[]", "expected an object, found an array", "a list"),
    ("null", "expected an object, found null", "nothing, in JSON"),
    *[(line(**{name: ...}), f"field '{name}' is missing", f"without its {name}") for name in ROW],
    (line(id=3), "field 'id' is a number, expected text", "a number for an id"),
    (line(prose=None), "field 'prose' is null", "null for text"),
    (line(inputs=["x"]), "field 'inputs' is an array, expected an object", "inputs without names"),
    (line(inputs={"cv": 3}), "field 'inputs.cv' is a number, expected text", "an input that is no text"),
    (line(answer="z"), "field 'answer' is text, expected an object", "an answer that is no object"),
    (line(split="dev"), "expected one of train, valid, test", "no such split"),
    (line(groups="person:a"), "field 'groups' is text, expected an array", "one group, not in a list"),
    (line(groups=[1]), "field 'groups' holds a number, expected text", "a group that is no text"),
    (line(facts=[]), "field 'facts' is an array, expected an object", "facts without names"),
    (line(label=1), "unknown field 'label'", "a field that nobody reads"),
]


@pytest.mark.parametrize(("text", "words", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_what_is_refused_and_why(text, words, why):
    with pytest.raises(RowError) as caught:
        list(read_cases([line(), "", text], "here.jsonl"))
    assert "here.jsonl, line 3: " in str(caught.value)
    assert words in str(caught.value)


CASES = st.builds(
    Case,
    id=st.text(),
    level=st.text(),
    split=st.sampled_from(SPLITS),
    inputs=st.dictionaries(st.text(), st.text()),
    prose=st.text(),
    answer=st.dictionaries(st.text(), JSON),
    groups=st.lists(st.text()).map(tuple),
    facts=st.dictionaries(st.text(), JSON),
)


@given(CASES)
def test_a_case_comes_back_from_its_line(case):
    """Whatever its texts hold: line separators, quotes, any script."""
    text = case.to_json()
    assert "\n" not in text
    assert Case.from_json(text) == case


def test_blank_lines_are_passed_over_and_counted():
    assert [case.id for case in read_cases(["", line(), "  \n", line(id="b")])] == ["a", "b"]
