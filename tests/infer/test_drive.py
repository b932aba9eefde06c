"""The drivers: one chain with its time-outs, pieces and cancellation; many in lock step."""

import asyncio
import random
import time

import pytest

from proseform import testing
from proseform.errors import EngineError, InputError, Refusal
from proseform.infer import Request, drive, loop
from proseform.infer.answer import answer, answered, answers, converted, formatted
from proseform.infer.moves import Plan
from proseform.infer.verified import Answer
from proseform.schema import Schema
from tests.infer.test_chain import INPUTS, JSON, PROSE
from tests.waiting import LIMITS

TEXTS = {name: value.text for name, value in INPUTS.items()}


def scripted(task, script):
    return testing.ScriptedEngine(testing.toy_bundle(task), script)


def good(request):
    return PROSE if request.role == "evaluator" else JSON


def test_prose_is_handed_on_while_it_is_written_and_json_is_not(task):
    shown = []
    given = asyncio.run(answered(scripted(task, good), task, TEXTS, on_text=shown.append))
    assert len(shown) > 1
    assert "".join(shown) == given.prose == PROSE


def test_prose_that_is_written_again_is_handed_on_from_its_beginning(task):
    """What was handed on of the first try is not verified: whoever shows it is told to forget it."""
    shown = []
    engine = scripted(task, ["I cannot say.", PROSE, JSON])
    given = asyncio.run(answered(engine, task, TEXTS, on_text=shown.append, on_restart=lambda: shown.append("|")))
    assert "".join(shown) == f"I cannot say.|{PROSE}"
    assert (given.prose, given.tries) == (PROSE, 2)


def test_prose_alone_becomes_json_that_its_schema_allows(task):
    engine = scripted(task, ["{}", JSON])
    outcome = asyncio.run(converted(engine, "It weighs 90 g."))
    assert (outcome.text, outcome.attempts) == (JSON, 2)
    assert {request.role for request in engine.requests} == {"formatter"}


def test_time_that_is_up_ends_the_wait_and_cancels_the_request(task):
    cancelled = []

    async def script(_request):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    for seconds in LIMITS:
        with pytest.raises(Refusal) as caught:
            answer(scripted(task, script), task, TEXTS, deadline=time.monotonic() + seconds)
        assert caught.value.reason == "deadline"
        if cancelled:
            break
    assert cancelled


def test_cancelling_cancels_the_request(task):
    async def run():
        asked, cancelled = asyncio.Event(), asyncio.Event()

        async def script(_request):
            asked.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        answering = asyncio.create_task(answered(scripted(task, script), task, TEXTS))
        await asked.wait()
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        assert cancelled.is_set()

    asyncio.run(run())


def test_a_fault_of_an_engines_code_is_raised_as_it_is(task):
    with pytest.raises(ZeroDivisionError):
        answer(scripted(task, lambda _request: 1 / 0), task, TEXTS)


def test_a_schema_that_the_engine_refuses_costs_no_evaluation(task):
    class Strict(testing.ScriptedEngine):
        async def check(self, request):
            raise InputError("The engine cannot enforce the schema: no arrays.")

    engine = Strict(testing.toy_bundle(task), good)
    with pytest.raises(InputError, match="no arrays"):
        answer(engine, task, TEXTS, schema=Schema({"type": "array"}))
    assert engine.requests == []
    assert answer(engine, task, TEXTS, schema=task.schema).value, "the bundle's own schema needs no look"


def test_prose_is_kept_for_other_chains(task):
    class Kept(dict):
        async def get(self, key):
            return super().get(key)

        async def put(self, key, prose):
            self[key] = prose

    engine, kept = scripted(task, good), Kept()
    plan = Plan(engine.bundle, task.schema, task, INPUTS, key="k")
    for _ in range(2):
        assert asyncio.run(drive.one(engine, plan, kept=kept)).prose == PROSE
    assert [request.role for request in engine.requests] == ["evaluator", "formatter", "formatter"]


