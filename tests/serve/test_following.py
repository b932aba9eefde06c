"""Aliases that move while requests are answered: none is lost, and each is answered by one bundle or the other."""

import asyncio
import threading
from dataclasses import replace

import pytest

from proseform import testing
from proseform.errors import InputError, RegistryError, TaskError
from proseform.serve.following import Follower
from proseform.serve.router import Weighted
from tests.serve.light import INPUTS, good, light, post
from tests.waiting import PATIENCE_S, until

OURS = "/v1/tasks/toy/answer"
TASK = testing.toy_task()
BASE = testing.toy_bundle(TASK)


class Counted(testing.ScriptedEngine):
    """An engine that says when it was closed, and fails what is asked of it afterwards."""

    def __init__(self, number):
        super().__init__(replace(BASE, evaluator=replace(BASE.evaluator, base=f"number {number}")), self._answers)
        self.closed = threading.Event()

    async def _answers(self, request):
        await asyncio.sleep(0.002)
        assert not self.closed.is_set(), "asked after it was closed"
        return good(request)

    async def close(self):
        self.closed.set()


class Registry:
    """Where aliases are found: in a table that a test writes."""

    def __init__(self, **numbers):
        self.engines = {}
        self.aliases = {alias: self._engine(number) for alias, number in numbers.items()}
        self.away = None
        self.opened = []

    def _engine(self, number):
        return self.engines.setdefault(number, Counted(number))

    def move(self, **numbers):
        self.aliases |= {alias: self._engine(number) for alias, number in numbers.items()}

    def bundles(self):
        if self.away:
            raise self.away
        return {alias: engine.bundle.digest for alias, engine in self.aliases.items()}

    def open(self, alias):
        self.opened.append(alias)
        return self.aliases[alias]


class Following:
    """A server that follows a table's aliases, looking whenever a test says so."""

    def __init__(self, registry, **options):
        self.registry, self.loop = registry, None
        first, *others = registry.aliases
        self._server = light(
            engine=registry.aliases[first],
            beside=[registry.aliases[alias] for alias in others],
            alongside=[self._follower],
            **{"timeout_s": 20.0, **options},
        )

    def _follower(self, admission):
        admission.router.use([Weighted(engine, 1, alias) for alias, engine in self.registry.aliases.items()])
        self.admission = admission
        self.follower = Follower(admission, self.registry, every_s=3600)
        return self.follower

    def __enter__(self):
        self.server = self._server.__enter__()
        self.loop = self.follower._looking.get_loop()
        return self

    def __exit__(self, *error):
        return self._server.__exit__(*error)

    def look(self):
        return asyncio.run_coroutine_threadsafe(self.follower.look(), self.loop).result(PATIENCE_S)

    def answer(self):
        status, _, body = post(self.server.line(), OURS, {"inputs": INPUTS})
        assert status == 200, body
        return body["bundle"]


def test_an_alias_that_moves_is_answered_by_its_new_bundle():
    registry = Registry(champion=1)
    with Following(registry) as one:
        assert one.answer() == registry.engines[1].bundle.digest
        assert not one.look()
        registry.move(champion=2)
        assert one.look()
        assert one.answer() == registry.engines[2].bundle.digest
        assert not one.look()
        assert registry.opened == ["champion"]
    assert all(engine.closed.is_set() for engine in registry.engines.values())


def test_a_promotion_moves_two_aliases_at_once_and_opens_one_bundle():
    registry = Registry(champion=1, previous=0)
    with Following(registry) as one:
        registry.move(champion=2, previous=1)
        assert one.look()
        engines = {weighted.alias: weighted.engine for weighted in one.admission.router.engines}
        assert engines == {"champion": registry.engines[2], "previous": registry.engines[1]}
        assert registry.opened == ["champion"]


