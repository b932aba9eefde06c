"""The loop on random weights: every document ends within its budget, and what is cut or cannot end says so."""

import json
from functools import partial
from typing import Any

import pytest
from llguidance import LLMatcher, LLParserLimits

from proseform import verify
from proseform.infer import decode
from proseform.schema import Schema
from tests.infer.schemas import HARD, USED_UP, closed, use_up

LONG = 320


def row(model: Any, schema: dict[str, Any], most: int, prompt: str = "JSON:", **settings: Any) -> decode.Row:
    _, words, constraints = model
    return decode.Row(
        list(words(prompt)["input_ids"]),
        most,
        matcher=constraints.matcher(schema),
        budget=constraints.budget(schema, [], most),
        **settings,
    )


def run(model: Any, rows: list[decode.Row]) -> list[str]:
    loaded, words, constraints = model
    decode.run(loaded, rows, constraints, pad=words.pad_token_id, stop=frozenset({words.eos_token_id}))
    return [constraints.text(row.ids) for row in rows]


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_every_hard_schema_gets_a_valid_document_within_its_budget(model, temperature):
    rows = [row(model, HARD[name], LONG, temperature=temperature, seed=7) for name in HARD]
    for name, done, text in zip(HARD, rows, run(model, rows), strict=True):
        assert (done.finish, done.fault) == ("stop", None), name
        assert len(done.ids) <= LONG, name
        verdict = verify.answer(text, Schema(HARD[name]))
        assert verdict.ok or str(verdict.reason) != "schema", (name, verdict)


def test_content_is_kept_where_there_is_room_and_named_where_it_is_cut(model):
    """A model that goes on and on in the first text leaves a share to each of the others."""
    text = {"type": "string", "maxLength": 2000}
    schema = closed(first={**text, "minLength": 100}, second=text, third={**text, "minLength": 10})
    rows = [row(model, schema, 150, temperature=1.0, seed=seed) for seed in range(8)]
    rambled = 0
    for done, written in zip(rows, run(model, rows), strict=True):
        value, cut = json.loads(written), done.budget.cut(done.ids)
        assert done.finish == "stop"
        assert set(cut) <= {"/first", "/second", "/third"}
        if "/first" in cut:
            rambled += 1
            assert len(value["first"]) >= 100
            assert all("..." not in value[name] for name in value), "the texts are the model's own, no filler"
    assert rambled >= 3


def test_a_document_that_ends_in_time_is_not_cut_and_pays_nothing(model):
    done = row(model, closed(verdict={"enum": ["yes", "no"]}, sure={"type": "boolean"}), 200)
    run(model, [done])
    assert done.finish == "stop"
    assert done.budget.cut(done.ids) == ()
    assert "endings" not in vars(done.budget), "no ending was looked for, not even compiled"


@pytest.mark.parametrize("most", range(40, 140, 9))
def test_what_is_written_before_the_budget_nears_is_what_would_have_been_written_anyway(model, most):
    """The choice is the model's own until tokens are taken back or replaced."""
    schema = closed(a={"type": "string"}, n={"type": "array", "items": closed(b={"type": "string"})})
    free = decode.Row(list(model[1]("JSON:")["input_ids"]), 400, matcher=model[2].matcher(schema))
    limited = row(model, schema, most)
    run(model, [free]), run(model, [limited])
    text = model[2].decode(limited.ids)
    assert verify.answer(text.decode(errors="replace"), Schema(schema)).ok
    first = min((mark.offset for mark in limited.budget.marks), default=len(text))
    assert model[2].decode(free.ids)[:first] == text[:first]


def test_choices_near_the_end_are_still_the_models(model):
    """An enum behind a long text is answered with what the model finds likelier, not with what is shorter."""
    words = {"enum": ["send", "refuse it and send it back to where it came from"]}
    values = set()
    for prompt in ("one", "two", "three", "four", "five", "six"):
        done = row(
            model, closed(text={"type": "string"}, verdict=words), 160, prompt, temperature=1.0, seed=len(prompt)
        )
        values.add(json.loads(run(model, [done])[0])["verdict"])
    assert values == set(words["enum"])


def test_rows_of_a_batch_end_as_they_would_alone(model):
    """Also where one takes tokens back while the others go on."""
    names = [*HARD]
    together = run(model, [row(model, HARD[name], 150, f"JSON {name}:") for name in names])
    assert together == [run(model, [row(model, HARD[name], 150, f"JSON {name}:")])[0] for name in names]


def test_a_budget_below_the_shortest_document_is_refused_with_both_figures(model):
    done = row(model, HARD["a long string"], 40)
    run(model, [done])
    assert done.finish == "length"
    assert done.fault is not None
    assert done.fault.reason == "budget"
    assert "72" in done.fault.message or "40" in done.fault.message


def test_a_grammar_without_documents_is_the_schemas_fault(model):
    """Such a schema is refused before; a grammar may still come to a dead end."""
    _, _, constraints = model
    done = row(model, HARD["formats"], 40)
    done.matcher = LLMatcher(constraints._tokenizer, LLMatcher.grammar_from_json_schema({"$ref": "#"}), log_level=0)
    assert run(model, [done]) == [""]
    assert (done.finish, done.fault.reason) == ("length", "engine")
    assert "no document" in done.fault.message


def test_a_limit_of_the_grammar_engine_is_its_own_fault(model):
    """The matcher is one that may not do anything."""
    _, _, constraints = model
    done = row(model, HARD["formats"], 60)
    grammar = LLMatcher.grammar_from_json_schema(HARD["formats"])
    limits = LLParserLimits(step_lexer_fuel=5, verbose_errors=False)
    done.matcher = LLMatcher(constraints._tokenizer, grammar, log_level=0, limits=limits)
    run(model, [done])
    assert (done.finish, done.fault.reason) == ("length", "engine")
    assert "gave up" in done.fault.message


def test_a_row_whose_matcher_others_used_up_writes_what_it_would_have_written(model):
    """In the loop, beside a row that is not concerned."""
    _, words, constraints = model
    texts = []
    for disturbed in (False, True):
        prefill = constraints.encode(b"[null")
        concerned = decode.Row(
            [*words("JSON:")["input_ids"], *prefill],
            20,
            matcher=constraints.matcher(USED_UP, prefill),
            renew=partial(constraints.own, USED_UP, prefill),
        )
        if disturbed:
            use_up(constraints, constraints.matcher(USED_UP))
        texts.append(run(model, [concerned, row(model, HARD["formats"], 150)]))
        assert (concerned.finish, concerned.fault, concerned.renew is None) == ("stop", None, disturbed)
    assert texts[0] == texts[1]


def test_no_search_begins_behind_the_deadline(model):
    done = row(model, HARD["a date among long texts"], LONG)
    done.budget.deadline = 0.0
    run(model, [done])
    assert done.finish == "length"
    assert done.budget._steps == 0
