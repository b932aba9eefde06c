"""The storm in small: every fault on real sockets, and what became of every request, whatever the timing."""

import asyncio

import pytest

from benchmarks.storm import __main__ as storm
from benchmarks.storm import oracle, play
from benchmarks.storm.faults import FAULTS
from proseform.bundle import ROLES


async def few(names, failing, requests, **spec):
    """Some requests at once, while some replicas of each role always fail."""
    async with play.scene(deadline_s=120.0, slow_s=1.0, **spec) as stage:
        for role in ROLES:
            for backend in stage.backends[role][:failing]:
                backend.fails = names
        await asyncio.gather(*(stage.ask() for _ in range(requests)))
        every = [backend for role in ROLES for backend in stage.backends[role]]
        return stage.total(), sum((backend.failed for backend in every), start=every[0].failed.__class__())


@pytest.mark.parametrize("name", FAULTS)
def test_beside_replicas_that_are_well_no_fault_leads_to_an_invalid_answer_or_to_none(name):
    result, failed = asyncio.run(few((name,), 1, 6))
    assert failed[name] > 0
    assert (result.valid, result.invalid, result.untyped) == (6, 0, 0), result.refused
    if name in ("hang", "drip"):
        assert result.aborted >= failed[name], "who is not waited for is cancelled at the engine"


def test_where_nothing_works_every_request_is_refused_by_name():
    names = tuple(name for name in FAULTS if name.startswith("200"))
    result, _ = asyncio.run(few(names, 3, 6))
    assert (result.valid, result.invalid, result.untyped) == (0, 0, 0)
    assert sum(result.refused.values()) == 6


def test_bounds_are_told_where_they_are_broken():
    fine = {"invalid": 0, "untyped": 0, "late": 0, "valid": 1.0, "calls_ratio": 1.1}
    assert storm.broken("one of 3: hang", fine) == []
    for wrong in ({"invalid": 1}, {"untyped": 1}, {"late": 1}, {"valid": 0.98}, {"calls_ratio": 1.3}):
        assert len(storm.broken("one of 3: hang", {**fine, **wrong})) == 1
    assert storm.broken("dies", {**fine, "opens_s": 0.5, "heals_s": 2.5})
    assert storm.broken("all 3", {**fine, "ideal": 0.8, "of ideal": 0.9})


def test_oracles_are_bounds():
    asked = 1000, 0.3, 0.7, 3, 5
    assert 0.7 < oracle.ideal(*asked) < oracle.clairvoyant(*asked) < 1
    assert oracle.ideal(100, 0.0, 0.5, 3, 5) == oracle.clairvoyant(100, 0.0, 0.5, 3, 5) == 1
    assert oracle.ideal(100, 1.0, 0.5, 3, 5) == oracle.clairvoyant(100, 1.0, 0.5, 3, 5) == 0
