"""Metrics of a server over engines by URL: what happened is what they count."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from benchmarks.storm.backend import Backend
from proseform import testing
from proseform.abstention import fitted
from proseform.errors import ProseformError, Refusal
from proseform.infer.http import HttpEngine
from proseform.infer.kept import ProseCache
from proseform.infer.spec import EngineSpec
from proseform.schema import Schema
from proseform.serve.admission import Admission
from proseform.serve.router import Router, Weighted

INPUTS = {"parcel": "a map, 90 g", "rule": "at most 100 g"}


def total(name, **labels):
    """The sum of a metric over all labels that are not given."""
    return sum(
        sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_calls_breakers_texts_stages_the_queue_and_the_cache_are_counted():
    async def run():
        well, ill = Backend(1, 0.0), Backend(2)
        for one in (well, ill):
            await one.start()
        ill.fails = ("HTTP 500",)
        task = testing.toy_task()
        engine = HttpEngine(EngineSpec(f"{well.url},{ill.url}", well.url), testing.toy_bundle(task))
        kept = ProseCache(b"0123456789abcdef", 1 << 20, 60)
        admission = Admission(Router([Weighted(engine)]), task, concurrency=4, kept=kept)
        sick = ill.url.partition("://")[2]
        names = {
            "first": ("proseform_engine_calls_total", {"role": "formatter", "why": "first"}),
            "retry": ("proseform_engine_calls_total", {"why": "retry", "ended": "ok"}),
            "failed": ("proseform_engine_calls_total", {"backend": sick, "ended": "error"}),
            "texts": ("proseform_texts_total", {"accepted": "yes"}),
            "evaluator": ("proseform_stage_seconds_count", {"stage": "evaluator"}),
            "queue": ("proseform_queue_seconds_count", {"kind": "interactive"}),
            "hit": ("proseform_prose_cache_total", {"outcome": "hit"}),
            "joined": ("proseform_joined_total", {}),
            "answers": ("proseform_answers_total", {"task": "toy"}),
        }
        before = {name: total(metric, **labels) for name, (metric, labels) in names.items()}
        try:
            for _ in range(10):
                await admission.answer(INPUTS)
            await asyncio.gather(*(admission.answer({**INPUTS, "rule": "at most 500 g"}) for _ in range(3)))
        except ProseformError as error:
            raise AssertionError(error) from error
        finally:
            await engine.close()
            for one in (well, ill):
                await one.stop()
        counted = {name: total(metric, **labels) - before[name] for name, (metric, labels) in names.items()}
        return counted, total("proseform_breaker_state", role="formatter", backend=sick), ill.calls

    counted, breaker, calls = asyncio.run(run())
    assert counted["answers"] == counted["evaluator"] == 13
    assert (counted["hit"], counted["joined"], counted["queue"]) == (9, 2, 11)
    assert counted["texts"] == 2 + 11, "two evaluations, and JSON for all but those that joined"
    assert counted["failed"] == calls >= 5
    assert counted["retry"] == counted["failed"], "each was answered by the other"
    assert counted["first"] + counted["failed"] >= 11
    assert breaker > 0
    assert total("proseform_in_flight") == total("proseform_queue_depth") == 0


def test_cases_that_are_turned_away_are_counted_however_that_is_said():
    """By a refusal, and by an answer of the schema's own."""
    task = testing.toy_task()
    train, valid = ([case.inputs for case in task.generate("easy", split, 0, 200)] for split in ("train", "valid"))
    bundle = testing.toy_bundle(task, abstention=fitted(train, valid, 0.02))
    engine = testing.ScriptedEngine(bundle, lambda _request: "")
    own = {"type": "object", "properties": {"note": {"enum": ["none"]}}, "additionalProperties": False}
    foreign = {**INPUTS, "parcel": "Fold the whites into the batter, and bake it until golden."}

    async def run():
        admission = Admission(Router([Weighted(engine)]), task)
        with pytest.raises(Refusal, match="has words that they do not know"), admission.counted():
            await admission.answer(foreign)
        return await admission.answer(foreign, schema=Schema({**own, "x-abstain": {"answer": {"note": "none"}}}))

    names = {
        "abstained": ("proseform_abstentions_total", {"task": "toy"}),
        "refused": ("proseform_refusals_total", {"reason": "insufficient_evidence"}),
        "answered": ("proseform_answers_total", {"bundle": bundle.digest}),
        "texts": ("proseform_texts_total", {}),
    }
    before = {name: total(metric, **labels) for name, (metric, labels) in names.items()}
    assert asyncio.run(run()).value == {"note": "none"}
    counted = {name: total(metric, **labels) - before[name] for name, (metric, labels) in names.items()}
    assert counted == {"abstained": 2, "refused": 1, "answered": 1, "texts": 0}
    assert engine.requests == []
