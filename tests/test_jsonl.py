"""JSON Lines: lines end at line feeds alone, and what is no JSON is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import jsonl
from proseform.errors import RowError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=6), VALUES, max_size=4)


@given(st.lists(OBJECTS, max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read_back_whatever_it_holds(objects, end):
    text = "".join(json.dumps(row, ensure_ascii=False) + end for row in objects)
    assert [jsonl.parse(line, "here") for line in jsonl.lines(text)] == objects


@given(OBJECTS)
def test_strict_and_lenient_reading_agree_on_json(row):
    line = json.dumps(row)
    assert jsonl.parse(line, "here") == json.loads(line)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=8))
def test_the_first_key_that_is_repeated_is_told(keys):
    line = "{" + ", ".join(f'"{key}": 0' for key in keys) + "}"
    repeated = [key for at, key in enumerate(keys) if key in keys[:at]]
    if not repeated:
        assert jsonl.parse(line, "here") == dict.fromkeys(keys, 0)
        return
    with pytest.raises(RowError, match=f"the key '{repeated[0]}' stands twice"):
        jsonl.parse(line, "here")


def test_a_key_that_is_repeated_after_many_others_is_found_in_one_pass():
    """A caller's row may be of megabytes: each key compared with all before it would take hours here."""
    keys = [f"k{number}" for number in range(1_000_000)]
    line = "{" + ",".join(f'"{key}":0' for key in (*keys, keys[-1])) + "}"
    with pytest.raises(RowError, match="the key 'k999999' stands twice"):
        jsonl.parse(line, "here")


def test_what_cannot_be_written_is_found_behind_many_others_in_one_pass():
    """A path that is put together for every leaf, of a key that is as long, would take hours here."""
    key = "k" * 1_000_000
    line = f'{{"{key}": [{"0," * 1_000_000}"\\ud800"]}}'
    with pytest.raises(RowError, match=rf"{key}\.1000000"):
        jsonl.parse(line, "here")


@given(st.text())
def test_a_line_is_parsed_or_refused_by_name(text):
    """Nothing else comes out of it, whatever the text."""
    try:
        row, words = jsonl.parse(text, "here, line 1"), "here, line 1: "
    except RowError as error:
        row, words = {}, str(error)
    assert isinstance(row, dict)
    assert words.startswith("here, line 1: ")


@pytest.mark.parametrize(
    ("text", "lines"),
    [("", []), ("\n", [""]), ("a", ["a"]), ("a\n\nb\n", ["a", "", "b"]), ("a\r\nb\rc", ["a", "b\rc"])],
)
def test_lines_end_at_line_feeds_alone(text, lines):
    assert jsonl.lines(text) == lines


def test_a_log_that_was_cut_short_is_read_as_far_as_it_goes(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    assert jsonl.rows(path) == []
    path.write_bytes(b'{"step": 1, "text": "a\xe2\x80\xa8b"}\n[1]\n{"step": 2}\n{"step": 3, "te\xe2\x80')
    assert jsonl.rows(path) == [{"step": 1, "text": "a\u2028b"}, {"step": 2}]
