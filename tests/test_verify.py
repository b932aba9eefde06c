"""The verifier: what it takes, and for everything else the first reason against."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import task as tasks
from proseform import verify
from proseform.claims import claims
from proseform.input import Input
from proseform.schema import Schema
from proseform.testing import toy_task
from proseform.verdict import Reason, Verdict

ANY = Schema({})
CV = tasks.load("cv")
SCHEMA = Schema(
    {
        "type": "object",
        "properties": {
            "score": {"type": "integer", "minimum": 0, "maximum": 9},
            "note": {"type": "string", "maxLength": 5},
        },
        "required": ["score"],
        "additionalProperties": False,
    }
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
CONTAINERS = st.dictionaries(st.text(max_size=6), VALUES, min_size=1, max_size=4) | st.lists(
    VALUES, min_size=1, max_size=4
)

REFUSED = [
    ("", Reason.EMPTY, "nothing was written"),
    (" \n\t ", Reason.EMPTY, "white space is nothing"),
    ("I think the score is 7.", Reason.NOT_JSON, "prose"),
    ('Sure! {"score": 7}', Reason.NOT_JSON, "talk before the JSON"),
    ('{"score": 7} I hope this helps!', Reason.TRAILING, "talk after the JSON"),
    ('{"score": 7}{"score": 7}', Reason.TRAILING, "two documents"),
    ('{"score": 7}\u00a0', Reason.TRAILING, "a no-break space is no white space of JSON's"),
    ('{"score": 7}\x0c', Reason.TRAILING, "nor is a form feed"),
    ("```json\n{}\n```", Reason.NOT_JSON, "a fence"),
    ("\ufeff{}", Reason.NOT_JSON, "a byte order mark"),
    ('{"score": 7,}', Reason.NOT_JSON, "a comma too many"),
    ("{'score': 7}", Reason.NOT_JSON, "Python's quotes"),
    ('{"score": 07}', Reason.NOT_JSON, "a leading zero"),
    ('{"score": +7}', Reason.NOT_JSON, "a sign that JSON does not have"),
    ('{"score": 7 // seven\n}', Reason.NOT_JSON, "a comment"),
    ('{"note": "a\nb"}', Reason.NOT_JSON, "a raw line break in a string"),
    ('{"note": "\\x41"}', Reason.NOT_JSON, "an escape that JSON does not have"),
    ('{"score": NaN}', Reason.NOT_JSON, "Python reads it, JSON does not"),
    ('{"score": -Infinity}', Reason.NOT_JSON, "likewise"),
    ('{"score": 1e999}', Reason.NOT_JSON, "it reads as infinity, which could not be written again"),
    ('{"score": ' + "9" * 5000 + "}", Reason.NOT_JSON, "more digits than Python converts"),
    ('{"note": "\ud800"}', Reason.NOT_JSON, "a lone surrogate, spelt out"),
    ('{"note": "\\ud800"}', Reason.NOT_JSON, "a lone surrogate, escaped"),
    ('{"\\udfff": 1}', Reason.NOT_JSON, "a lone surrogate in a key"),
    ("[" * 100_000, Reason.NOT_JSON, "nested deeper than can be read"),
    ('{"score": 7, "score": 8}', Reason.DUPLICATE_KEY, "which of the two?"),
    ('{"score": 7, "note": {"a": 1, "a": 1}}', Reason.DUPLICATE_KEY, "also further down, also if equal"),
    ('{"score": ', Reason.TRUNCATED, "cut before a value"),
    ('{"score": 7, "note": "a', Reason.TRUNCATED, "cut within a string"),
    ('{"score": 7, "note": "\\u00', Reason.TRUNCATED, "cut within an escape"),
    ('{"score": tru', Reason.TRUNCATED, "cut within a word"),
    ('{"score": "7"}', Reason.SCHEMA, "a number in quotes"),
    ('{"score": 7.5}', Reason.SCHEMA, "no integer"),
    ('{"score": true}', Reason.SCHEMA, "true is no integer"),
    ('{"score": 10}', Reason.SCHEMA, "above the maximum"),
    ('{"note": "a"}', Reason.SCHEMA, "a required field is missing"),
    ('{"score": 7, "note": "abcdef"}', Reason.SCHEMA, "too long"),
    ('{"score": 7, "extra": 1}', Reason.SCHEMA, "the object is closed"),
    ("[7]", Reason.SCHEMA, "an array in place of an object"),
    ("7", Reason.SCHEMA, "a bare number"),
    ("null", Reason.SCHEMA, "nothing, in JSON"),
]


@pytest.mark.parametrize(("text", "reason", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_what_is_refused_and_why(text, reason, why):
    verdict = verify.answer(text, SCHEMA)
    assert verdict.reason == reason
    assert not verdict.ok
    assert str(verdict).startswith(str(reason))


def test_a_schema_fault_names_its_place():
    verdict = verify.answer('{"score": 10}', SCHEMA)
    assert verdict.where == "/score"


@given(VALUES, st.sampled_from(["", " ", "\n", "\r\n\t"]))
def test_json_as_python_writes_it_is_accepted_and_unchanged(value, around):
    verdict = verify.answer(around + json.dumps(value) + around, ANY)
    assert verdict == Verdict(value)


@given(VALUES)
def test_what_is_accepted_can_be_written_and_verified_again(value):
    """Idempotence: an answer that left can come back."""
    first = verify.answer(json.dumps(value, ensure_ascii=False), ANY)
    assert verify.answer(json.dumps(first.value, ensure_ascii=False, allow_nan=False), ANY) == first


@given(CONTAINERS, st.booleans(), st.data())
def test_a_document_that_was_cut_is_called_truncated(value, ascii_only, data):
    """Whatever the place: this is what tells a budget too short from a model that cannot write JSON."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    assert verify.answer(cut, ANY).reason == Reason.TRUNCATED


