"""The calls of a request over scripted replicas, under a virtual clock: which one, when, again, and beside which."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from proseform.errors import EngineError, EngineFaultError, Refusal
from proseform.infer import Completion, Request
from proseform.infer.resilience import calls
from proseform.infer.resilience.observer import Observer
from proseform.infer.resilience.pool import PassingError, Pool, Rules
from proseform.infer.resilience.replica import Server
from proseform.prompt import Rendered
from tests import virtual

ASK = Request("formatter", Rendered.from_json("Text: x\nJSON:"), deadline=100.0)


@dataclass
class Far:
    """A scripted replica.

    Attributes:
        takes_s: How long a call takes; infinity is a hang.
        error: What a call ends with, in the place of a text.
        text: What a call ends with.
        began: When calls began.
        ended: How many came to an end.
        cancelled: How many were cancelled.
    """

    takes_s: float = 0.1
    error: Exception | None = None
    text: str = "{}"
    began: list[float] = field(default_factory=list)
    ended: int = 0
    cancelled: int = 0

    async def answer(self, on_text):
        self.began.append(asyncio.get_running_loop().time())
        try:
            await (asyncio.Event().wait() if self.takes_s == float("inf") else asyncio.sleep(self.takes_s))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.ended += 1
        if on_text:
            on_text("a piece")
        if self.error is not None:
            raise self.error
        return Completion(self.text, "stop", 1, self.takes_s)


class Notes(Observer):
    def __init__(self):
        self.calls, self.conditions, self.denials = [], [], 0

    def called(self, role, backend, why, ended, seconds):
        self.calls.append((backend, why, ended))

    def breaker(self, role, backend, condition):
        self.conditions.append((asyncio.get_running_loop().time(), backend, condition))

    def denied(self, role):
        self.denials += 1


def pool(*replicas, draw=lambda: 1.0, places=64, **rules):
    """A pool over scripted replicas, named a, b, c …; pauses are the longest that may be drawn."""
    known = {f"http://{letter}": far for letter, far in zip("abcdef", replicas, strict=False)}

    async def send(root, _request, on_text):
        return await known[root].answer(on_text)

    notes = Notes()
    return Pool("formatter", [Server(root, places) for root in known], Rules(**rules), send, notes, draw), notes


def down(ended="error", asked_s=None):
    return PassingError(ended, f"It failed ({ended}).", asked_s=asked_s)


async def outcome(one, request=ASK, on_text=None):
    try:
        async with asyncio.timeout_at(request.deadline):
            return await calls.complete(one, request, on_text)
    except (EngineError, Refusal, TimeoutError) as error:
        return error


async def paced(one, seconds, rate, request=ASK):
    """Requests at a rate, each with 10 s; their outcomes in order."""

    async def later(number):
        at = number / rate
        await asyncio.sleep(at)
        return await outcome(one, Request("formatter", request.prompt, deadline=at + 10, accepts=request.accepts))

    return await asyncio.gather(*(later(number) for number in range(int(seconds * rate))))


def good(outcomes):
    return sum(isinstance(one, Completion) for one in outcomes)


@pytest.mark.parametrize("ended", ["error", "timeout", "reset", "busy", "malformed"])
def test_what_may_pass_is_tried_again_after_1_2_4_and_8_seconds_and_then_given_up(ended):
    far = Far(0.0, down(ended))
    one, _ = pool(far)
    # four failures and the fifth: one fewer than would open the breaker during the calls
    error = virtual.run(outcome(one))
    assert type(error) is EngineError
    assert ended in error.message
    assert far.began == [0, 1, 3, 7, 15]


def test_pauses_are_drawn_from_the_whole_interval():
    far = Far(0.0, down())
    one, _ = pool(far, draw=lambda: 0.25)
    virtual.run(outcome(one))
    assert far.began == [0, 0.25, 0.75, 1.75, 3.75]


def test_nobody_comes_back_before_the_server_asked():
    far = Far(0.0, down("busy", 3.0))
    one, _ = pool(far)

    async def two():
        first = asyncio.create_task(outcome(one))
        await asyncio.sleep(1)
        return [await first, await outcome(one)]

    virtual.run(two())
    assert far.began[:2] == [0, 3], "the caller that was told, and nobody else in between"


def test_a_server_that_asks_for_a_day_is_looked_at_again_within_a_minute():
    far = Far(0.0, down("busy", 86400.0))
    one, _ = pool(far)
    assert virtual.run(outcome(one)).reason == "deadline"
    assert far.began[:2] == [0, 60]


def test_another_replica_is_asked_at_once():
    bad, fine = Far(0.0, down()), Far(0.0)
    one, notes = pool(bad, fine)

    async def run():
        completion = await outcome(one)
        return completion, asyncio.get_running_loop().time()

    completion, took = virtual.run(run())
    assert (completion.backend, took) == ("b", 0)
    assert notes.calls == [("a", "first", "error"), ("b", "retry", "ok")]


def test_no_pause_goes_past_the_deadline():
    far = Far(0.0, down())
    one, _ = pool(far)
    error = virtual.run(outcome(one, Request("formatter", ASK.prompt, deadline=2.5)))
    assert error.reason == "deadline"
    assert far.began == [0, 1]


def test_what_a_server_refuses_is_not_asked_again():
    far = Far(0.0, EngineFaultError("no such model"))
    one, _ = pool(far, Far())
    assert isinstance(virtual.run(outcome(one)), EngineFaultError)
    assert len(far.began) == 1


def test_what_was_shown_is_not_begun_again():
    far = Far(0.0, down("reset"))
    one, _ = pool(far, Far())
    assert isinstance(virtual.run(outcome(one, on_text=lambda _piece: None)), EngineError)
    assert len(far.began) == 1


def test_calls_go_to_the_replica_that_has_fewest():
    slow, quick = Far(5.0), Far(0.1)
    one, _ = pool(slow, quick)
    assert good(virtual.run(paced(one, 4, 10))) == 40
    assert (len(slow.began), len(quick.began)) == (2, 38)


def test_the_budget_bounds_retries_whatever_fails():
    """A backend that fails in three of ten calls: a breaker leaves it alone, and retries are a tenth of the calls."""
    far, rng = Far(), random.Random(5)
    one, notes = pool(far, draw=rng.random)
    inner = one.send

    async def send(root, request, on_text):
        if rng.random() < 0.3:
            raise down()
        return await inner(root, request, on_text)

    one.send = send
    outcomes = virtual.run(paced(one, 100, 20))
    whys = [why for _, why, _ in notes.calls]
    assert whys.count("retry") <= 10 + 0.1 * whys.count("first")
    assert whys.count("retry") > 0.09 * whys.count("first")
    assert notes.denials > 0
    assert good(outcomes) > 0.7 * len(outcomes)


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_breaker_opens_within_a_second_of_a_dead_backend_and_heals_within_two_of_its_return(replicas):
    fars = [Far(0.02) for _ in range(replicas)]
    one, notes = pool(*fars, draw=random.Random(1).random)

    async def run():
        load = asyncio.create_task(paced(one, 30, 50))
        await asyncio.sleep(10)
        fars[0].error = down("reset")
        await asyncio.sleep(5)
        fars[0].error = None
        return await load

    outcomes = virtual.run(run())
    opened = next(at for at, backend, condition in notes.conditions if (backend, condition) == ("a", "open"))
    closed = [at for at, backend, condition in notes.conditions if (backend, condition) == ("a", "closed")]
    assert 10 <= opened < 11
    assert next(at for at in closed if at > 15) < 17
    assert not [at for at in closed if opened < at < 15], "it does not heal before"
    during = [at for at in fars[0].began if 11 < at < 15]
    assert len(during) <= 5, "one probe a second"
    assert good(outcomes) == len(outcomes) if replicas > 1 else good(outcomes) > 0.9 * len(outcomes)


def test_a_replica_that_hangs_is_left_within_a_second_and_its_callers_are_answered_by_others():
    fars = [Far(0.02) for _ in range(3)]
    one, notes = pool(*fars, slow_s=0.5)

    async def run():
        load = asyncio.create_task(paced(one, 20, 50))
        await asyncio.sleep(5)
        fars[0].takes_s = float("inf")
        await asyncio.sleep(5)
        fars[0].takes_s = 0.02
        return await load

    assert good(virtual.run(run())) == 1000
    opened = next(at for at, backend, condition in notes.conditions if (backend, condition) == ("a", "open"))
    assert 5 < opened < 6
    assert fars[0].cancelled == len(fars[0].began) - fars[0].ended, "whoever lost is cancelled at the engine"
    assert fars[0].cancelled > 0


def test_an_overload_that_slows_every_replica_opens_no_breaker_for_all():
    fars = [Far(0.02) for _ in range(3)]
    one, notes = pool(*fars, slow_s=60)

    async def run():
        load = asyncio.create_task(paced(one, 40, 20))
        await asyncio.sleep(5)
        for far in fars:
            far.takes_s = 2.0
        return await load

    assert good(virtual.run(run())) == 800
    open_now, most = set(), 0
    for _, backend, condition in notes.conditions:
        (open_now.add if condition != "closed" else open_now.discard)(backend)
        most = max(most, len(open_now))
    assert most <= 1


def test_a_deadline_that_passes_cancels_every_call():
    far, other = Far(float("inf")), Far(float("inf"))
    one, _ = pool(far, other, slow_s=0.5)
    assert isinstance(virtual.run(outcome(one, Request("formatter", ASK.prompt, deadline=3.0))), TimeoutError)
    assert (far.cancelled, other.cancelled) == (1, 1)


def test_a_caller_that_leaves_gives_a_probe_back():
    """Else nobody would ever be the probe again."""
    far = Far(0.0, down())
    one, notes = pool(far)

    async def run():
        await asyncio.gather(*(outcome(one, Request("formatter", ASK.prompt, deadline=0.5)) for _ in range(5)))
        far.error, far.takes_s = None, float("inf")
        await asyncio.sleep(1.5)
        leaver = asyncio.create_task(outcome(one))
        await asyncio.sleep(0.1)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        far.takes_s = 0.1
        return await outcome(one)

    assert isinstance(virtual.run(run()), Completion)
    assert [condition for _, _, condition in notes.conditions] == ["open", "half_open", "closed"]


async def warm(one, request=ASK):
    """Make the backends' latency known, then hedge."""
    await paced(one, 10, 10, request)
    one.rules = Rules(hedge=True)


