"""Compilations are made once each, side by side, within every caller's own deadline, and kept by bytes."""

import threading
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest

from proseform import testing
from proseform.errors import InputError, Refusal
from proseform.infer.grammars import constrain
from proseform.infer.grammars.compilations import Compilations
from proseform.infer.grammars.constrain import Constraints
from tests.waiting import PATIENCE_S, until

"""Longest wait for what should come at once: a machine that is busy fails nothing."""


class Work:
    """Something to make, which tells when it began and waits until it may end."""

    def __init__(self, value="made", size=1):
        self.value, self.size = value, size
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.times = 0

    def __call__(self):
        self.times += 1
        self.begun.set()
        assert self.may_end.wait(PATIENCE_S)
        return self.value, self.size


@pytest.fixture
def callers():
    with ThreadPoolExecutor(8) as pool:
        yield pool


def waits(compilations, key, callers):
    """How many wait for a key, once there are so many."""
    until(lambda: compilations._orders[key].waiting >= callers)


def test_a_slow_one_keeps_nobody_else_waiting(callers):
    compilations, slow = Compilations(10), Work()
    first = callers.submit(compilations.get, "slow", slow)
    assert slow.begun.wait(PATIENCE_S)
    assert compilations.get("fast", lambda: ("fast", 1)) == "fast"
    assert not first.done()
    slow.may_end.set()
    assert first.result(PATIENCE_S) == "made"


def test_whoever_asks_for_the_same_meanwhile_gets_the_same_made_once(callers):
    compilations, work = Compilations(10), Work(value=object())
    asked = [callers.submit(compilations.get, "key", work) for _ in range(5)]
    waits(compilations, "key", 5)
    work.may_end.set()
    assert {id(future.result(PATIENCE_S)) for future in asked} == {id(work.value)}
    assert compilations.get("key", work) is work.value
    assert work.times == 1


def test_each_of_those_who_wait_keeps_a_deadline_of_their_own(callers):
    compilations, work = Compilations(10), Work()
    patient = callers.submit(compilations.get, "key", work)
    assert work.begun.wait(PATIENCE_S)
    with pytest.raises(Refusal) as caught:
        compilations.get("key", work, deadline=time.monotonic())
    assert caught.value.reason == "deadline"
    assert not patient.done()
    work.may_end.set()
    assert patient.result(PATIENCE_S) == "made"
    assert work.times == 1


def test_what_goes_on_when_nobody_waits_is_there_for_the_next():
    compilations, work = Compilations(10), Work()
    while not work.begun.is_set():  # a deadline that comes before a thread is there takes it off the line again
        with pytest.raises(Refusal):
            compilations.get("key", work, deadline=time.monotonic() + 0.05)
    work.may_end.set()
    assert compilations.get("key", work) == "made"
    assert work.times == 1


def test_no_more_than_allowed_are_made_at_a_time_and_what_nobody_waits_for_is_not_begun(callers):
    compilations, works = Compilations(10, side_by_side=2), {key: Work() for key in "ab"}
    asked = [callers.submit(compilations.get, key, work) for key, work in works.items()]
    assert all(work.begun.wait(PATIENCE_S) for work in works.values())
    given_up, third = Work(), Work(value="third")
    with pytest.raises(Refusal):
        compilations.get("given up", given_up, deadline=time.monotonic())
    asked.append(callers.submit(compilations.get, "third", third))
    waits(compilations, "third", 1)
    assert not third.begun.is_set()
    third.may_end.set()
    works["a"].may_end.set()
    assert asked[2].result(PATIENCE_S) == "third"
    works["b"].may_end.set()
    assert [future.result(PATIENCE_S) for future in asked[:2]] == ["made", "made"]
    assert given_up.times == 0


