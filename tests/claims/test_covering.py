"""What of an input is passed over though a value is meant to cover it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.claims import claims, judge, uncovered
from proseform.errors import InputError
from proseform.input import Input
from proseform.schema import Schema

WANTED = Schema({
    "type": "object",
    "properties": {
        "wanted": {"type": "array", "x-covers": "job", "items": {"type": "string", "x-from": ["job", "note"]}},
        "title": {"type": "string", "x-from": "job"},
    },
})  # fmt: skip


def passed(job: str, *wanted: str, schema: Schema = WANTED, note: str = "", **more: object) -> list[str]:
    """The sentences of a job from which nothing is wanted."""
    inputs = {"job": Input.of(job), "note": Input.of(note)}
    stated, value = claims(schema, inputs), {"wanted": list(wanted), **more}
    judged = judge(value, stated, inputs, {})
    assert judged.ok, judged.detail
    return [inputs[name].raw[start:end] for name, start, end in uncovered(value, stated, inputs, judged.evidence)]


def test_an_item_of_a_list_that_nothing_is_taken_from_is_told():
    job = "Baker\n\nWe want\n- rye bread\n* a driving licence\n  2. patience\n(b) early hours\n\nWe are many."
    assert passed(job, "rye bread") == ["* a driving licence", "2. patience", "(b) early hours"]
    assert passed(job, "rye bread", "driving licence", "patience", "early hours") == []


def test_of_a_paragraph_every_sentence_is_told_once_something_is_taken_from_it():
    job = "Your profile\nYou bake rye bread\nYou have a driving licence. You rise early\n\nOur ovens are old."
    assert passed(job, "rye bread") == ["You have a driving licence.", "You rise early"]
    assert passed(job, "driving licence") == ["You bake rye bread", "You rise early"]
    assert passed(job) == [], "nothing is taken from it: it may as well be about the company"


def test_what_introduces_others_is_not_told():
    job = "Please bring these along\n- rye bread\n- yeast\nAnd if you can:\n- salt"
    assert passed(job, "rye bread", "yeast", "salt") == []


def test_a_line_goes_on_in_a_small_letter():
    job = "- years of rye bread\n  and of nothing else\n- a licence\n  to drive"
    assert passed(job, "rye bread") == ["- a licence\n  to drive"]
    assert passed(job, "nothing else", "to drive") == []


def test_only_what_lies_beneath_covers_and_only_the_input_that_is_named():
    job = "- rye bread\n- yeast"
    assert passed(job, title="rye bread") == ["- rye bread", "- yeast"]
    assert passed(job, "salt", note="salt", title="yeast") == ["- rye bread", "- yeast"]
    both = Schema({**WANTED.document, "x-covers": ["job", "note"]})
    assert passed(job, "salt", note="- salt\n- oil", title="yeast", schema=both) == ["- rye bread", "- oil"]


def test_a_paragraph_of_very_many_lines_takes_no_longer_than_its_length():
    """Each sentence was once asked for whether anything is taken from its paragraph: it did not end."""
    job = "Rye bread\n" * 200_000
    assert passed(job) == []
    assert len(passed(job.replace("R", "- r", 1), "rye bread")) == 199_999


def test_where_the_value_has_no_such_place_nothing_is_told():
    inputs = {"job": Input.of("- rye bread"), "note": Input.of("")}
    assert not list(uncovered({}, claims(WANTED, inputs), inputs, ()))


def test_it_is_told_where_it_stands_in_the_input_as_it_was_given():
    assert passed("\u0130\u200b am\r\n- rye bread\r\n- ye\u200bast\r\n", "rye bread") == ["- ye\u200bast"]


@pytest.mark.parametrize("stated", [True, {}, [], [1], {"input": "job"}])
def test_what_is_malformed_is_refused_with_its_place(stated):
    schema = Schema({"type": "object", "properties": {"wanted": {"type": "array", "x-covers": stated}}})
    with pytest.raises(InputError, match=r"/properties/wanted: x-covers names an input"):
        claims(schema, ["job"])


def test_an_input_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="x-covers: there is no input 'job'"):
        claims(Schema({"x-covers": "job"}), ["letter"])


@given(
    st.lists(
        st.sampled_from(["rye", "bread", "Yeast", ".", ":", "\n", "\n\n", "- ", "* ", " ", "\t", "\u200b", "1. "])
    ),
    st.data(),
)
def test_what_is_told_is_whole_in_order_and_untouched(parts, data):
    """Whatever the text: spans do not overlap each other nor what is quoted, and none is blank or has blank ends."""
    job = Input.of("".join(parts))
    words = [word for word in ("rye", "bread", "Yeast") if word in job.text.split()]
    wanted = data.draw(st.lists(st.sampled_from(words), unique=True)) if words else []
    inputs, value = {"job": job, "note": Input.of("")}, {"wanted": wanted}
    stated = claims(WANTED, inputs)
    judged = judge(value, stated, inputs, {})
    assert judged.ok
    spans = [(start, end) for _, start, end in uncovered(value, stated, inputs, judged.evidence)]
    assert spans == sorted(spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    taken = [(one.start, one.end) for one in judged.evidence]
    for start, end in spans:
        said = job.raw[start:end]
        assert said == said.strip() != ""
        assert not any(first < end and start < last for first, last in taken)
