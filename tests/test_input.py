"""Inputs: what no model should see is removed, and every position maps back to the raw text."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proseform.input import MOST_FINDINGS, MOST_MARKS, Finding, Input, Origin, clean, nfc
from proseform.offsets import Offsets, edited

HOSTILE = "\x00\x07\r\n\t\u0085\u2028\u200b\u200d\u202e\u2066\ufeff\ufe0f\ufe0e\U000e0041\U000e0100\ud83d\ude00"
ALPHABET = st.one_of(st.sampled_from(HOSTILE), st.sampled_from("ab \u0627😀"), st.characters(codec=None))
TEXTS = st.text(ALPHABET, max_size=60)


@given(TEXTS)
def test_cleaning_twice_changes_nothing(raw):
    text, _, _ = clean(raw)
    assert clean(text) == (text, Offsets.same(len(text)), ())


@given(TEXTS)
def test_a_cleaned_text_can_be_encoded_and_holds_no_control_character(raw):
    text = Input.of(raw).text
    text.encode()
    assert not [c for c in text if unicodedata.category(c) == "Cc" and c not in "\t\n"]


MARKED = st.text(st.sampled_from("aé\u0301\u0323\u0345\u3099\u1100\u1161\u11a8한か"), max_size=MOST_MARKS)


@given(MARKED)
def test_a_text_of_marks_as_people_write_them_is_composed_as_unicode_says(text):
    assert nfc(text) == unicodedata.normalize("NFC", text)


def test_marks_without_end_are_composed_in_one_pass():
    """Put in order pair by pair, so many would take hours."""
    text = "a" + "\u0301" * 1_000_000 + "\u0323" * 1_000_000
    assert sorted(nfc(text)[1:]) == sorted(text[2:])  # the first acute accent has gone into the letter


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_a_text_in_ascii_is_cleaned_as_within_a_text_that_is_not(raw):
    """Most texts in ASCII are looked at once instead of by every step."""
    text, _, found = clean(raw)
    beside, _, noticed = clean(f"{raw}\u00e9")
    assert (f"{text}\u00e9", found) == (beside, noticed)


@given(TEXTS, st.data())
def test_every_span_is_found_again(raw, data):
    """A kept character is at the place of the raw text that is stated for it.

    Longer spans begin and end with their characters.
    """
    value = Input.of(raw)
    start = data.draw(st.integers(0, len(value.text)))
    end = data.draw(st.integers(start, len(value.text)))
    low, high = value.locate(start, end)
    assert 0 <= low <= high <= len(raw)
    for position in range(start, end):
        first, last = value.locate(position, position + 1)
        assert low <= first < last <= high
        kept = value.text[position] == raw[first:last]
        assert kept or value.text[position] in {"\n", "\ufffd"} or 0xD800 <= ord(raw[first]) <= 0xDFFF
    if start < end:
        assert low == value.locate(start, start + 1)[0]
        assert high == value.locate(end - 1, end)[1]


@given(TEXTS)
@example("\r\n")
def test_what_was_removed_is_reported_where_it_stood(raw):
    """Every character that is missing lies within a finding, but for line ends and joiners that are noise."""
    value = Input.of(raw)
    kept = {index for t in range(len(value.text)) for index in range(*value.locate(t, t + 1))}
    reported = {index for one in value.findings if one.start is not None for index in range(one.start, one.end)}
    if any(one.start is None for one in value.findings):
        return
    missing = {index for index in range(len(raw)) if index not in kept}
    assert {raw[index] for index in missing - reported} <= set("\r\u200c\u200d")


@st.composite
def edits(draw, text):
    """Edits of a text, in order."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return [(start, end, draw(st.text("xyz", max_size=3))) for start, end in pairs]


@given(st.text("abc", max_size=20), st.data())
def test_edits_compose(text, data):
    """Two edits one after another locate as both maps do in turn."""
    middle, first = edited(text, data.draw(edits(text)))
    last, second = edited(middle, data.draw(edits(middle)))
    both = first.then(second)
    assert (both.text, both.raw) == (len(last), len(text))
    for position in range(len(last)):
        low, high = both.locate(position, position + 1)
        inner = second.locate(position, position + 1)
        if inner[1] - inner[0] == 1 and last[position] == middle[inner[0]]:
            assert (low, high) == first.locate(*inner) or high - low >= first.locate(*inner)[1] - first.locate(*inner)[
                0
            ]
        assert 0 <= low <= high <= len(text)
    for run_text, run_raw, length in both.runs:
        assert last[run_text : run_text + length] == text[run_raw : run_raw + length]


@given(st.text("abc", max_size=20), st.data())
def test_offsets_seen_from_the_original(text, data):
    new, offsets = edited(text, data.draw(edits(text)))
    assert offsets.inverse().inverse() == offsets
    assert (offsets.inverse().text, offsets.inverse().raw) == (len(text), len(new))


@pytest.mark.parametrize("span", [(-1, 0), (0, 4), (2, 1)])
def test_a_span_outside_the_text_is_an_error(span):
    with pytest.raises(IndexError, match="a text of 3 characters"):
        Input.of("abc").locate(*span)


@pytest.mark.parametrize(
    ("raw", "text", "kinds"),
    [
        ("Ann \ud800 Lee", "Ann \ufffd Lee", ["surrogate"]),
        ("\ud83d\ude00", "😀", []),  # two halves of one character
        ("a\x00b", "ab", ["control"]),
        ("a\u202eb\u202c", "ab", ["invisible", "invisible"]),
        ("hi\U000e0049\U000e0067", "hi", ["invisible"]),  # instructions in the tag block
        ("😀\ufe0f\ufe00\ufe01", "😀\ufe0f", ["invisible"]),  # data in variation selectors
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne", []),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e", []),  # spelling in Persian
        ("a\u200db", "ab", []),
        ("👩\u200d🔬", "👩\u200d🔬", []),
        ("tab\tand soft\u00adhyphen", "tab\tand soft\u00adhyphen", []),
    ],
)
def test_what_is_cleaned(raw, text, kinds):
    value = Input.of(raw)
    assert (value.text, [one.kind for one in value.findings]) == (text, kinds)


def test_many_findings_of_one_kind_are_counted():
    findings = Input.of("a\x00" * 100).findings
    assert len(findings) == MOST_FINDINGS + 1
    assert "80 more places" in findings[-1].message
    assert findings[-1].start is None


def test_an_input_stays_as_it_is_and_takes_findings():
    value = Input.of("x\x00", origin=Origin("a.txt", encoding="utf-8"), findings=[Finding("encoding", "Guessed.")])
    assert [one.kind for one in value.findings] == ["encoding", "control"]
    assert Input.of(value) is value
    assert Input.of(value, findings=[Finding("note", "x")]).findings[-1].kind == "note"
    assert value.with_findings([Finding("note", "x")]).raw == "x\x00"


def test_a_long_text_without_edits_costs_one_run():
    assert len(Input.of("word " * 100_000).offsets.runs) == 1