def test_whoever_leaves_takes_what_nobody_else_wants_off_the_line(callers):
    compilations, first, second = Compilations(10, side_by_side=1), Work(), Work()
    under_way = callers.submit(compilations.get, "under way", first)
    assert first.begun.wait(PATIENCE_S)
    left, stays = Future(), Future()
    leaves = callers.submit(compilations.get, "wanted by one", second, None, left)
    both = [callers.submit(compilations.get, "wanted by two", lambda: ("made", 1), None, one) for one in (left, stays)]
    waits(compilations, "wanted by one", 1)
    waits(compilations, "wanted by two", 2)
    left.set_result(None)
    assert [type(one.exception(PATIENCE_S)) for one in (leaves, both[0])] == [CancelledError] * 2
    assert "wanted by one" not in compilations._orders
    first.may_end.set()
    assert [one.result(PATIENCE_S) for one in (under_way, both[1])] == ["made", "made"]
    assert second.times == 0


def test_a_failure_reaches_all_who_wait_and_is_not_kept(callers):
    compilations, may_end = Compilations(10), threading.Event()

    def fails():
        assert may_end.wait(PATIENCE_S)
        raise InputError("no")

    asked = [callers.submit(compilations.get, "key", fails) for _ in range(3)]
    waits(compilations, "key", 3)
    may_end.set()
    assert [type(future.exception(PATIENCE_S)) for future in asked] == [InputError] * 3
    assert compilations.get("key", lambda: ("made", 1)) == "made"


def test_those_used_least_lately_are_forgotten_when_there_are_too_many_bytes():
    compilations, made = Compilations(10), []

    def get(key, size):
        compilations.get(key, lambda: (made.append(key), size))

    get("a", 4)
    get("b", 4)
    get("a", 4)
    get("c", 4)
    assert made == ["a", "b", "c"]
    get("a", 4)
    get("c", 4)
    assert made == ["a", "b", "c"]
    get("b", 4)
    assert made == ["a", "b", "c", "b"]


def test_what_is_larger_than_the_whole_bound_is_given_and_not_kept():
    compilations, made = Compilations(10), []
    for _ in range(2):
        compilations.get("large", lambda: (made.append("large"), 11))
    assert made == ["large", "large"]


def test_what_is_larger_than_the_whole_bound_drives_out_nothing_that_is_kept():
    compilations, made = Compilations(10), []
    for key, size in (("small", 4), ("large", 11), ("small", 4)):
        compilations.get(key, lambda key=key, size=size: (made.append(key), size))
    assert made == ["small", "large"]


def test_what_is_of_no_use_is_forgotten_unless_it_was_made_anew_meanwhile():
    kept: Compilations[object] = Compilations(10)
    first, second = object(), object()
    assert kept.get("a", lambda: (first, 10)) is first
    kept.forget("a", second)
    assert kept.get("a", lambda: (second, 10)) is first
    kept.forget("a", first)
    assert kept.get("a", lambda: (second, 10)) is second
    assert kept.get("b", lambda: (first, 1)) is first, "its bytes are free: the larger one went, and came once"


def test_a_schema_that_compiles_slowly_keeps_no_other_schema_waiting(callers, monkeypatch):
    words = testing.tokenizer(["any text"])
    constraints = Constraints(words, [words.eos_token_id], len(words))
    slow, fast = {"type": "integer"}, {"type": "boolean"}
    begun, may_end, compiled = threading.Event(), threading.Event(), constrain.compiled

    def compile_it(tokenizer, document):
        if document == slow:
            begun.set()
            assert may_end.wait(PATIENCE_S)
        return compiled(tokenizer, document)

    monkeypatch.setattr(constrain, "compiled", compile_it)
    first = callers.submit(constraints.matcher, slow)
    assert begun.wait(PATIENCE_S)
    assert constraints.matcher(fast).consume_tokens(words.encode("true", add_special_tokens=False))
    with pytest.raises(Refusal) as caught:
        constraints.matcher(slow, deadline=time.monotonic())
    assert caught.value.reason == "deadline"
    assert not first.done()
    may_end.set()
    assert not first.result(PATIENCE_S).is_error()
