"""Admission, and the agreement of task and bundle."""

import asyncio
import time
from dataclasses import replace

import pytest

from proseform import testing
from proseform.errors import EngineError, EngineFaultError, InputError, Refusal, TaskError
from proseform.infer.kept import ProseCache
from proseform.serve import faults, server
from proseform.serve.admission import Admission
from proseform.serve.router import Router, Weighted

PROSE = "The parcel weighs 90 g, 100 g are allowed. Note: a map. Verdict: send."
INPUTS = {"parcel": "a map, 90 g", "rule": "at most 100 g"}


def admission(script, **options):
    task = testing.toy_task()
    return Admission(Router([Weighted(testing.ScriptedEngine(testing.toy_bundle(task), script))]), task, **options)


def good(request):
    return PROSE if request.role == "evaluator" else '{"verdict": "send", "grams": 90, "note": "a map"}'


def gated():
    """A script that waits, the event that lets it go on, and the event that it waits."""
    gate, waiting = asyncio.Event(), asyncio.Event()

    async def script(request):
        waiting.set()
        await gate.wait()
        return good(request)

    return script, gate, waiting


def test_a_full_queue_says_so_at_once_and_empties():
    async def storm():
        script, gate, waits = gated()
        full = admission(script, concurrency=1, queue=2)
        waiting = [asyncio.create_task(full.answer(INPUTS)) for _ in range(3)]
        await waits.wait()
        with pytest.raises(faults.BusyError):
            await full.answer(INPUTS)
        gate.set()
        await asyncio.gather(*waiting)
        return await full.answer(INPUTS)

    assert asyncio.run(storm()).value["grams"] == 90


def test_waiting_counts_against_the_deadline():
    async def late():
        script, gate, waits = gated()
        slow = admission(script, concurrency=1)
        first = asyncio.create_task(slow.answer(INPUTS))
        await waits.wait()
        with pytest.raises(Refusal) as caught:
            await slow.answer(INPUTS, deadline=time.monotonic() + 0.05)
        gate.set()
        await first
        return caught.value.reason

    assert asyncio.run(late()) == "deadline"


def test_a_caller_that_leaves_frees_its_place_and_ends_what_was_begun_for_it():
    async def leave():
        script, gate, waits = gated()
        narrow = admission(script, concurrency=1, queue=0)
        first = asyncio.create_task(narrow.answer(INPUTS))
        await waits.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.set()
        answer = await narrow.answer(INPUTS)
        return answer, len(narrow.router.engines[0].engine.requests)

    answer, requests = asyncio.run(leave())
    assert answer.value["grams"] == 90
    assert requests == 3, "one that was cancelled, and both turns of the other"


def test_a_bundle_of_another_state_of_the_task_does_not_start():
    task = testing.toy_task()
    engine = testing.ScriptedEngine(testing.toy_bundle(replace(task, contract="sha256:" + "1" * 64)), good)
    with pytest.raises(TaskError, match="111111111111"):
        server.run([Weighted(engine)], task)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (InputError("x"), 422, "input"),
        (Refusal("schema", "x"), 422, "schema"),
        (Refusal("truncated", "x"), 422, "truncated"),
        (Refusal("too_long", "x"), 413, "too_long"),
        (Refusal("deadline", "x"), 504, "deadline"),
        (EngineError("x"), 503, "engine"),
        (EngineFaultError("x"), 502, "engine"),
        (faults.BusyError("x"), 503, "busy"),
        (faults.BatchError([Refusal("deadline", "x")]), 504, "deadline"),
        (TaskError("x"), 422, "input"),
        (RuntimeError("secret"), 500, "internal"),
    ],
)
def test_every_error_has_its_status_and_its_reason(error, status, reason):
    assert (faults.status(error), faults.reason(error)) == (status, reason)
    assert "secret" not in str(faults.as_json(error))


def test_an_engine_that_is_away_is_counted_and_raised():
    async def call():
        await admission(lambda _request: EngineError("away")).answer(INPUTS)

    with pytest.raises(EngineError):
        asyncio.run(call())


def test_equal_requests_of_a_tenant_are_answered_once_and_those_of_another_by_themselves():
    async def run():
        script, gate, waits = gated()
        one = admission(script, concurrency=4, kept=ProseCache(b"0123456789abcdef", 1 << 20, 60))
        tasks = [asyncio.create_task(one.answer(INPUTS, tenant=tenant)) for tenant in "aaab"]
        await waits.wait()
        tasks[0].cancel()  # who came first leaves, and the others wait on
        gate.set()
        answers = await asyncio.gather(*tasks[1:])
        engine = one.router.engines[0].engine
        return answers, [request.role for request in engine.requests]

    answers, roles = asyncio.run(run())
    assert [answer.value["grams"] for answer in answers] == [90] * 3
    assert sorted(roles) == ["evaluator"] * 2 + ["formatter"] * 2


def test_several_evaluations_are_made_of_a_case_that_asks_for_them():
    async def run():
        one = admission(good, kept=ProseCache(b"0123456789abcdef", 1 << 20, 60))
        several = await one.answer(INPUTS, samples=3)
        alone = await one.answer(INPUTS)
        return several, alone, [request.role for request in one.router.engines[0].engine.requests]

    several, alone, roles = asyncio.run(run())
    assert (several.samples, several.agreement, alone.samples) == (3, 1.0, 1)
    assert roles.count("evaluator") == 4
