"""Evaluations that are kept: what a key covers, what bounds them, and that a hit is verified anew."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import task as tasks
from proseform import testing
from proseform.bundle import Generation
from proseform.errors import ConfigError, Refusal
from proseform.infer import kept
from proseform.infer.answer import answered
from proseform.infer.kept import ProseCache
from proseform.infer.moves import Plan
from proseform.infer.resilience.observer import Observer
from proseform.schema import Schema
from tests.infer.test_chain import INPUTS, JSON, PROSE

SECRET = b"0123456789abcdef"
TASK = testing.toy_task()
BUNDLE = testing.toy_bundle(TASK)
TEXTS = {name: value.text for name, value in INPUTS.items()}


class Notes(Observer):
    def __init__(self):
        self.cache, self.texts = [], []

    def cached(self, outcome):
        self.cache.append(outcome)

    def judged(self, role, _completion, *, accepted):
        self.texts.append((role, accepted))


def key(cache=None, tenant="a", **changes):
    part = {name: changes.pop(name) for name in ("base_digest", "generation", "prompt") if name in changes}
    bundle = replace(BUNDLE, evaluator=replace(BUNDLE.evaluator, **part))
    plan = Plan(bundle, **{"schema": TASK.schema, "task": TASK, "inputs": INPUTS, **changes})
    return (cache or ProseCache(SECRET, 1 << 20, 60)).key(tenant, plan)


def test_a_key_covers_whatever_the_prose_depends_on_and_the_tenant():
    others = [
        key(ProseCache(b"another secret!!", 1 << 20, 60)),
        key(tenant="b"),
        key(base_digest="sha256:" + "1" * 64),
        key(generation=Generation(95, 2048)),
        key(generation=replace(BUNDLE.evaluator.generation, retry_temperature=0.3)),
        key(prompt=replace(TASK.evaluator, system="You weigh.")),
        key(task=replace(TASK, contract="sha256:" + "1" * 64)),
        key(inputs={**INPUTS, "rule": INPUTS["rule"].of("at most 101 g")}),
        key(inputs={**INPUTS, "rule": INPUTS["rule"].of("at most 100 g\u200b")}),  # the text is the same
        key(inputs={"parcel": INPUTS["rule"], "rule": INPUTS["parcel"]}),
    ]
    assert len({key(), *others}) == 1 + len(others)
    assert key() == key(deadline=5.0, narrows=False, schema=Schema({"type": "array"}))
    assert TEXTS["parcel"] not in key()


def test_a_secret_that_can_be_guessed_is_refused():
    with pytest.raises(ValueError, match="16"):
        ProseCache(b"short", 1, 1)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000), st.sampled_from([0, 1, 30])), max_size=60))
def test_it_is_bounded_by_bytes_and_age_and_gives_what_was_put_last(puts):
    now, known = [0.0], {}
    cache = ProseCache(SECRET, 5000, 60, clock=lambda: now[0])

    async def run():
        for name, size, wait in puts:
            now[0] += wait
            await cache.put(name, f"{now[0]}" + "x" * size)
            known[name] = now[0], f"{now[0]}" + "x" * size
            assert cache.bytes <= 5000
            assert all(now[0] < known[one][0] + 60 for one in cache._entries), "what is over is gone, asked for or not"
            assert sorted((until, one) for one, (until, *_) in cache._entries.items()) == cache._ends
            for one, (at, prose) in known.items():
                got = await cache.get(one)
                assert got is None or (got == prose and now[0] < at + 60)
            if size < 4000:
                assert await cache.get(name) == known[name][1]

    asyncio.run(run())


@pytest.mark.parametrize("use", ["get", "put"])
def test_what_is_over_goes_whatever_else_is_asked_for(use):
    now = [0.0]
    cache = ProseCache(SECRET, 1 << 20, 60, clock=lambda: now[0])

    async def run():
        await cache.put("old", "a" * 1000)
        now[0] = 30.0
        await cache.put("young", "b")
        await cache.get("old")  # that it was asked for makes it no younger
        now[0] = 60.0
        await (cache.get("other") if use == "get" else cache.put("other", "c"))
        return cache.bytes, [*cache._entries]

    left, names = asyncio.run(run())
    assert left < 1000
    assert names == ["young", *(["other"] if use == "put" else [])]


def test_another_attempt_at_the_json_does_not_pay_for_the_evaluator_again():
    notes = Notes()
    cache, texts = ProseCache(SECRET, 1 << 20, 60, notes), iter([PROSE, "Sure!", "Sure!", "Sure!", JSON, PROSE, JSON])
    engine = testing.ScriptedEngine(BUNDLE, lambda _request: next(texts))

    async def run():
        with pytest.raises(Refusal):
            await answered(engine, TASK, TEXTS, kept=cache, tenant="a", observer=notes)
        again = await answered(engine, TASK, TEXTS, kept=cache, tenant="a", observer=notes)
        return again, await answered(engine, TASK, TEXTS, kept=cache, tenant="b")

    again, other = asyncio.run(run())
    assert again.prose == other.prose == PROSE
    roles = [request.role[0] for request in engine.requests]
    assert roles == ["e", "f", "f", "f", "f", "e", "f"], "the other tenant pays for itself"
    assert notes.cache == ["miss", "stored", "hit", "miss", "stored"]
    assert notes.texts == [("evaluator", True), *[("formatter", False)] * 3, ("formatter", True)]


def test_what_is_found_is_verified_anew():
    """A cache that was tampered with costs an evaluation, and nothing else."""

    class Tampered(ProseCache):
        async def get(self, key):
            return PROSE.replace("a map", "a clay cup")

    engine = testing.ScriptedEngine(BUNDLE, [PROSE, JSON])
    answer = asyncio.run(answered(engine, TASK, TEXTS, kept=Tampered(SECRET, 1 << 20, 60)))
    assert answer.prose == PROSE


def test_prose_that_was_kept_is_shown_whole_to_whoever_watches():
    cache, shown = ProseCache(SECRET, 1 << 20, 60), []

    async def run():
        await answered(testing.ScriptedEngine(BUNDLE, [PROSE, JSON]), TASK, TEXTS, kept=cache)
        await answered(testing.ScriptedEngine(BUNDLE, [JSON]), TASK, TEXTS, kept=cache, on_text=shown.append)

    asyncio.run(run())
    assert shown == [PROSE]


def test_options_describe_a_cache(tmp_path):
    assert kept.cache(0, 60, None) is None
    assert kept.cache(64, 0, None) is None
    one, other = kept.cache(1, 60, None), kept.cache(1, 60, None)
    assert one.digest("x") != other.digest("x"), "each start draws a secret"
    (tmp_path / "secret").write_bytes(SECRET)
    assert kept.cache(1, 60, tmp_path / "secret").digest("x") == ProseCache(SECRET, 1, 1).digest("x")
    (tmp_path / "secret").write_bytes(b"short")
    for path in (tmp_path / "secret", tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match=path.name):
            kept.cache(1, 60, path)


def test_what_was_computed_anew_is_told_of_an_evaluation_that_was_kept_too():
    cv = tasks.load("cv")
    (case,) = cv.generate("professional", "valid", 7, 1)
    score = case.answer["score"]
    wrong = case.prose.replace(f"Score: {score}.", f"Score: {(score + 50) % 101}.")
    bundle = testing.toy_bundle(cv, settings={"accept": "recomputed"})
    answers = json.dumps(case.answer)

    async def twice():
        cache = ProseCache(SECRET, 1 << 20, 60)
        engines = testing.ScriptedEngine(bundle, [wrong, answers]), testing.ScriptedEngine(bundle, [answers])
        return [await answered(engine, cv, case.inputs, kept=cache) for engine in engines]

    first, again = asyncio.run(twice())
    assert first.recomputed == again.recomputed != ()
    assert first.value == again.value == case.answer
