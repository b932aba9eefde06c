"""Calls in a process of its own end within their limits, and the next call finds a process again."""

import time

import pytest

from proseform.confined import Confined, Exceeded

HERE = "tests.confined_calls"


@pytest.fixture
def confined(request):
    running = Confined(f"{HERE}:{request.param}", memory=100 << 20, seconds=1.0, processes=1)
    yield running
    running.close()


@pytest.mark.parametrize("confined", ["echo"], indirect=True)
def test_arguments_and_results_are_json_of_any_size_and_prints_are_no_answer(confined):
    for value in (None, {"a": [1, "é\n"]}, "x" * 300_000):
        assert confined.call(value) == value


@pytest.mark.parametrize("confined", ["length"], indirect=True)
def test_bytes_go_in_as_they_are(confined):
    for data in (b"", b"\0\n\xff", bytes(5 << 20)):
        assert confined.call("x", data) == ["x", len(data), sum(data)]


@pytest.mark.parametrize("confined", ["process"], indirect=True)
def test_a_process_stays_for_the_next_call(confined):
    assert confined.call(None) == confined.call(None)


@pytest.mark.parametrize(("confined", "cause"), [("spin", "time"), ("hoard", "memory")], indirect=["confined"])
def test_what_needs_too_much_is_stopped_and_replaced(confined, cause):
    first = confined.call(False)
    with pytest.raises(Exceeded) as caught:
        confined.call(True)
    assert caught.value.cause == cause
    assert confined.call(False) != first


@pytest.mark.parametrize("confined", ["die"], indirect=True)
def test_a_process_that_ends_itself_is_a_crash_and_replaced(confined):
    first = confined.call(False)
    with pytest.raises(Exceeded) as caught:
        confined.call(True)
    assert caught.value.cause == "crash"
    assert confined.call(False) != first


@pytest.mark.parametrize("confined", ["keep"], indirect=True)
def test_a_process_that_keeps_what_a_call_has_used_is_replaced(confined):
    first = confined.call(1 << 20)
    assert confined.call(70 << 20) == first
    assert confined.call(1 << 20) != first


@pytest.mark.parametrize("confined", ["process"], indirect=True)
def test_a_deadline_while_a_process_starts_leaves_it_to_the_next_call(confined):
    with pytest.raises(Exceeded) as caught:
        confined.call(None, deadline=time.monotonic() + 1e-4)
    assert caught.value.cause == "deadline"
    assert confined.call(None) == confined.call(None)


@pytest.mark.parametrize("confined", ["spin"], indirect=True)
def test_a_deadline_comes_first(confined):
    with pytest.raises(Exceeded) as caught:
        confined.call(True, deadline=time.monotonic())
    assert caught.value.cause == "deadline"


@pytest.mark.parametrize("confined", ["fail"], indirect=True)
def test_a_fault_of_the_function_is_an_error_with_its_words(confined):
    with pytest.raises(RuntimeError, match="ValueError: so it is"):
        confined.call(None)
