"""Equal requests that are under way: answered once, counted by reference, within each one's own deadline."""

import asyncio
import time

import pytest

from proseform.errors import Refusal
from proseform.serve.flights import Flights

LATER = 1e12


def run(story):
    async def main():
        flights, gate, begun, cancelled = Flights(), asyncio.Event(), [], []

        async def work():
            begun.append(True)
            try:
                await gate.wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise
            return "answer"

        def join(key="k", until=LATER):
            return asyncio.create_task(flights.join(key, until, work))

        await story(join, gate, begun, cancelled)
        assert len(flights) == 0, "nothing is left under way"

    asyncio.run(main())


def test_equal_requests_are_answered_once_and_others_by_themselves():
    async def story(join, gate, begun, cancelled):
        tasks = [join(), join(), join("other"), join()]
        await asyncio.sleep(0)
        gate.set()
        outcomes = await asyncio.gather(*tasks)
        assert outcomes == [("answer", False), ("answer", True), ("answer", False), ("answer", True)]
        assert len(begun) == 2
        assert (await join())[1] is False, "what has ended is not given again"

    run(story)


@pytest.mark.parametrize("leaves", [[0], [1], [0, 2], [0, 1, 2]])
def test_a_caller_that_leaves_cancels_the_work_only_as_the_last(leaves):
    async def story(join, gate, begun, cancelled):
        tasks = [join(), join(), join()]
        await asyncio.sleep(0)
        for index in leaves:
            tasks[index].cancel()
        await asyncio.gather(*(tasks[index] for index in leaves), return_exceptions=True)
        assert bool(cancelled) == (len(leaves) == 3)
        gate.set()
        rest = [task for index, task in enumerate(tasks) if index not in leaves]
        assert [answer for answer, _ in await asyncio.gather(*rest)] == ["answer"] * len(rest)

    run(story)


def test_a_deadline_ends_the_wait_of_its_own_caller_alone():
    async def story(join, gate, begun, cancelled):
        patient, hasty = join(), join(until=time.monotonic() + 0.01)
        with pytest.raises(Refusal) as caught:
            await hasty
        assert caught.value.reason == "deadline"
        gate.set()
        assert (await patient)[0] == "answer"

    run(story)


def test_the_deadline_of_whoever_came_first_is_no_other_callers():
    async def main():
        flights, calls, gate = Flights(), [], asyncio.Event()

        async def work():
            calls.append(True)
            if len(calls) == 1:
                await gate.wait()
                raise Refusal("deadline", "Time was up.")
            return "answer"

        soon = time.monotonic() + 60
        first = asyncio.create_task(flights.join("k", soon, work))
        later = asyncio.create_task(flights.join("k", soon + 60, work))
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(Refusal):
            await first
        assert (await later)[0] == "answer"
        assert len(calls) == 2

    asyncio.run(main())


def test_an_error_is_every_callers():
    async def main():
        async def work():
            await asyncio.sleep(0)
            raise ZeroDivisionError

        flights = Flights()
        outcomes = await asyncio.gather(*(flights.join("k", LATER, work) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in outcomes] == [ZeroDivisionError] * 3

    asyncio.run(main())
