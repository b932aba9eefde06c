"""Several evaluations of one case: which answer is given, and when none is."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import testing
from proseform.errors import EngineError, Refusal
from proseform.infer.answer import answered
from proseform.infer.kept import ProseCache
from proseform.infer.samples import chosen, consulted
from proseform.schema import Schema
from tests.infer.test_chain import INPUTS, JSON, PROSE

TASK = testing.toy_task()
BUNDLE = testing.toy_bundle(TASK)
TEXTS = {name: value.text for name, value in INPUTS.items()}
JUDGED = Schema(
    {
        "type": "object",
        "properties": {
            "score": {"type": "integer", "x-derive": {"count": "/rows"}},
            "advice": {"enum": ["yes", "no"], "x-derive": {"threshold": "/score"}},
            "rows": {"type": "array"},
        },
    }
)
ONE = asyncio.run(answered(testing.ScriptedEngine(BUNDLE, [PROSE, JSON]), TASK, TEXTS))


def answers(*values):
    return [replace(ONE, value={"score": score, "advice": advice, "rows": [score]}) for score, advice in values]


def test_the_answer_is_one_of_those_of_most_nearest_to_their_median():
    given_ = answers((40, "yes"), (90, "yes"), (10, "no"), (50, "yes"), (20, "no"))
    best = chosen(given_, 5, JUDGED)
    assert best.value == {"score": 50, "advice": "yes", "rows": [50]}
    assert (best.samples, best.agreement) == (5, 0.6)
    assert best.tokens == {role: 5 * count for role, count in ONE.tokens.items()}


@pytest.mark.parametrize(
    ("values", "samples"),
    [
        ([(1, "yes"), (2, "no")], 2),  # even
        ([(1, "yes"), (2, "yes")], 4),  # two were refused
        ([(1, "yes")], 3),
    ],
)
def test_no_answer_is_given_that_only_half_agree_with(values, samples):
    with pytest.raises(Refusal) as caught:
        chosen(answers(*values), samples, JUDGED)
    assert caught.value.reason == "disagreement"
    assert "yes" not in str(caught.value)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["yes", "no"])), min_size=1, max_size=9))
def test_whatever_is_given_speaks_for_more_than_half_and_was_written_by_a_chain(values):
    try:
        best = chosen(answers(*values), len(values), JUDGED)
    except Refusal:
        assert max(sum(advice == one for _, advice in values) for one in ("yes", "no")) * 2 <= len(values)
        return
    assert (best.value["score"], best.value["advice"]) in values
    agree = [score for score, advice in values if advice == best.value["advice"]]
    assert best.agreement == len(agree) / len(values) > 0.5
    between = sorted(agree)[(len(agree) - 1) // 2], sorted(agree)[len(agree) // 2]
    assert between[0] <= best.value["score"] <= between[1]


def test_where_nothing_is_derived_answers_agree_that_are_equal():
    same, other = replace(ONE, value={"a": 1}), replace(ONE, value={"a": 2})
    assert chosen([other, same, same], 3, Schema({"type": "object"})).value == {"a": 1}
    numbers = Schema({"properties": {"a": {"x-derive": {"count": "/b"}}}})
    assert chosen([other, same, same], 3, numbers).agreement == 1.0, "of numbers alone the median is taken"


def test_each_evaluation_is_sampled_with_a_seed_of_its_own_and_kept_apart():
    engine = testing.ScriptedEngine(BUNDLE, lambda request: PROSE if request.role == "evaluator" else JSON)
    kept = ProseCache(b"0123456789abcdef", 1 << 20, 60)

    async def run():
        for _ in range(2):
            answer = await consulted([engine], TASK, TEXTS, samples=3, kept=kept)
        return answer

    assert asyncio.run(run()).as_dict()["agreement"] == 1.0
    asked = [(request.seed, request.temperature) for request in engine.requests if request.role == "evaluator"]
    assert len(set(asked)) == len(asked) == 3
    assert {temperature for _, temperature in asked} == {BUNDLE.evaluator.generation.retry_temperature}


def test_refusals_count_against_and_an_engine_that_is_away_ends_all():
    def script(request):
        if request.role == "formatter":
            return JSON
        return "Sure!" if request.seed < 200 else PROSE

    answer = asyncio.run(consulted([testing.ScriptedEngine(BUNDLE, script)], TASK, TEXTS, samples=3))
    assert answer.agreement == pytest.approx(2 / 3)
    with pytest.raises(Refusal) as caught:
        asyncio.run(consulted([testing.ScriptedEngine(BUNDLE, lambda _request: "Sure!")], TASK, TEXTS, samples=3))
    assert caught.value.reason == "incomplete"

    async def away(request):
        if request.seed < 200:
            raise EngineError("away")
        await asyncio.Event().wait()

    with pytest.raises(EngineError):
        asyncio.run(consulted([testing.ScriptedEngine(BUNDLE, away)], TASK, TEXTS, samples=3))


def test_several_bundles_take_turns_and_each_begins_with_its_most_likely_text():
    def engine(number):
        bundle = replace(BUNDLE, evaluator=replace(BUNDLE.evaluator, base=f"number {number}"))
        return testing.ScriptedEngine(bundle, lambda request: PROSE if request.role == "evaluator" else JSON)

    engines = [engine(0), engine(1), engine(2)]
    answer = asyncio.run(consulted(engines, TASK, TEXTS, samples=4))
    asked = [[one.temperature for one in engine.requests if one.role == "evaluator"] for engine in engines]
    greedy, sampled = 0.0, BUNDLE.evaluator.generation.retry_temperature
    assert asked == [[greedy, sampled], [greedy], [greedy]]
    assert (answer.samples, answer.agreement) == (4, 1.0)
    assert answer.bundle in {engine.bundle.digest for engine in engines}
