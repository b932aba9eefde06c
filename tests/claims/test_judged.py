"""A value judged by what its schema states: quotes that stand and support, and planted ones that must earn nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.claims import claims, judge, marked, unquoted
from proseform.errors import InputError
from proseform.input import Input
from proseform.schema import Schema
from proseform.verdict import Reason

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
SCHEMA = Schema({
    "type": "object",
    "properties": {
        "sender": {"type": "string", "x-from": "letter"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "tool": {"type": "string", "x-from": {"input": "list", "least": 1}},
                    "quote": {"type": "string", "x-from": "letter", "x-supports": {"names": "tool"}},
                    "years": {"type": "integer"},
                    "stated": {"type": "string", "x-from": "letter", "x-supports": {"states": "years"}},
                    "state": {"type": "string", "x-from": "letter", "x-supports": {"beside": "tool"}},
                },
            },
        },
        "either": {"type": "string", "x-from": ["letter", "list"]},
        "weight": {"type": ["integer", "null"], "x-from": "letter"},
    },
})  # fmt: skip
LETTER = (
    "Mira Tolba\nOwns a whetstone, 4 years in use.\nSharpens knives every day with great care\n"
    "Has a lathe; used K8s once. Weighs 62 kg.\nR, C++"
)
LIST = "Wanted: whetstone, lathe, Kubernetes, R"
INPUTS = {"letter": Input.of(LETTER), "list": Input.of(LIST)}
CLAIMS = claims(SCHEMA, INPUTS)
SYNONYMS = {"kubernetes": ("K8s",)}


def verdict(value, inputs=INPUTS):
    assert SCHEMA.fault(value) is None
    return judge(value, CLAIMS, inputs, SYNONYMS)


def item(**fields):
    return {"items": [fields]}


@pytest.mark.parametrize(
    "value",
    [
        {"sender": "Mira Tolba"},
        {"sender": ""},  # nothing is quoted
        item(tool="whetstone", quote="Owns a whetstone"),
        item(tool="whetstone", quote="4 years in use"),  # its line names it
        item(tool="Whetstone".lower(), quote=""),
        item(tool="Kubernetes", quote="used K8s once"),
        item(tool="R", quote="R"),
        item(years=4, stated="4 years in use"),
        item(tool="whetstone", state="4 years"),
        item(tool="Whetstone".lower(), state=""),
        item(state="4 years"),  # beside nothing
        {"either": "Wanted"},
        {"either": "Owns"},
        {"weight": 62},
        {"weight": 4},  # a number alone is looked up alone; what it means is for x-supports
        {"weight": None},
    ],
)
def test_what_stands_and_supports_is_grounded(value):
    assert verdict(value).ok, verdict(value)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"sender": "Noor Haddad"}, "/sender"),  # somebody else
        ({"sender": "mira tolba"}, "/sender"),
        ({"sender": "a"}, "/sender"),  # one letter stands in every text
        ({"sender": "Mira"[:1]}, "/sender"),
        (item(tool="axe"), "/items/0/tool"),
        (item(tool="whetstone", quote="Has a lathe"), "/items/0/quote"),  # a true quote about something else
        (item(tool="whetstone", quote="a"), "/items/0/quote"),
        (item(tool="whetstone", quote="in use"), "/items/0/quote"),  # on its line, and says nothing
        (item(tool="whetstone", quote="Sharpens knives every day"), "/items/0/quote"),  # the line does not name it
        (item(tool="whetstone", quote="stone"), "/items/0/quote"),  # within a word
        (item(tool="whetstone", quote="Wanted: whetstone"), "/items/0/quote"),  # of the other input
        (item(tool="C", quote="C++"), "/items/0/tool"),
        (item(quote="Owns a whetstone"), "/items/0/quote"),  # nothing that it could support
        (item(years=5, stated="4 years in use"), "/items/0/stated"),
        (item(tool="lathe", state="4 years"), "/items/0/state"),  # on another line than the lathe
        (item(tool="Kubernetes", state="once"), "/items/0/state"),  # by its own name alone
        (item(years=4, stated="in use"), "/items/0/stated"),
        ({"either": "Nowhere"}, "/either"),
        ({"weight": 6}, "/weight"),
    ],
)
def test_planted_quotes_verify_nothing(value, where):
    judged = verdict(value)
    assert (str(judged.reason), judged.where) == ("ungrounded", where), judged


@pytest.mark.parametrize(
    ("letter", "right"),
    [
        ("- 4 years of work\n- a lathe", False),
        ("4 years of work\nLathe", False),
        ("4 years of work\n\na lathe", False),
        ("A lathe\n\nin use for 4 years", False),  # a blank line parts what is above, too
        (f"non-lathe{' x' * 147} 4 years", False),  # a word that begins before what is looked at is none
        ("- 4 years with\n  a lathe", True),  # the second line goes on within the sentence
        ("Worked with a lathe,\nof which\nfor 4 years", True),
        ("4 years of work\n- Lathe: 4 years", True),  # where it stands the second time
        (f"4 years {'x' * 400} lathe", False),
    ],
)
def test_what_stands_beside_a_text_is_on_its_line_or_in_its_sentence(letter, right):
    judged = verdict(item(tool="lathe", state="4 years"), {**INPUTS, "letter": Input.of(letter)})
    assert judged.ok is right, judged
    assert right or judged.detail == '"4 years" stands in letter, but is on no line with "lathe"'


def test_two_numbers_in_a_quote_state_neither():
    inputs = {**INPUTS, "letter": Input.of("from 4 to 6 years")}
    assert not verdict(item(years=4, stated="from 4 to 6 years"), inputs).ok


def test_evidence_is_in_code_points_of_the_text_as_it_was_given():
    raw = "\ufeffFrom: Mira\u200b Tolba\r\nOwns\u00a0a whetstone"
    inputs = {**INPUTS, "letter": Input.of(raw)}
    judged = verdict({"sender": "Mira Tolba", **item(tool="whetstone", quote="Owns a whetstone")}, inputs)
    spans = {one.pointer: (inputs if one.input == "list" else raw, one) for one in judged.evidence}
    assert {place: raw[one.start : one.end] for place, (_, one) in spans.items() if one.input == "letter"} == {
        "/sender": "Mira\u200b Tolba",
        "/items/0/quote": "Owns\u00a0a whetstone",
    }
    assert [one.input for one in judged.evidence] == ["letter", "list", "letter"]


def test_text_that_was_removed_is_no_evidence():
    inputs = {**INPUTS, "letter": Input.of("Mira\u202e Tolba\x00 hidden")}
    assert inputs["letter"].text == "Mira Tolba hidden"
    assert not verdict({"sender": "\u202e"}, inputs).ok


def test_branches_and_references_apply_where_they_are_taken():
    schema = Schema({
        "type": "array",
        "items": {"anyOf": [{"$ref": "#/$defs/quote"}, {"type": "integer"}]},
        "$defs": {"quote": {"type": "string", "x-from": "letter"}},
    })  # fmt: skip
    stated = claims(schema, ["letter"])
    judged = judge(["Mira", 3], stated, INPUTS, {})
    assert [(one.pointer, one.start) for one in judged.evidence] == [("/0", 0)]
    assert judge(["Mira", "Noor"], stated, INPUTS, {}).where == "/1"


def test_what_was_cut_short_is_not_judged():
    value = {"sender": "Mir", "either": "Nowhere"}
    assert judge(value, CLAIMS, INPUTS, {}, cut=["/sender", "/either"]).ok
    assert judge(value, CLAIMS, INPUTS, {}, cut=["/sender"]).where == "/either"
    assert judge(value, CLAIMS, INPUTS, {}, cut=[""]).where == "/sender", "what is there is judged"


def test_what_a_projection_left_out_is_not_compared():
    whole = Schema({
        "type": "object",
        "properties": {
            "rows": {"type": "array"},
            "count": {"type": "integer", "x-derive": {"count": "/rows"}},
        },
    })  # fmt: skip
    short = whole.project(["count"])
    assert judge({"count": 7}, claims(short, (), absent={"rows"}), {}, {}).ok
    assert not judge({"count": 7}, claims(whole, ()), {}, {}).ok, "left out of the value, not of the schema"


def test_a_line_without_end_is_the_words_next_to_a_quote():
    """A document without line breaks would support every quote; a word that the window cuts is no word of it."""
    far = {**INPUTS, "letter": Input.of("Owns a whetstone. " + "And so on. " * 40 + "Sharpens every day.")}
    assert not verdict(item(tool="whetstone", quote="Sharpens every day"), far).ok
    cut = {**INPUTS, "letter": Input.of("Sharpens every day" + " x" * 147 + " lathes and more")}
    assert not verdict(item(tool="lathe", quote="Sharpens every day"), cut).ok
    near = {**INPUTS, "letter": Input.of("And so on. " * 40 + "Owns a whetstone. Sharpens every day.")}
    assert verdict(item(tool="whetstone", quote="Sharpens every day"), near).ok


def test_work_is_bounded_whatever_the_text_and_the_value():
    """A text of one letter and a value that quotes it hundreds of times; parts that many branches look at."""
    inputs = {"letter": Input.of("a" * 100_000 + " b" * 50_000), "list": Input.of("x")}
    many = claims(Schema({"type": "array", "items": {"type": "string", "x-from": "letter"}}), inputs)
    assert not judge(["a" * 500] * 300, many, inputs, {}).ok
    assert not judge(["b"] * 300, many, inputs, {}).ok
    node = {"$ref": "#/$defs/n"}
    both = {"type": "object", "properties": {"n": {"allOf": [node, node]}}, "x-derive": {"count": "n"}}
    deep = Schema({"$ref": "#/$defs/n", "$defs": {"n": both}})
    value: dict = {}
    for _ in range(16):
        value = {"n": value}
    assert judge(value, claims(deep, ()), {}, {}).detail == "it is too intertwined to look its quotes up"


def test_a_schema_that_states_nothing_costs_nothing():
    stated = claims(Schema({"type": "string"}), ["letter"])
    assert not stated.any
    assert judge("anything", stated, {}, {}).ok


WORDS = st.text(st.sampled_from("abR é\n.-+4字"), max_size=12)


@given(letter=WORDS, sender=WORDS, quote=WORDS, tool=WORDS)
def test_any_value_over_any_text_is_judged_and_evidence_reads_as_the_value(letter, sender, quote, tool):
    inputs = {"letter": Input.of(letter), "list": Input.of(tool)}
    value = {"sender": sender, **item(tool=tool, quote=quote)}
    judged = judge(value, CLAIMS, inputs, {})
    for one in judged.evidence:
        raw = inputs[one.input].raw[one.start : one.end]
        assert raw, "evidence is never empty"
    assert judged.ok or str(judged.reason) == "ungrounded"
    json.dumps([one.pointer for one in judged.evidence])


def test_a_quote_is_shown_with_what_its_object_says():
    value = item(tool="whetstone", quote="4 years in use", years=4)
    judged = verdict(value)
    shown = marked(value, judged.evidence, {name: one.raw for name, one in INPUTS.items()})
    assert [(row["number"], row["quote"], row["beside"]) for row in shown["quotes"]] == [
        (1, "whetstone", "quote 4 years in use, years 4"),
        (2, "4 years in use", "tool whetstone, years 4"),
    ]
    assert [row["text"] for row in shown["inputs"]["letter"] if row["marks"]] == ["4 years in use"]


ABSENT = Schema({
    "type": "object",
    "properties": {
        "tool": {"type": "string"},
        "quotes": {
            "type": "array",
            "items": {"type": "string", "x-from": "letter"},
            "x-absent": {"input": ["letter", "list"], "names": "tool", "split": [" or "]},
        },
    },
})  # fmt: skip


def told(tool, quotes=(), letter=LETTER):
    """What inputs name while nothing is quoted for it, as they write it."""
    inputs = {"letter": Input.of(letter), "list": Input.of("nothing")}
    of = {"tool": tool, "quotes": [*quotes]}, claims(ABSENT, inputs), inputs, SYNONYMS
    assert judge(*of).ok, "it is told, and no reason against"
    found = unquoted(*of)
    assert {one.pointer for one in found} <= {"/quotes"}
    return [inputs[one.input].raw[one.start : one.end] for one in found]


@pytest.mark.parametrize(
    ("tool", "found"),
    [
        ("lathe", ["lathe"]),
        ("LATHE", ["lathe"]),  # case aside
        ("Kubernetes", ["K8s"]),  # by another name
        ("anvil or lathe", ["lathe"]),  # one of its alternatives
        ("anvil", []),
        ("C", []),  # not within C++
        ("Kubernet", []),
    ],
)
def test_what_an_input_names_is_told_where_nothing_is_quoted_for_it(tool, found):
    assert told(tool) == found
    assert told(tool, ["Owns a whetstone"]) == [], "something is quoted"


def test_it_is_told_where_it_stands_in_the_input_as_it_was_given():
    assert told("whetstone", letter="\u0130\u200b a  WHET\u200bSTONE") == ["WHET\u200bSTONE"]


@pytest.mark.parametrize(
    "stated",
    [True, {}, {"input": "letter"}, {"input": "letter", "names": ""}, {"input": 1, "names": "tool"}, {"names": "tool"}],
)
def test_an_absence_that_is_malformed_is_refused_with_its_place(stated):
    schema = Schema({"type": "object", "properties": {"quotes": {"type": "array", "x-absent": stated}}})
    with pytest.raises(InputError, match=r"/properties/quotes: x-absent"):
        claims(schema, ["letter"])


def test_an_absence_of_an_input_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="x-absent: there is no input 'list'"):
        claims(ABSENT, ["letter"])


@given(st.text(max_size=40), st.text(max_size=12), st.sampled_from(["", "lathe", "\u0130", "\u00df"]))
def test_what_is_told_never_decides(text, tool, more):
    """Whatever inputs hold: no exception, no reason against, and each place names the thing."""
    for found in told(tool, letter=text + more):
        assert found.strip()


YEARS = {"type": "array", "items": {"type": "string", "x-from": "letter"}}
TIMES = Schema({"properties": {"times": YEARS, "months": {"x-derive": {"difference": "/times", "unit": "months"}}}})


@pytest.mark.parametrize(
    ("letter", "times", "months", "reason"),
    [
        ("5 years as a cook", ["5 years", "5 years"], 120, Reason.UNGROUNDED),  # it stands there once
        ("a cook for 5 years, then 5 years a baker", ["5 years", "5 years"], 120, None),
        ("2015 to 2016, a cook", ["2015 to 2016", "2015 to 2016"], 24, None),  # periods overlap, and count once
    ],
)
def test_a_length_of_time_counts_as_often_as_it_stands_there(letter, times, months, reason):
    value = {"times": times, "months": months}
    assert judge(value, claims(TIMES, ["letter"]), {"letter": Input.of(letter)}, {}).reason == reason


@pytest.mark.parametrize(
    ("letter", "quote", "number", "right"),
    [
        ("We sold 1,000 units", "1,000 units", 1000, True),
        ("We sold 1,000 units", "1,000 units", 1, False),
        ("It was 1.234 kg", "1.234 kg", 1.234, True),
        ("Wir haben 1.234 Stück", "1.234 Stück", 1234, True),  # who reads it cannot know the country
        ("at -5 degrees", "-5 degrees", -5, True),
        ("at -5 degrees", "-5 degrees", 5, False),
        ("Skills:\n-5 years of Go", "-5 years of Go", 5, True),  # a bullet
        ("3 to 5 years", "3 to 5 years", 5, False),  # two numbers
    ],
)
def test_a_quote_states_the_number_that_a_person_reads(letter, quote, number, right):
    schema = {"properties": {"n": {}, "said": {"x-from": "letter", "x-supports": {"states": "n"}}}}
    verdict = judge({"n": number, "said": quote}, claims(Schema(schema), ["letter"]), {"letter": Input.of(letter)}, {})
    assert (verdict.reason is None) == right


@pytest.mark.parametrize(
    ("letter", "number", "right"),
    [
        ("Balance: -250 EUR", 250, False),
        ("Balance: -250 EUR", -250, True),
        ("Balance: \N{MINUS SIGN}250 EUR", -250, True),
        ("- 250 EUR", 250, True),
        ("-250 EUR", 250, True),  # what opens a line may be a bullet
        ("page 12-250", 250, True),
    ],
)
def test_a_number_that_is_quoted_has_its_sign(letter, number, right):
    verdict = judge(number, claims(Schema({"x-from": "letter"}), ["letter"]), {"letter": Input.of(letter)}, {})
    assert (verdict.reason is None) == right


@pytest.mark.parametrize(("stated", "right"), [({"input": "letter", "least": 4}, False), ("letter", True)])
def test_a_number_alone_will_do_where_the_schema_does_not_say_how_much(stated, right):
    verdict = judge("7", claims(Schema({"x-from": stated}), ["letter"]), {"letter": Input.of("Room 7")}, {})
    assert (verdict.reason is None) == right


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": DRAFT_7, "$ref": "#/definitions/t", "x-from": "letter", "definitions": {"t": {"type": "string"}}},
        {"$schema": DRAFT_7, "items": [True], "additionalItems": {"type": "string", "x-from": "letter"}},
        {"propertyNames": {"x-from": "letter"}},
        {"not": {"properties": {"a": {"x-from": "letter"}}}},
        {"type": "array", "items": {"type": "string"}, "x-from": "letter"},
        {"$schema": DRAFT_7, "properties": {"n": {"$ref": "#/definitions/t", "x-derive": {"count": "/of"}}},
         "definitions": {"t": {"type": "integer"}}},
    ],
)  # fmt: skip
def test_what_would_be_looked_up_of_nothing_is_refused(schema):
    with pytest.raises(InputError, match="is said of"):
        claims(Schema(schema), ["letter"])


@pytest.mark.parametrize("draft", ["http://json-schema.org/draft-04/schema#", DRAFT_7, None])
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"a": {"x-from": "letter"}}}, {"a": "zebra"}),
        ({"patternProperties": {"^a": {"x-from": "letter"}}}, {"a": "zebra"}),
        ({"additionalProperties": {"x-from": "letter"}}, {"a": "zebra"}),
        ({"items": {"x-from": "letter"}}, ["zebra"]),
        ({"allOf": [{"x-from": "letter"}]}, "zebra"),
        ({"oneOf": [{"x-from": "letter"}]}, "zebra"),
        ({"$ref": "#/definitions/t", "definitions": {"t": {"x-from": "letter"}}}, "zebra"),
    ],
)
def test_what_is_stated_is_looked_up_wherever_it_applies(draft, schema, value):
    stated = claims(Schema(schema if draft is None else {"$schema": draft, **schema}), ["letter"])
    letter = {"letter": Input.of("a horse")}
    assert judge(value, stated, letter, {}).reason is Reason.UNGROUNDED