def test_an_alias_keeps_its_weight_also_one_that_was_set_meanwhile():
    registry = Registry(champion=1, candidate=5)
    with Following(registry) as one:
        one.admission.router.weigh({"champion": 90, "candidate": 0})
        registry.move(champion=2)
        one.look()
        assert [weighted.weight for weighted in one.admission.router.engines] == [90, 0]
        assert {one.answer() for _ in range(4)} == {registry.engines[2].bundle.digest}


@pytest.mark.parametrize("away", [RegistryError("it does not answer"), InputError("no such alias")])
def test_a_registry_that_does_not_answer_changes_nothing(away):
    registry = Registry(champion=1)
    with Following(registry) as one:
        registry.move(champion=2)
        registry.away = away
        with pytest.raises(type(away)):
            one.look()
        assert one.answer() == registry.engines[1].bundle.digest
        registry.away = None
        assert one.look()


def test_a_bundle_of_another_task_is_closed_again_and_changes_nothing():
    registry = Registry(champion=1)
    with Following(registry) as one:
        registry.move(champion=2)
        other = registry.engines[2]
        other.bundle = replace(other.bundle, task_contract="sha256:0")
        with pytest.raises(TaskError):
            one.look()
        assert other.closed.is_set()
        assert one.answer() == registry.engines[1].bundle.digest


def test_what_was_replaced_is_closed_once_nothing_asks_it_any_more():
    registry = Registry(champion=1)
    with Following(registry) as one:
        registry.move(champion=2)
        one.admission.timeout_s = 0.0
        one.look()
        one.admission.timeout_s = 20.0
        assert not registry.engines[1].closed.is_set()
        until(registry.engines[1].closed.is_set)
        assert not registry.engines[2].closed.is_set()
        one.answer()


def test_no_request_is_lost_while_aliases_move():
    registry = Registry(champion=0, candidate=0)
    with Following(registry, concurrency=8, queue=64) as one:
        stop, answers, lost = threading.Event(), [], []

        def caller():
            line = one.server.line()
            while not stop.is_set():
                status, _, body = post(line, OURS, {"inputs": INPUTS})
                (answers if status == 200 else lost).append(body)

        threads = [threading.Thread(target=caller) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(1, 21):
            registry.move(champion=number)
            assert one.look()
            seen = len(answers)
            until(lambda: len(answers) > seen + 4)  # noqa: B023 - called at once
        stop.set()
        for thread in threads:
            thread.join()
    assert lost == []
    assert {body["bundle"] for body in answers} == {engine.bundle.digest for engine in registry.engines.values()}


def test_what_began_on_a_bundle_ends_on_it_though_it_was_replaced_and_the_server_ends():
    registry = Registry(champion=1)
    old = registry.engines[1]
    free = threading.Event()

    async def waits(request):
        if request.role == "evaluator":
            old.asked.set()
            while not free.is_set():  # noqa: ASYNC110 - set by the test, from another thread
                await asyncio.sleep(0.005)
        return await Counted._answers(old, request)

    old.asked, old._script = threading.Event(), waits
    answers = []
    with Following(registry) as one:
        line = one.server.line()
        caller = threading.Thread(target=lambda: answers.append(post(line, OURS, {"inputs": INPUTS})))
        caller.start()
        assert old.asked.wait(PATIENCE_S)
        registry.move(champion=2)
        assert one.look()
        ending = threading.Timer(0.2, free.set)
        ending.start()
    caller.join()
    ((status, _, body),) = answers
    assert (status, body.get("bundle")) == (200, old.bundle.digest), body
    assert old.closed.is_set()


def test_a_mistake_is_logged_and_it_looks_again(caplog):
    """Such as a registry's library that raises what nobody expects."""
    registry = Registry(champion=1)
    registry.away = ZeroDivisionError("a secret of its own")
    with light(
        engine=registry.aliases["champion"], alongside=[lambda admission: Follower(admission, registry, every_s=0.01)]
    ):
        until(lambda: sum("ZeroDivisionError" in record.message for record in caplog.records) > 1)
    assert "secret" not in caplog.text