def test_a_hedge_asks_a_second_replica_after_the_95th_percentile_and_cancels_the_loser():
    slow, quick = Far(0.1), Far(0.1)
    one, notes = pool(slow, quick)

    async def run():
        await warm(one)
        slow.takes_s, one.replicas[0].turn = 0.4, 0  # so that it is asked first
        began = asyncio.get_running_loop().time()
        return await outcome(one), asyncio.get_running_loop().time() - began

    completion, took = virtual.run(run())
    assert completion.backend == "b"
    assert took == pytest.approx(0.2, abs=0.01)
    assert slow.cancelled == 1
    assert notes.calls[-2:] == [("b", "hedge", "ok"), ("a", "first", "cancelled")]


def test_of_two_that_are_asked_the_first_accepted_answer_wins_not_the_first():
    nonsense, valid = Far(0.1), Far(0.1)
    one, _ = pool(nonsense, valid)
    request = Request("formatter", ASK.prompt, deadline=100.0, accepts=lambda text: text == "{}")

    async def run():
        await warm(one, request)
        one.replicas[0].turn = 0  # so that it is asked first
        nonsense.takes_s, nonsense.text, valid.takes_s = 0.15, "Sure!", 0.3
        return await outcome(one, request)

    assert virtual.run(run()).text == "{}"
    alone, _ = pool(Far(text="Sure!"))
    assert virtual.run(outcome(alone, request)).text == "Sure!", "alone it is given: whoever asked judges"


