"""Replicas whose prefix caches hold: where prompts with a common beginning go, and that none is overloaded by it."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.infer import Request
from proseform.infer.resilience import homes
from proseform.infer.resilience.homes import Homes, beginnings
from proseform.prompt import Prompt, Rendered
from tests import virtual
from tests.infer.resilience.test_calls import Far, down, outcome, pool

JOB_FIRST = Prompt("chat", "Judge.", "Job: {job}\nCV: {cv}")


def prompt(job, cv):
    return JOB_FIRST.render({"job": job, "cv": cv})


def asked(job, cv):
    return Request("formatter", prompt(job, cv), deadline=1000.0)


async def spread(one, fars, jobs, cases, apart_s):
    """Cases of several jobs in turn; gives where the cases of each job were read."""
    read = {job: [] for job in range(jobs)}

    async def later(number, job, cv):
        await asyncio.sleep(number * apart_s)
        before = [len(far.began) for far in fars]
        task = asyncio.ensure_future(outcome(one, asked(f"job {job}", f"cv {cv}")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        after = [len(far.began) for far in fars]
        read[job] += [place for place, (old, new) in enumerate(zip(before, after, strict=True)) if new > old]
        await task

    todo = itertools.product(range(cases), range(jobs))
    await asyncio.gather(*(later(number, job, cv) for number, (cv, job) in enumerate(todo)))
    return read


@pytest.mark.parametrize(("prefixes", "expected"), [(True, 1), (False, 3)])
def test_cases_of_one_job_are_read_where_the_job_was_read_before(prefixes, expected):
    fars = [Far(), Far(), Far()]
    one, _ = pool(*fars, prefixes=prefixes)
    read = virtual.run(spread(one, fars, jobs=7, cases=20, apart_s=0.05))
    assert [len(set(places)) for places in read.values()] == [expected] * 7
    assert all(len(far.began) > 20 for far in fars), "jobs are spread"


def test_a_job_that_everybody_asks_for_is_read_by_as_many_replicas_as_it_takes():
    fars = [Far(takes_s=1.0), Far(takes_s=1.0), Far(takes_s=1.0)]
    one, _ = pool(*fars, prefixes=True)

    async def work():
        tasks = [asyncio.ensure_future(outcome(one, asked("the job", f"cv {number}"))) for number in range(90)]
        await asyncio.sleep(0.5)
        loads = sorted(replica.server.load for replica in one.replicas)
        await asyncio.gather(*tasks)
        return loads

    least, _, most = virtual.run(work())
    assert most <= 1.25 * least + 2


def test_a_home_that_fails_is_left_and_another_becomes_it():
    fars = [Far(error=down()), Far()]
    one, _ = pool(*fars, prefixes=True)

    async def work():
        one._homes.read(prompt("job", "cv 0"), "a")
        for number in range(1, 4):
            await outcome(one, asked("job", f"cv {number}"))

    virtual.run(work())
    assert (len(fars[0].began), len(fars[1].began)) == (1, 3)


def test_beginnings_end_with_each_text_of_theirs():
    one, other = beginnings(prompt("a job", "a cv")), beginnings(prompt("a job", "another"))
    assert len(one) == len(other) == 2
    assert one[0] == other[0]
    assert one[1] != other[1]
    assert not set(one) & set(beginnings(prompt("another", "a cv")))
    assert beginnings(Rendered.from_json("Text: x\nJSON:")) == [], "what is in every prompt tells none apart"


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), max_size=60))
def test_the_last_replica_that_read_a_beginning_is_its_home_and_memory_is_bounded(reads):
    most, homes.MOST = homes.MOST, 10
    try:
        known, last = Homes(), {}
        for job, name in reads:
            known.read(prompt(f"job {job}", "cv"), name)
            last.pop(job, None)
            last[job] = name
            assert len(known._names) <= 10
        for job in list(last)[-5:]:
            assert known.of(prompt(f"job {job}", "another cv")) == last[job]
        assert known.of(prompt("a job that nobody knows", "cv")) == ""
    finally:
        homes.MOST = most