class Shuffled(testing.ScriptedEngine):
    """An engine whose completions come in any order; it notes the lists that it is given."""

    def __init__(self, task, seed):
        super().__init__(testing.toy_bundle(task), self._says)
        self.rounds, self._random = [], random.Random(seed)

    def _says(self, request):
        if "error" in request.prompt.text:
            return EngineError("away") if request.role == "evaluator" else "never"
        if request.role == "evaluator":
            return PROSE.replace("a map", request.prompt.text.split("Parcel: ")[1].split(",")[0])
        return JSON if request.seed or "hat" not in request.prompt.text else "Sure!"

    async def complete_all(self, requests):
        self.rounds.append([(request.role, request.prompt.text, request.seed) for request in requests])
        order = list(range(len(requests)))
        self._random.shuffle(order)
        outcomes = {}
        for index in order:
            (outcomes[index],) = await super().complete_all([requests[index]])
        return [outcomes[index] for index in range(len(requests))]


def test_chains_in_lock_step_ask_in_the_order_of_the_plans_whatever_the_timing(task):
    things = ["a wool hat", "two books", "an error", "a map"]
    runs = []
    for seed in range(5):
        engine = Shuffled(task, seed)
        plans = [
            Plan(engine.bundle, task.schema, task, {**INPUTS, "parcel": INPUTS["parcel"].of(f"{thing}, 90 g")})
            for thing in things
        ]
        outcomes = asyncio.run(drive.many(engine, plans))
        runs.append((engine.rounds, [getattr(outcome, "prose", str(outcome)) for outcome in outcomes]))
    assert all(run == runs[0] for run in runs)
    rounds, proses = runs[0]
    assert [len(round_) for round_ in rounds] == [4, 3, 1]
    assert proses[2] == "away"
    assert ["wool hat" in proses[0], "two books" in proses[1]] == [True, True]


def test_an_error_that_is_no_refusal_is_raised_once_all_have_ended(task):
    engine = Shuffled(task, 0)
    with pytest.raises(EngineError):
        answers(engine, task, [TEXTS, {**TEXTS, "parcel": "an error, 5 g"}, TEXTS])
    assert len(engine.rounds[1]) == 2, "the others went on"
    outcomes = answers(engine, task, [TEXTS, TEXTS])
    assert all(isinstance(outcome, Answer) for outcome in outcomes)


def test_no_plans_are_no_outcomes(task):
    assert answers(scripted(task, good), task, []) == []
    assert formatted(scripted(task, good), [], task.schema) == []


def test_waiting_is_refused_where_it_would_wait_for_itself(task):
    async def nested():
        return answer(scripted(task, good), task, TEXTS)

    with pytest.raises(RuntimeError, match="await"):
        loop.wait(nested())


@pytest.mark.parametrize("count", [1, 5])
def test_callers_who_ask_side_by_side_in_this_process_get_what_each_asked_for(engine, task, count):
    async def run():
        requests = [
            Request(
                "evaluator",
                INPUTS and engine.bundle.evaluator.prompt.render({**TEXTS, "parcel": f"{n} g"}),
                max_tokens=8,
            )
            for n in range(count)
        ]
        together = await asyncio.gather(*(engine.complete(request) for request in requests))
        apart = [await engine.complete(request) for request in requests]
        return [one.text for one in together], [one.text for one in apart]

    together, apart = asyncio.run(run())
    assert together == apart


def test_text_streams_from_the_engine_in_this_process(engine):
    shown = []
    request = Request("evaluator", engine.bundle.evaluator.prompt.render(TEXTS), "The parcel", max_tokens=12)
    completion = asyncio.run(_streamed(engine, request, shown))
    assert completion.text.startswith("".join(shown))
    assert len(shown) > 1


async def _streamed(engine, request, shown):
    return await engine.complete(request, shown.append)


def test_a_request_that_is_cancelled_leaves_the_batch_of_the_engine_in_this_process(engine):
    """It would run for a thousand tokens; the next one does not wait for them."""

    async def run():
        prompt = engine.bundle.evaluator.prompt.render(TEXTS)
        begun = asyncio.Event()
        long = asyncio.create_task(
            engine.complete(Request("evaluator", prompt, max_tokens=1900), lambda _piece: begun.set())
        )
        await begun.wait()
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        return await engine.complete(Request("evaluator", prompt, max_tokens=2))

    assert asyncio.run(run()).tokens <= 2