def test_nobody_is_hedged_unless_asked_for():
    one, notes = pool(Far(0.1), Far(0.1))
    virtual.run(paced(one, 10, 10))
    assert {why for _, why, _ in notes.calls} == {"first"}


def test_json_that_the_enforced_schema_does_not_allow_opens_a_breaker_and_other_prose_does_not():
    for blames, condition in ((True, "open"), (False, "closed")):
        far = Far(0.0, text="Sure!")
        one, _ = pool(far)
        request = Request("formatter", ASK.prompt, deadline=9.0, accepts=lambda _text: False, blames=blames)
        for _ in range(5):
            virtual.run(outcome(one, request))
        assert one.replicas[0].breaker.condition == condition


def test_a_backend_to_avoid_is_passed_over_where_there_is_another():
    one, notes = pool(Far(), Far())
    request = Request("formatter", ASK.prompt, deadline=9.0, avoid=frozenset({"a"}))
    for _ in range(3):
        virtual.run(outcome(one, request))
    assert {backend for backend, _, _ in notes.calls} == {"b"}
    alone, _ = pool(Far())
    assert isinstance(virtual.run(outcome(alone, request)), Completion)


@pytest.mark.parametrize("bad", [1, 3])
def test_a_replica_whose_texts_alone_are_not_accepted_is_left_and_a_weak_model_is_not(bad):
    """Nobody blames a server for prose that is not verified, unless others with the same model write better."""
    fars = [Far(0.02, text="Sure!" if number < bad else "{}") for number in range(3)]
    one, notes = pool(*fars)
    request = Request("evaluator", ASK.prompt, accepts=lambda text: text == "{}")

    async def run():
        load = asyncio.create_task(paced(one, 10, 30, request))
        await asyncio.sleep(5)
        for far in fars:
            far.text = "{}"
        return await load

    outcomes = virtual.run(run())
    opened = [(at, backend) for at, backend, condition in notes.conditions if condition == "open"]
    assert {backend for _, backend in opened} == ({"a"} if bad == 1 else set())
    if bad == 1:
        assert opened[0][0] < 2
        assert next(at for at, _, condition in notes.conditions if condition == "closed") < 7
        assert sum(one.text == "Sure!" for one in outcomes) < 20
    assert good(outcomes) == 300, "what is not accepted is given all the same: whoever asked judges"


def test_a_call_that_is_slow_is_helped_as_soon_as_somebody_can():
    """The second replica fails too, and the third is asked beside the one that hangs."""
    one, notes = pool(Far(float("inf")), Far(0.1, down()), Far(0.2), slow_s=0.5)
    assert virtual.run(outcome(one)).backend == "c"
    assert [why for _, why, _ in notes.calls] == ["slow", "slow", "first"]


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("condition", ["closed", "half_open"])
def test_whenever_a_caller_leaves_its_place_and_its_probe_are_given_back(steps, condition):
    one, _ = pool(Far(0.0, down()) if condition == "half_open" else Far(0.0), places=1, attempts=1)

    async def run():
        if condition == "half_open":
            for _ in range(5):
                await outcome(one)
            await asyncio.sleep(1)
        leaver = asyncio.create_task(calls.complete(one, ASK))
        for _ in range(steps):
            await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        replica = one.replicas[0]
        return replica.server.load, replica.breaker.probing, replica.server.full

    assert virtual.run(run()) == (0, False, False)