@given(st.text(max_size=80))
def test_any_text_gets_a_verdict_and_only_json_is_accepted(text):
    verdict = verify.answer(text, ANY)
    if verdict.ok:
        json.loads(text)


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\u \n', max_size=40))
def test_texts_made_of_json_letters_get_a_verdict_too(text):
    verdict = verify.answer(text, SCHEMA)
    assert verdict.ok == (verdict.reason is None)
    if verdict.ok:
        assert SCHEMA.fault(json.loads(text)) is None


def test_prose_that_is_read_must_conform_to_the_schema_as_well():
    """The task's reader reads three digits; the toy schema's note is at most 40 letters."""
    task = toy_task()
    case = next(iter(task.generate("easy", "test", 0, 1)))
    verdict = verify.prose(case.prose, task, case.inputs)
    assert verdict == Verdict(dict(case.answer), evidence=verdict.evidence)
    assert verify.prose("  \n", task, {}).reason == Reason.EMPTY
    assert verify.prose("Nice parcel!", task, {}).reason == Reason.FORM
    narrow = dataclasses.replace(task, schema=Schema({"type": "object", "properties": {"grams": {"maximum": -1}}}))
    assert verify.prose(case.prose, narrow, case.inputs).reason == Reason.SCHEMA
    assert verify.prose(case.prose, narrow, case.inputs).where == "/grams"


def test_the_tasks_reader_sees_the_inputs_as_the_model_does():
    """What is quoted can be looked up: text cleaned, findings at hand, whoever asks."""
    seen = []

    def read(prose, inputs):
        seen.append(inputs)
        quoted = prose.strip('"')
        return Verdict(dict(case.answer)) if quoted in inputs["parcel"].text else Verdict(reason=Reason.FORM)

    task = dataclasses.replace(toy_task(), read=read)
    case = next(task.generate("easy", "train", 0, 1))
    inputs = {
        "parcel": f"a tin\u200b of tea, {case.answer['grams']} g; {case.answer['note']}",
        "rule": Input.of("at most 100 g"),
    }
    assert verify.prose('"tin of tea"', task, inputs).ok
    assert verify.prose('"a clay cup"', task, inputs).reason is Reason.FORM
    assert [one.kind for one in seen[0]["parcel"].findings] == ["invisible"]
    assert seen[0]["rule"] is inputs["rule"]


