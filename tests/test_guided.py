"""The form that evaluations are held to: gold ones can be written in it, and no quote but of what was shown."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proseform import guided, task, testing
from proseform.claims import quotes
from proseform.errors import ConfigError
from proseform.infer import ask
from proseform.infer.answer import close, completed
from proseform.infer.local import LocalEngine
from proseform.input import Input
from proseform.laws.written import fault
from proseform.stages import preflight

ROOT = Path(__file__).parents[1]
CV = task.load("cv")
QUOTED = 'start: "He says \\"" SAID "\\"."\nSAID: NOTE & /[^"]{1,40}/'


@pytest.mark.parametrize("level", CV.levels)
def test_every_gold_evaluation_can_be_written(level):
    for case in CV.generate(level, "test", 5, 25):
        assert not fault(guided.filled(CV.grammar, case.inputs), case.prose), case.id


@pytest.mark.parametrize("level", ["junior", "real", "sent"])
def test_what_does_not_stand_in_the_input_cannot_be_quoted(level):
    tried = 0
    for case in CV.generate(level, "test", 6, 10):
        shown = case.inputs
        for said in re.findall('"([^"]+)"', case.prose):
            other = said[:-1] + ("x" if said[-1] != "x" else "y")
            if any(other in text for text in quotes.readings(shown["cv"])):
                continue
            spoilt = case.prose.replace(f'"{said}"', f'"{other}"', 1)
            assert fault(guided.filled(CV.grammar, shown), spoilt)
            tried += 1
        name = case.answer["candidate"]
        assert fault(guided.filled(CV.grammar, shown), case.prose.replace(name, "Nobody Here", 1))
    assert tried > 10


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(TEXTS, st.data())
@settings(max_examples=100)
def test_any_words_in_a_row_of_any_input_can_be_quoted_and_no_input_is_read_as_a_grammar(text, data):
    note = f'a {text} "}} | /x/ b'
    filled = guided.filled(QUOTED, {"note": note, "rule": "none"})
    (shown, *_) = quotes.readings(Input.of(note).text)
    words = quotes.pieces(shown)
    assert "".join(words) == shown
    start = data.draw(st.integers(0, len(words) - 1))
    said = "".join(words[start : start + 4]).strip()
    if said and '"' not in said and len(said) <= 40:
        assert not fault(filled, f'He says "{said}".')
    strange = "\N{SNOWMAN}\N{COMET}"
    assert fault(filled, f'He says "{strange}".')


@given(TEXTS, st.data())
@settings(max_examples=100)
def test_what_can_be_quoted_stands_there_at_word_borders(text, data):
    (shown, *_) = quotes.readings(Input.of(f"a {text} b").text)
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(shown))] * 2)))
    said = shown[start:end]
    filled = guided.filled(QUOTED, {"note": f"a {text} b"})
    if said.strip() and '"' not in said and not fault(filled, f'He says "{said}".'):
        assert quotes.stands(said, shown)


def test_a_word_that_a_line_break_divides_can_be_quoted_in_both_ways():
    filled = guided.filled(QUOTED, {"note": "data model-\nling"})
    assert [fault(filled, f'He says "{said}".') for said in ("modelling", "model-ling")] == ["", ""]
    assert fault(filled, 'He says "model- ling".')


def test_a_quote_begins_with_no_blank():
    filled = guided.filled(QUOTED, {"note": "Nalain Ongaray"})
    said = ("Nalain", "Nalain Ongaray", " Ongaray", " ")
    assert [not fault(filled, f'He says "{one}".') for one in said] == [True, True, False, False]


def test_an_empty_input_can_be_quoted_nowhere_and_spoils_nothing():
    assert fault(guided.filled(QUOTED, {"note": ""}), 'He says "a".')


def test_a_task_without_a_form_cannot_be_held_to_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path))
    monkeypatch.setenv("PROSEFORM_TASKS", str(ROOT / "examples" / "tasks"))
    run = 'extends = "small"\n[generation]\nguided = true\n'
    preflight.check("cv", run, asked=False)
    with pytest.raises(ConfigError, match=r"generation.guided: the task 'tickets' has no evaluator.lark"):
        preflight.check("tickets", run.replace('"small"', '"own"'), asked=False)


def test_a_grammar_that_is_not_taken_leaves_the_evaluation_free_and_the_log_without_a_word_of_it(tmp_path, caplog):
    engine = LocalEngine(testing.random_bundle(tmp_path / "bundle", CV, max_length=4096))
    inputs = next(CV.generate("starter", "test", 7, 1)).inputs
    free = ask(engine.bundle, "evaluator", inputs, max_tokens=8)
    try:
        texts = [
            one.text
            for one in completed(engine, [free, replace(free, form=guided.Form('start: "Okonkwo" NOWHERE', {}))])
        ]
    finally:
        close(engine)
    assert texts[0] == texts[1]
    assert "written freely" in caplog.text
    assert "Okonkwo" not in caplog.text


def test_where_a_form_uses_up_its_limits_the_evaluation_goes_on_freely(tmp_path, caplog):
    """Dates that are asked for by their year: on a long input too much for llguidance."""
    dated = re.sub(r"DATE: .*", r'DATE: CV & /[^":\\n]{0,30}(19|20)[0-9]{2}[^":\\n]{0,6}/', CV.grammar)
    drawn = (case for case in CV.generate("sent", "test", 7, 40) if " as of " in case.prose)
    case = next(case for case in drawn if 1_500 < len(case.inputs["cv"]) < 5_000)  # a page or two: it fits the model
    begun = case.prose[: case.prose.index(" as of ") + len(" as of ")]
    engine = LocalEngine(testing.random_bundle(tmp_path / "bundle", CV, max_length=8192))
    asked = ask(engine.bundle, "evaluator", case.inputs, max_tokens=40)
    try:
        [one] = completed(engine, [replace(asked, prefill=begun, form=guided.Form(dated, case.inputs))])
    finally:
        close(engine)
    assert "freely from here on" in caplog.text
    assert (one.tokens, one.finish, one.fault) == (40, "length", None)
    assert one.text.startswith(begun)


def test_models_that_know_nothing_write_what_the_reader_reads_and_quote_what_stands_there(tmp_path):
    """Whatever the weights: what ended is of the form, and its quotes are the CV's."""
    engine = LocalEngine(testing.random_bundle(tmp_path / "bundle", CV, max_length=4096))
    engine.bundle = replace(engine.bundle, evaluator=replace(engine.bundle.evaluator, grammar=CV.grammar))
    cases = [*CV.generate("starter", "test", 7, 6)]
    try:
        requests = [
            ask(engine.bundle, "evaluator", case.inputs, temperature=1.0, seed=seed, max_tokens=900)
            for seed, case in enumerate(cases)
        ]
        texts = [(case, one.text, one.finish) for case, one in zip(cases, completed(engine, requests), strict=True)]
    finally:
        close(engine)
    for case, text, finish in texts:
        for said in re.findall('"([^"]+)"', text):
            assert any(said in shown for shown in quotes.readings(case.inputs["cv"])), json.dumps(said)
        against = fault(guided.filled(CV.grammar, case.inputs), text)
        assert against == "" if finish == "stop" else against.endswith("is no end")
        assert len(text) > 300
