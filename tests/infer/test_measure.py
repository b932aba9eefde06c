"""Measuring: what the plans ask reaches the engine, in their order, and what came is recorded."""

import json
import random
from dataclasses import replace

import pytest

from proseform.errors import EngineError, Refusal, RowError
from proseform.infer import measure
from proseform.outcome import Outcome
from proseform.suites import Ask, evaluations
from proseform.suites.plans import judge, plan
from proseform.testing import ScriptedEngine, random_bundle, toy_bundle
from tests.suites.measured import SUBJECTS, TASK, study

STUDY = study(cases=4)
BUNDLE = toy_bundle(TASK, schema=STUDY.schema.document)


def gold(request):
    """An engine that reads: the gold evaluation of the case that is asked, and the JSON that prose states."""
    text = request.prompt.text
    if request.role == "evaluator":
        at = {
            text.rindex(case.inputs["parcel"]): case for case in STUDY.by_id.values() if case.inputs["parcel"] in text
        }
        return at[max(at)].prose if at else "Nothing."
    given = request.prompt.theirs[-2] if request.prompt.theirs else ""
    found = TASK.read(given, {})
    return json.dumps(found.value if found.ok else {"verdict": "send", "grams": 1, "note": "x"})


def asked(engine, subject=2, batch=3, of=STUDY):
    return measure.ask_all(engine, plan(of, SUBJECTS[subject]), batch=batch)


@pytest.mark.parametrize("subject", [0, 1, 2])
def test_every_ask_is_recorded_in_plan_order(subject):
    outcomes = asked(ScriptedEngine(BUNDLE, gold), subject)
    assert [row.id for row in outcomes] == [ask.record.id for ask in plan(STUDY, SUBJECTS[subject])]
    assert all(row.tokens for row in outcomes if row.text)


@pytest.mark.parametrize("ranks", [1, 2, 3, 50])
def test_ranks_share_a_plan_and_none_waits_for_another(ranks):
    asks = plan(STUDY, SUBJECTS[2])
    shares = [measure.share(asks, rank, ranks) for rank in range(ranks)]
    assert sorted(ask.record.id for some in shares for ask in some) == sorted(ask.record.id for ask in asks)
    for some in shares:
        own = [ask.record.id for ask in some]
        assert own == [ask.record.id for ask in asks if ask.record.id in own]
        assert {ask.after for ask in some if ask.after} <= {*own}
    counts = [len({ask.record.case for ask in some}) for some in shares]
    assert max(counts) - min(counts) <= 1


def test_an_engine_that_reads_is_judged_right():
    judged = judge(asked(ScriptedEngine(BUNDLE, gold)), STUDY)
    for row in judged:
        if row.suite in {"evaluations", "levels", "answers"}:
            assert row.scores["whole_right"] == 1, row
        if row.suite == "formatter":
            assert row.scores["exact"] == 1, row
            assert row.texts["given"]


def test_the_size_of_batches_changes_nothing_that_is_recorded():
    one, many = (asked(ScriptedEngine(BUNDLE, gold), batch=batch) for batch in (1, 50))
    assert one == many


def test_a_formatter_gets_the_text_that_its_evaluator_wrote():
    rng = random.Random(0)
    engine = ScriptedEngine(BUNDLE, lambda request: f"{rng.random()}" if request.role == "evaluator" else "{}")
    outcomes = {row.id: row for row in asked(engine)}
    for ask in plan(STUDY, SUBJECTS[2]):
        if ask.after:
            assert outcomes[ask.record.id].texts["given"] == outcomes[ask.after].text


def test_a_prompt_that_is_too_long_is_recorded_as_refused():
    engine = ScriptedEngine(BUNDLE, lambda _: Refusal("too_long", "No room."))
    judged = judge(asked(engine), STUDY)
    assert {row.verdicts["reason"] for row in judged} == {"too_long"}
    assert {row.text for row in judged} == {""}


def test_an_engine_that_is_away_ends_the_measurement():
    engine = ScriptedEngine(BUNDLE, lambda _: EngineError("Nobody answers."))
    with pytest.raises(EngineError, match="Nobody answers"):
        asked(engine)


def test_examples_reach_the_engine_before_the_case():
    engine = ScriptedEngine(BUNDLE, gold)
    asked(engine, subject=0)
    few = [request for request in engine.requests if STUDY.train[0].prose in request.prompt.text]
    variants = [ask for ask in plan(STUDY, SUBJECTS[0]) if ask.record.variant == evaluations.FEW_SHOT]
    assert len(few) == len(variants)
    assert {request.schema is not None for request in few if request.role == "formatter"} == {True, False}


def test_an_ask_that_waits_for_nobody_is_a_fault_of_the_plan():
    lost = Ask(Outcome("a", "b", "free", "c"), "formatter", {"schema": ""}, schema=STUDY.schema, after="d")
    with pytest.raises(ValueError, match="waits for d"):
        measure.ask_all(ScriptedEngine(BUNDLE, gold), [replace(lost)], batch=1)


@pytest.fixture
def short(tmp_path):
    """A bundle whose context holds a case of this study, but no long one."""
    folder = tmp_path / "bundle"
    random_bundle(folder, TASK, max_length=512)
    return folder


def longer(count):
    """The study with a thousand more words in so many parcels."""
    cases = [
        replace(case, inputs={**case.inputs, "parcel": case.inputs["parcel"] + " very" * 1000}) if at < count else case
        for at, case in enumerate(STUDY.cases)
    ]
    return replace(STUDY, cases=tuple(cases))


def test_what_is_longer_than_the_context_is_left_out_and_the_rest_is_measured(short):
    assert measure.too_long(STUDY, short) == []
    of = longer(1)
    left_out = measure.too_long(of, short)
    assert left_out == [of.cases[0].id]
    outcomes = asked(ScriptedEngine(BUNDLE, gold), of=of.without(left_out))
    assert {row.case for row in outcomes if row.suite == "evaluations"} == {case.id for case in of.cases[1:]}


def test_a_measurement_without_most_of_its_cases_is_refused(short):
    with pytest.raises(RowError, match=r"evaluate: 3 of 4 rows are longer than the .* tokens of model.max_length"):
        measure.too_long(longer(3), short)


def test_the_formatter_gets_the_evaluation_as_serving_hands_it_on():
    """Each evaluation goes through what serving does to it, with the inputs that it is of."""
    seen = []

    def served(prose, values):
        seen.append((prose, values["parcel"]))
        return prose.upper()

    rows = measure.ask_all(ScriptedEngine(BUNDLE, gold), plan(STUDY, SUBJECTS[2]), batch=3, served=served)
    after = {row.id: row for row in rows if row.suite == "answers"}
    assert after
    assert all(row.texts["given"] == row.texts["given"].upper() for row in after.values())
    greedy = {row.case: row.text for row in rows if row.suite == "evaluations" and row.decoding == "greedy"}
    for row in after.values():
        assert row.texts["given"] == greedy[row.case].upper()
        assert (greedy[row.case], STUDY.by_id[row.case].inputs["parcel"]) in seen
