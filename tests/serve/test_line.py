"""The line before the engines, under a virtual clock: who is next, who is turned away, and what it tells them."""

import asyncio

import pytest

from proseform.errors import Refusal
from proseform.serve import faults
from proseform.serve.faults import BusyError
from proseform.serve.line import Line
from tests import virtual


def clock():
    return asyncio.get_running_loop().time()


def line(places, length):
    return Line(places, length, clock=clock)


async def work(one, takes_s, kind="interactive", allowed_s=1000.0):
    """A request that holds its place for some time: when it was done, or why not."""
    try:
        async with one.place(kind, clock() + allowed_s):
            await asyncio.sleep(takes_s)
        return clock()
    except (BusyError, Refusal) as error:
        return error


async def arrive(one, seconds, rate, takes_s, allowed_s, kind="interactive"):
    """Requests at a rate; what became of each."""

    async def later(number):
        await asyncio.sleep(number / rate)
        return await work(one, takes_s, kind, allowed_s)

    return await asyncio.gather(*(later(number) for number in range(int(seconds * rate))))


@pytest.mark.parametrize("load", [1.0, 3.0, 10.0])
def test_overload_never_lowers_the_rate_of_answers_below_nine_tenths_of_capacity(load):
    """Four places of 0.1 s are 40 answers a second; callers allow 1 s, which 64 ahead of them would take twice over."""
    outcomes = virtual.run(_storm(load))
    answered = [one for one in outcomes if isinstance(one, float)]
    shed = [one for one in outcomes if isinstance(one, BusyError)]
    assert len(answered) >= 0.9 * 40 * 10
    vain = len(outcomes) - len(answered) - len(shed)
    assert vain <= 64, "nobody waits in vain, but those who came before anything was known"
    assert bool(shed) == (load > 1)


async def _storm(load):
    return await arrive(line(4, 64), 10, 40 * load, 0.1, 1.0)


def test_retry_after_is_the_length_of_the_line_over_the_measured_rate():
    async def run():
        one = line(2, 4)
        await asyncio.gather(*(work(one, 3.0) for _ in range(6)))
        tasks = [asyncio.create_task(work(one, 3.0)) for _ in range(6)]
        await asyncio.sleep(0)
        return await work(one, 3.0), one.rate(), tasks

    error, rate, _ = virtual.run(run())
    assert rate == pytest.approx(2 / 3)
    assert isinstance(error, BusyError)
    assert faults.headers(error) == {"retry-after": "8"}, "4 ahead and itself, 2 each 3 s"
    assert faults.status(error) == 503


def test_a_caller_that_comes_when_it_was_told_to_finds_a_place():
    async def run():
        one = line(1, 3)
        await work(one, 2.0)
        tasks = [asyncio.create_task(work(one, 2.0)) for _ in range(4)]
        await asyncio.sleep(0)
        error = await work(one, 2.0)
        await asyncio.sleep(error.retry_after_s)
        return await work(one, 2.0), await asyncio.gather(*tasks)

    outcome, _ = virtual.run(run())
    assert isinstance(outcome, float)


def test_batches_take_half_of_the_line_and_are_told_to_send_less():
    async def run():
        one = line(1, 4)
        tasks = [asyncio.create_task(work(one, 1.0, "batch")) for _ in range(4)]
        await asyncio.sleep(0)
        shed = await tasks[3]
        tasks += [asyncio.create_task(work(one, 1.0)) for _ in range(3)]
        await asyncio.sleep(0)
        return shed, await asyncio.gather(*tasks[:3], *tasks[4:])

    shed, outcomes = virtual.run(run())
    assert faults.status(shed) == 429
    assert "retry-after" in faults.headers(shed)
    assert outcomes[:3] == [1, 4, 5], "interactive requests came later and are answered first"
    assert outcomes[3:5] == [2, 3]
    assert isinstance(outcomes[5], BusyError)


def test_a_probe_is_answered_first_and_finds_a_place_in_a_full_line():
    async def run():
        one = line(1, 2)
        tasks = [asyncio.create_task(work(one, 1.0)) for _ in range(3)]
        await asyncio.sleep(0)
        probe = await work(one, 1.0, "probe")
        return probe, await asyncio.gather(*tasks)

    assert virtual.run(run()) == (2, [1, 3, 4])


def test_who_leaves_the_line_or_runs_out_of_time_loses_no_place():
    async def run():
        one = line(1, 5)
        first = asyncio.create_task(work(one, 2.0))
        await asyncio.sleep(0)
        leaver, late, last = (asyncio.create_task(work(one, 1.0, allowed_s=left)) for left in (50, 1.0, 50))
        await asyncio.sleep(0.5)
        leaver.cancel()
        outcomes = await asyncio.gather(first, late, last)
        async with one.place("interactive", clock() + 1):
            pass
        return outcomes

    first, late, last = virtual.run(run())
    assert (first, last) == (2, 3)
    assert late.reason == "deadline"


def test_who_has_left_the_line_is_forgotten():
    """While nothing moves: callers that come and go make the line no longer."""

    async def play():
        one = line(1, 10)
        async with one.place("interactive", clock() + 1000.0):
            for _ in range(1000):
                assert isinstance(await work(one, 0.0, allowed_s=0.1), Refusal)
            return len(one._waiting)

    assert virtual.run(play()) == 0


def test_a_place_that_is_handed_over_to_someone_who_leaves_goes_to_the_next():
    async def run():
        one = line(1, 5)
        async with one.place("interactive", 10):
            leaver, last = (asyncio.create_task(work(one, 1.0)) for _ in range(2))
            await asyncio.sleep(0.1)
        leaver.cancel()  # the place was given to it, and it has not run since
        return await last

    assert virtual.run(run()) == pytest.approx(1.1)


def test_nothing_is_known_before_the_first_answer_and_nobody_is_turned_away_for_it():
    async def run():
        one = line(1, 5)
        assert one.rate() is None
        return await asyncio.gather(*(work(one, 1.0, allowed_s=10) for _ in range(6)))

    assert virtual.run(run()) == [1, 2, 3, 4, 5, 6]
