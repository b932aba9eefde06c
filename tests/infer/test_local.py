"""The in-process engine, on models that know nothing: what holds for them holds for any."""

import asyncio
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from proseform import digest, testing, verify
from proseform import task as tasks
from proseform.errors import EngineError, InputError, Refusal, StoreError
from proseform.infer import Request, ask, drive, loading, loop, role_model
from proseform.infer.answer import Formatted, answers, close, completed, formatted
from proseform.infer.grammars import constrain
from proseform.infer.local import LocalEngine
from proseform.infer.moves import Plan
from proseform.input import Input
from proseform.prompt import Rendered
from proseform.schema import Schema
from tests.serve.recorded import kept
from tests.waiting import PATIENCE_S, until

TEXT = {"type": "string", "maxLength": 12}
WHOLE = {"type": "integer", "minimum": -5, "maximum": 120}


def closed(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def only(engine, request):
    """The completion of one request; its error is raised."""
    return loop.wait(engine.complete(request))


ODD = {
    "one enum": closed(a={"enum": ["yes", "no"]}),
    "enum of many types": closed(a={"enum": [1, "1", None, True, 2.5]}),
    "unicode enum": closed(färbe={"enum": ["grün", "блакитний", "赤", "🟣"]}),
    "keys that need escapes": closed(**{'a"b': WHOLE, "tab\there": TEXT, "new\nline": TEXT}),
    "empty key": closed(**{"": TEXT}),
    "const": closed(a={"const": "fixed"}, b={"const": None}, c={"const": [1, {"d": 2}]}),
    "bounds": closed(a=WHOLE, b={"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.01}),
    "exclusive bounds": closed(a={"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10}),
    "multiples": closed(a={"type": "integer", "minimum": 0, "maximum": 100, "multipleOf": 5}),
    "a fraction without end": closed(a={"type": "number", "minimum": 0, "maximum": 1}, b={"type": "number"}),
    "a whole number without bounds": closed(a={"type": "integer"}),
    "booleans and nulls": closed(a={"type": "boolean"}, b={"type": "null"}),
    "type lists": closed(
        a={"type": ["string", "null"], "maxLength": 5}, b={"type": ["integer", "boolean"], "minimum": 0}
    ),
    "exact length": closed(a={"type": "string", "minLength": 7, "maxLength": 7}),
    "empty string only": closed(a={"type": "string", "maxLength": 0}),
    "pattern": closed(a={"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"}),
    "pattern and maxLength": closed(a={"type": "string", "pattern": "^[a-zé ]*$", "maxLength": 9}),
    "formats": closed(a={"type": "string", "format": "date"}, b={"type": "string", "format": "uuid"}),
    "no items": closed(a={"type": "array", "items": TEXT, "maxItems": 0}),
    "some items": closed(a={"type": "array", "items": WHOLE, "minItems": 2, "maxItems": 4}),
    "arrays of arrays": closed(
        a={"type": "array", "items": {"type": "array", "items": {"enum": ["x"]}, "maxItems": 3}, "maxItems": 3}
    ),
    "arrays of objects": closed(
        a={"type": "array", "items": closed(n=TEXT, k={"enum": ["a", "b"]}), "minItems": 1, "maxItems": 3}
    ),
    "a tuple": closed(a={"type": "array", "prefixItems": [WHOLE, TEXT], "items": False, "minItems": 2, "maxItems": 2}),
    "alternatives": closed(a={"anyOf": [WHOLE, TEXT, closed(z={"type": "boolean"})]}),
    "references": {
        **closed(a={"$ref": "#/$defs/t"}, b={"type": "array", "items": {"$ref": "#/$defs/t"}, "maxItems": 2}),
        "$defs": {"t": closed(x=TEXT)},
    },
    "deep": closed(a=closed(b=closed(c=closed(d=closed(e=closed(f={"enum": ["deep"]})))))),
    "ten fields": closed(
        **{f"field_{i}": [WHOLE, TEXT, {"enum": ["a", "b"]}, {"type": "boolean"}][i % 4] for i in range(12)}
    ),
    "only optional": {"type": "object", "properties": {"a": WHOLE, "b": TEXT}, "additionalProperties": False},
    "no fields": {"type": "object", "additionalProperties": False},
    "root array": {"type": "array", "items": WHOLE, "maxItems": 3},
    "root string": TEXT,
    "root number": WHOLE,
    "root enum": {"enum": ["a", 2]},
    "a long list of long texts": closed(
        a={"type": "array", "items": {"type": "string", "maxLength": 500}, "maxItems": 50}
    ),
    "an open text": closed(a={"type": "string"}),
    "open objects in a list": closed(
        a={"type": "array", "items": {"type": "object", "properties": {"b": {"type": "string"}}}}
    ),
}


def test_random_weights_give_valid_json_on_every_odd_schema(engine):
    """Nothing is learned, everything is valid: where the model rambles, a narrower schema is enforced."""
    schemas = [Schema(document, name) for name, document in ODD.items()]
    made = formatted(engine, [f"Case {index}." for index in range(len(schemas))], schemas)
    for name, schema, outcome in zip(ODD, schemas, made, strict=True):
        assert isinstance(outcome, Formatted), f"{name}: {outcome}"
        assert verify.answer(outcome.text, schema).ok, name
        assert schema.fault(outcome.value) is None, name


def test_random_weights_give_valid_json_on_the_cv_schema(tmp_path):
    cv = tasks.load("cv")
    loaded = LocalEngine(testing.random_bundle(tmp_path, cv))
    inputs = [case.inputs for case in cv.generate(cv.levels[0], "test", 0, 12)]
    outcomes = answers(loaded, cv, inputs)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Answer"] * 12
    assert all(cv.schema.fault(outcome.value) is None for outcome in outcomes)


def test_a_schema_that_no_budget_holds_is_refused_with_the_figures(engine):
    """It is not the model that rambles."""
    long = Schema({"type": "object", "properties": {"a": {"type": "string", "minLength": 900}}, "required": ["a"]})
    outcome = formatted(engine, ["Case."], long)[0]
    assert isinstance(outcome, Refusal)
    assert outcome.reason == "budget"
    assert "9" in outcome.message
    assert "320 are allowed" in outcome.message, "the third try's budget"


def test_an_answer_names_the_fields_that_were_cut(engine):
    texts = closed(a={"type": "string", "minLength": 90}, b={"type": "string", "minLength": 90}, c={"type": "boolean"})
    outcomes = formatted(engine, [f"Case {n}." for n in range(6)], Schema(texts))
    assert all(isinstance(outcome, Formatted) for outcome in outcomes)
    cut = {pointer for outcome in outcomes for pointer in outcome.cut}
    assert cut
    assert cut <= {"/a", "/b", "/c"}


def test_json_is_written_as_json_dumps_writes_it(engine, task):
    """The form is the one that training rows have, so that the model meets what it learned."""
    made = formatted(engine, [f"Parcel {index}." for index in range(8)], task.schema)
    for outcome in made:
        assert outcome.text == json.dumps(outcome.value, ensure_ascii=False)


def test_a_completion_is_a_span_of_this_process(engine, task):
    request = Request("formatter", task.formatter.render({"prose": "x", "schema": ""}), max_tokens=2)
    with kept() as exporter:
        only(engine, request)
    (call,) = exporter.get_finished_spans()
    assert (call.name, call.kind.name) == ("text_completion formatter", "INTERNAL")
    assert call.attributes["gen_ai.provider.name"] == "proseform"
    assert 0 < call.attributes["gen_ai.usage.output_tokens"] <= 2
    room = loop.wait(engine.room(request))
    assert call.attributes["gen_ai.usage.input_tokens"] + room == engine.bundle.formatter.generation.context_length


def test_a_batch_says_what_single_requests_say(engine, task):
    cases = list(task.generate("easy", "test", 0, 12))
    asked = [ask(engine.bundle, "evaluator", case.inputs) for case in cases]
    asked += [
        ask(engine.bundle, "formatter", {"prose": case.prose, "schema": "{}"}, schema=engine.bundle.schema)
        for case in cases
    ]
    together = [completion.text for completion in completed(engine, asked)]
    assert together == [only(engine, request).text for request in asked]


def test_sampling_is_fixed_by_each_requests_own_seed(engine, task):
    inputs = task.gold[0].inputs
    asked = [ask(engine.bundle, "evaluator", inputs, temperature=1.0, seed=seed) for seed in (1, 2, 1)]
    first = [completion.text for completion in completed(engine, asked)]
    assert first == [completion.text for completion in completed(engine, asked)]
    assert first[0] == first[2] != first[1]


def test_a_prefill_begins_the_text_and_the_grammar_goes_on_behind_it(engine, task):
    given = '{"verdict": "send", "gr'
    request = Request("formatter", Rendered.from_json("JSON:"), given, task.schema.document, 160)
    completion = only(engine, request)
    assert completion.text.startswith(given)
    assert verify.answer(completion.text, task.schema).value["verdict"] == "send"
    free = only(engine, Request("evaluator", Rendered.from_json("Say:"), "The parcel", max_tokens=5))
    assert free.text.startswith("The parcel")


def test_a_prefill_outside_the_schema_is_refused(engine, task):
    with pytest.raises(InputError, match="begins no document"):
        only(engine, Request("formatter", Rendered.from_json("JSON:"), '{"wrong', task.schema.document))


def test_what_cannot_be_enforced_is_refused_by_name(engine):
    with pytest.raises(InputError, match="uniqueItems"):
        only(
            engine,
            Request(
                "formatter",
                Rendered.from_json("JSON:"),
                schema={"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
            ),
        )


def test_a_completion_that_is_cut_says_so(engine, task):
    completion = only(
        engine, Request("formatter", Rendered.from_json("JSON:"), schema=task.schema.document, max_tokens=3)
    )
    assert (completion.finish, completion.tokens) == ("length", 3)
    assert str(verify.answer(completion.text, task.schema).reason) == "truncated"


def test_time_that_is_up_ends_a_completion(engine, task):
    request = Request("formatter", Rendered.from_json("JSON:"), schema=task.schema.document, max_tokens=3)
    assert only(engine, request).finish == "length"  # the schema is compiled from here on
    assert only(engine, replace(request, deadline=time.monotonic() - 1)).finish == "deadline"


def test_time_that_is_up_before_a_schema_is_compiled_is_a_refusal(engine):
    schema = {"const": "compiled by nobody before"}
    request = Request("formatter", Rendered.from_json("JSON:"), schema=schema, deadline=time.monotonic() - 1)
    with pytest.raises(Refusal) as caught:
        only(engine, request)
    assert caught.value.reason == "deadline"


class Pool(ThreadPoolExecutor):
    """Counts what it is given."""

    given = 0

    def submit(self, *call):
        self.given += 1
        return super().submit(*call)


def test_callers_whose_schemas_wait_to_be_compiled_keep_no_thread_that_others_need(engine, monkeypatch):
    """Those that leave, leave the line: what nobody wants is not compiled."""
    slow = [{"const": f"compiled slowly, {number}"} for number in range(3)]
    begun, may_end, compiled = [], threading.Event(), constrain.compiled

    def compile_it(words, document):
        if document in slow:
            begun.append(document)
            assert may_end.wait(PATIENCE_S)
        return compiled(words, document)

    monkeypatch.setattr(constrain, "compiled", compile_it)
    asked = [Request("formatter", Rendered.from_json("JSON:"), schema=schema) for schema in slow]
    line = engine._role_model("formatter")._constraints()._matchers
    keys = [digest.of_json(schema) for schema in slow]

    async def run():
        loop, pool, waiting = asyncio.get_running_loop(), Pool(8), ThreadPoolExecutor(1)
        loop.set_default_executor(pool)
        checks = [asyncio.create_task(engine.check(request)) for request in asked]
        try:
            await loop.run_in_executor(waiting, until, lambda: len(begun) == 2 and set(keys) <= set(line._orders))
            last = next(index for index, schema in enumerate(slow) if schema not in begun)
            assert pool.given == 0
            assert await engine.room(asked[last]) > 0
            checks[last].cancel()
            await loop.run_in_executor(waiting, until, lambda: keys[last] not in line._orders)
        finally:
            may_end.set()
        given = await asyncio.gather(*checks, return_exceptions=True)
        return [type(one) for index, one in enumerate(given) if index != last], slow[last]

    others, last = asyncio.run(run())
    assert others == [type(None)] * 2
    assert last not in begun


def test_a_schema_of_one_request_alone_is_not_kept(engine):
    kept_by = engine._role_model("formatter")._constraints()
    schema = {"const": "of one case"}
    request = Request("formatter", Rendered.from_json("JSON:"), schema=schema, max_tokens=40, once=True)
    assert only(engine, request).text == '"of one case"'
    assert not {digest.of_json(schema)} & {*kept_by._matchers._kept, *kept_by._endings._kept}


def test_a_prompt_beyond_the_model_is_refused_with_both_figures(engine):
    request = Request("evaluator", Rendered.from_json("word " * 3000))
    assert loop.wait(engine.room(request)) < 0
    with pytest.raises(Refusal, match="2048") as caught:
        only(engine, request)
    assert caught.value.reason == "too_long"


def test_a_completion_stops_where_the_models_room_ends(engine):
    request = Request("evaluator", Rendered.from_json("word " * 300), max_tokens=10_000)
    room = loop.wait(engine.room(request))
    assert only(engine, request).tokens <= room


@pytest.mark.parametrize("merged_below", [0, 500_000_000], ids=["beside the base", "merged"])
def test_adapters_share_a_base_and_still_speak_for_themselves(tmp_path, task, monkeypatch, merged_below):
    """Each role's text is its own, whichever was asked before."""
    monkeypatch.setattr(loading, "MERGED", merged_below)
    loaded = LocalEngine(testing.random_bundle(tmp_path, task, adapters=True))
    asked = [Request(role, Rendered.from_json("The parcel"), max_tokens=12) for role in ("evaluator", "formatter")]
    apart = [only(loaded, request).text for request in asked]
    assert [completion.text for completion in completed(loaded, asked[::-1])][::-1] == apart
    assert apart[0] != apart[1]


def test_a_merged_adapter_says_what_it_says_beside_its_base(tmp_path, task, monkeypatch):
    folder = testing.random_bundle(tmp_path, task, adapters=True)
    asked = [Request(role, Rendered.from_json("The parcel"), max_tokens=12) for role in ("evaluator", "formatter")]
    texts = []
    for merged_below in (0, 500_000_000):
        monkeypatch.setattr(loading, "MERGED", merged_below)
        texts.append([completion.text for completion in completed(LocalEngine(folder), asked)])
    assert texts[0] == texts[1]


def test_a_closed_engine_says_so(folder):
    loaded = LocalEngine(folder, check_files=False)
    close(loaded)
    with pytest.raises(EngineError, match="closed"):
        only(loaded, Request("evaluator", Rendered.from_json("x")))


def test_altered_weights_are_not_loaded(tmp_path, task):
    made = testing.random_bundle(tmp_path, task)
    with next((made / "evaluator").glob("*.safetensors")).open("ab") as file:
        file.write(b"x")
    with pytest.raises(StoreError, match="evaluator's files"):
        LocalEngine(made)


def test_a_folder_without_a_model_is_named(tmp_path):
    from proseform.infer.loading import load_model

    with pytest.raises(StoreError, match="no model"):
        load_model(Path(tmp_path))


def test_requests_of_both_roles_come_back_in_order(engine, task):
    case = task.gold[0]
    prose = ask(engine.bundle, "evaluator", case.inputs)
    form = ask(engine.bundle, "formatter", {"prose": case.prose, "schema": "x"}, schema=engine.bundle.schema)
    mixed = completed(engine, [form, prose, replace(form, seed=1), prose])
    assert [completion.text.startswith('{"') for completion in mixed] == [True, False, True, False]


def test_a_large_model_uses_the_threads_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod with a share of the machine's processors, threads that wait for one another cost most of the time."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert role_model._threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert role_model._threads() == len(os.sched_getaffinity(0))


def test_a_formatter_that_knows_nothing_says_what_the_evaluation_says_once_it_has_said_something_else(tmp_path):
    cv = tasks.load("cv")
    engine = LocalEngine(testing.random_bundle(tmp_path / "bundle", cv, max_length=4096))
    (case,) = cv.generate("professional", "test", 7, 1)
    inputs = {name: Input.of(value) for name, value in case.inputs.items()}
    part = engine.bundle.formatter
    roomy = replace(part, generation=replace(part.generation, max_tokens=1500))
    bundle = replace(engine.bundle, settings={"dtype": "float32"}, formatter=roomy)
    plan = Plan(bundle, cv.schema, cv, inputs, prose=case.prose, claims=verify.stating(cv.schema, cv))
    try:
        given = loop.wait(drive.one(engine, plan))
    finally:
        close(engine)
    assert (given.value, given.attempts) == (case.answer, 2)
