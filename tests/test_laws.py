"""The laws: every installed task keeps them, and each way of breaking one is found."""

from dataclasses import replace

import pytest

from proseform import laws, task
from proseform.errors import TaskError
from proseform.prompt import Prompt
from proseform.schema import Schema
from proseform.testing import SCHEMA, toy_task
from proseform.verdict import Verdict

TOY = toy_task()
ONE = TOY.gold[0]


@pytest.mark.parametrize("name", sorted(task.installed()))
def test_an_installed_task_keeps_every_law(name):
    laws.check(task.load(name))


def test_the_toy_task_keeps_every_law():
    laws.check(TOY)


def again(level, split, seed, count):
    """Cases whose groups cross the splits."""
    for case in TOY.generate(level, split, seed, count):
        yield replace(case, groups=("thing:same",))


def once(level, split, seed, count, calls=[]):  # noqa: B006 - the point is that it remembers
    """Cases that differ from call to call."""
    calls.append(1)
    yield from TOY.generate(level, split, len(calls), count)


def same(level, split, seed, count):
    """One case, again and again."""
    for case in TOY.generate(level, split, seed, count):
        yield replace(case, id="one")


def dice(_text, _case, throws=[]):  # noqa: B006 - the point is that it remembers
    """A score that differs from call to call."""
    throws.append(1)
    return 1 / len(throws)


BROKEN = [
    (
        {"schema": Schema({**SCHEMA, "additionalProperties": True})},
        "unbounded at /: an object that is not closed",
        "an open object",
    ),
    (
        {"grammar": 'start: "The parcel is a secret."'},
        'evaluator.lark does not let its prose be written: "The parcel " is followed by',
        "a form that forbids its own prose",
    ),
    (
        {"grammar": "start: NOWHERE"},
        "evaluator.lark does not let its prose be written: it is none",
        "a form that is none",
    ),
    (
        {"evaluator": Prompt("chat", "", "{parcel}")},
        "evaluator.md has the placeholders",
        "an input that the prompt leaves out",
    ),
    (
        {"formatter": Prompt("plain", "", "{prose}")},
        "formatter.md has the placeholders",
        "a formatter that is not shown the schema",
    ),
    (
        {"formats": {"brief": ("weight",), "full": TOY.formats["full"]}},
        "format 'brief' names weight",
        "a format of no field",
    ),
    ({"formats": {"brief": ("verdict",)}}, "the last format is not the whole schema", "only a part can be answered"),
    ({"formats": {}}, "the last format is not the whole schema", "nothing can be answered"),
    (
        {"formats": dict(reversed(TOY.formats.items()))},
        "not in order, smallest first: full has 3, brief has 2",
        "the largest format first",
    ),
    (
        {"read": lambda _prose, _inputs: Verdict(dict(ONE.answer)), "gold": (ONE,)},
        "foreign text is accepted: 'Lorem",
        "a reader of anything",
    ),
    ({"rubrics": {"variants": {"plain": {"right": 0.6}}}}, "sum to 0.6", "weights that do not sum to 1"),
    (
        {"rubrics": {"variants": {"plain": {"style": 1}}}},
        "weighs style, which rewards.py does not score",
        "a weight on nothing",
    ),
    ({"gold": ()}, "cases.jsonl is empty", "nothing to try the laws on"),
    ({"gold": (replace(ONE, inputs={"parcel": "x"}),)}, "has the inputs", "a case that lacks an input"),
    (
        {"gold": (replace(ONE, answer={**ONE.answer, "grams": -1}),)},
        "does not conform at /grams",
        "gold that breaks the schema",
    ),
    (
        {"gold": (replace(ONE, prose="It is fine."),)},
        "is not accepted: form",
        "gold prose that the reader does not know",
    ),
    (
        {"gold": (replace(ONE, answer={**ONE.answer, "note": "other"}),)},
        "reads as another answer",
        "prose and JSON disagree",
    ),
    (
        {"terms": {**TOY.terms, "right": lambda _prose, _case: 0.9}},
        "earns 0.794, expected 1",
        "gold that does not earn everything",
    ),
    (
        {"terms": {**TOY.terms, "form": lambda _prose, _case: 1.0}},
        "foreign text earns 0.400",
        "a reward for anything at all",
    ),
    ({"generate": once}, "is not reproducible from its seed", "a generator that remembers"),
    ({"generate": same}, "gave 1 distinct ids for 12 cases", "one id for all"),
    (
        {"generate": again},
        "group 'thing:same' is in split 'train' and in 'valid'",
        "a person in training and in the test",
    ),
    ({"annotate": lambda _case, _rng: None}, "annotate does not give text", "an annotator without words"),
    (
        {
            "terms": {
                **TOY.terms,
                "right": lambda text, case: None if "\x00" in text else TOY.terms["right"](text, case),
            }
        },
        "term 'right' gave None, expected a number in [0, 1], for zero bytes",
        "a term that has no answer",
    ),
    (
        {"terms": {**TOY.terms, "spare": lambda text, _case: -len(text) / 1e6}},
        "term 'spare' gave -",
        "a penalty, which an even power would make into a reward",
    ),
    (
        {"terms": {**TOY.terms, "spare": lambda text, _case: 1.5 if len(text) > 99_999 else 1}},
        "term 'spare' gave 1.5, expected a number in [0, 1], for a long line",
        "a bonus beyond 1",
    ),
    (
        {"terms": {**TOY.terms, "spare": lambda text, _case: float(text.count("nan")) and float("nan")}},
        "term 'spare' gave nan",
        "no number",
    ),
    (
        {"terms": {**TOY.terms, "spare": lambda text, _case: len(text.encode()) * 0}},
        "term 'spare' raised UnicodeEncodeError",
        "a term that raises on what is no text",
    ),
    ({"terms": {**TOY.terms, "spare": dice}}, "for the same text", "a term that throws dice"),
    ({"write": lambda _value: "A note."}, "what the task writes of the gold JSON is not read as it", "a poor writer"),
]


@pytest.mark.parametrize(("change", "words", "why"), BROKEN, ids=[why for _, _, why in BROKEN])
def test_each_broken_law_is_named(change, words, why):
    with pytest.raises(TaskError, match="breaks a law") as caught:
        laws.check(replace(TOY, **change))
    assert words in str(caught.value)


def test_an_unknown_task_names_the_installed_ones():
    with pytest.raises(TaskError, match=r"No task 'nope'; installed: .*cv"):
        task.load("nope")