GIVEN = {"parcel": Input.of("a map, 90 g"), "rule": Input.of("at most 100 g")}
SAID = {"verdict": "send", "grams": 90, "note": "a map"}


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (SAID, False),
        (dict(reversed(SAID.items())), True),  # the same fields in another order
    ],
)
def test_an_answer_that_repeats_the_prose_to_the_letter_was_judged_with_it(answer, again):
    task = toy_task()
    prose = verify.prose("The parcel weighs 90 g, 100 g are allowed. Note: a map. Verdict: send.", task, GIVEN)
    assert prose.ok
    known = dataclasses.replace(prose, evidence=prose.evidence[:1])  # as no judgement leaves it
    verdict = verify.stated(answer, known, task, task.claims, GIVEN)
    assert verdict.ok
    assert verdict.value is answer
    assert set(verdict.evidence) == set(prose.evidence if again else known.evidence)
    assert len(prose.evidence) == 2


def test_an_answer_of_another_schema_or_one_that_was_cut_is_judged_by_itself():
    task = toy_task()
    unjudged = Verdict(SAID)  # it would pass for judged, without evidence
    document = {**task.schema.document, "title": "another"}
    stated = claims(Schema(document), task.inputs, shared=task.schema.fields)
    assert verify.stated(SAID, unjudged, task, task.claims, GIVEN).evidence == ()
    assert verify.stated(SAID, unjudged, task, stated, GIVEN).evidence
    assert verify.stated(SAID, unjudged, task, task.claims, GIVEN, cut=["/note"]).evidence
    otherwise = verify.stated({**SAID, "grams": 90.0}, unjudged, task, task.claims, GIVEN)
    assert otherwise.reason is Reason.UNGROUNDED, "the same number, but the input writes it without a point"


@pytest.mark.parametrize(
    ("answer", "cut", "where"),
    [
        ({**SAID, "note": "a m"}, ["/note"], None),
        ({**SAID, "note": "a snowman"}, ["/note"], "/note"),  # cut short it would begin as the prose says
        (SAID, [""], None),
        ({**SAID, "grams": 91}, [""], "/grams"),  # what is there is judged, whatever did not fit
        ({**SAID, "grams": 91}, ["/note"], "/grams"),
    ],
)
def test_of_what_was_cut_short_all_that_is_there_is_compared(answer, cut, where):
    task = toy_task()
    prose = verify.prose("The parcel weighs 90 g, 100 g are allowed. Note: a map. Verdict: send.", task, GIVEN)
    verdict = verify.stated(answer, prose, task, verify.stating(task.schema, task), GIVEN, cut=cut)
    assert (verdict.where or None) == where
    assert verdict.ok == (where is None)


def test_an_evaluation_that_contradicts_its_own_evidence_is_written_with_what_follows():
    (case,) = CV.generate("professional", "valid", 7, 1)
    spoilt = case.prose.replace(f"Score: {case.answer['score']}.", f"Score: {(case.answer['score'] + 7) % 101}.")
    judged = verify.prose(spoilt, CV, case.inputs)
    assert judged.reason is Reason.INCONSISTENT
    found = verify.recomputed(spoilt, judged, CV, case.inputs)
    assert (found.text, found.verdict.ok) == (case.prose, True)
    assert [(one.pointer, one.follows) for one in found.recomputed] == [("/score", case.answer["score"])]


@pytest.mark.parametrize("fault", ["none", "form", "quote", "writer"])
def test_any_other_evaluation_stays_as_it_is(fault):
    (case,), task = CV.generate("professional", "valid", 7, 1), CV
    score = f"Score: {case.answer['score']}."
    wrong = case.prose.replace(score, f"Score: {(case.answer['score'] + 7) % 101}.")
    text = {"none": case.prose, "form": "Hm. " + wrong, "quote": case.prose.replace(case.answer["candidate"], "Nobody")}
    if fault == "writer":
        task = dataclasses.replace(CV, write=None)
    given_text = text.get(fault, wrong)
    judged = verify.prose(given_text, task, case.inputs)
    assert verify.recomputed(given_text, judged, task, case.inputs) == verify.Evaluation(given_text, judged)


def test_a_quote_that_does_not_stand_stays_a_fault_behind_a_sum_that_is_put_right():
    (case,) = CV.generate("starter", "valid", 3, 1)
    value = json.loads(json.dumps(case.answer))
    value["role"] = "Nobody of that name"
    value["score"] = (value["score"] + 7) % 101
    text = CV.write(value)
    found = verify.recomputed(text, verify.prose(text, CV, case.inputs), CV, case.inputs)
    assert found.verdict.reason is Reason.UNGROUNDED
