"""Weights that an administrator sets while the server runs."""

import http.client
import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import testing
from proseform.errors import ConfigError
from proseform.serve import keys, server
from proseform.serve.admin import Admin, Listener
from proseform.serve.faults import NotFoundError
from proseform.serve.guard import Guard
from proseform.serve.keys import Keys
from proseform.serve.router import Router, Weighted
from tests.serve.light import INPUTS, good, light, post
from tests.waiting import PATIENCE_S

BUNDLE = testing.toy_bundle(testing.toy_task())


def engine(number):
    return testing.ScriptedEngine(replace(BUNDLE, evaluator=replace(BUNDLE.evaluator, base=f"number {number}")), good)


@pytest.fixture
def admin(tmp_path):
    """A server with two bundles and a listener for administrators; gives a function that asks it."""
    file = tmp_path / "admins.json"
    token = keys.new(file, "ops", 0)
    listeners = []

    def beside(admission):
        one, two = admission.router.engines
        admission.router.use([replace(one, alias="champion", weight=1), replace(two, alias="candidate", weight=0)])
        listeners.append(Listener(Admin(admission.router, Guard(Keys(file))), "127.0.0.1", 0))
        return listeners[0]

    with light(engine=engine(1), beside=[engine(2)], alongside=[beside]) as serving:

        def ask(method, path, body=None, key=token):
            line = http.client.HTTPConnection("127.0.0.1", listeners[0].port, timeout=PATIENCE_S)
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            line.request(method, path, data, {"authorization": f"Bearer {key}"} if key else {})
            response = line.getresponse()
            return response.status, json.loads(response.read())

        ask.serving = serving
        yield ask


def shares(serving, count=8):
    answers = [post(serving.line(), "/v1/tasks/toy/answer", {"inputs": INPUTS})[2] for _ in range(count)]
    return sorted(Counter(answer["bundle"] for answer in answers).values())


def test_weights_are_told_and_set_without_a_restart(admin):
    status, told = admin("GET", "/admin/bundles")
    assert status == 200
    assert [(row["alias"], row["weight"]) for row in told["bundles"]] == [("champion", 1), ("candidate", 0)]
    assert shares(admin.serving) == [8]
    status, told = admin("PUT", "/admin/weights", {"champion": 3, told["bundles"][1]["digest"]: 1})
    assert (status, [row["weight"] for row in told["bundles"]]) == (200, [3, 1])
    assert shares(admin.serving) == [2, 6]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 422, "not JSON"),
        ([], 422, "no weights"),
        ({}, 422, "no weights"),
        ({"champion": -1}, 422, "'champion' is -1"),
        ({"champion": 0.5}, 422, "'champion' is 0.5"),
        ({"champion": True}, 422, "'champion' is True"),
        ({"champion": 10**9}, 422, "'champion' is 1000000000"),
        ({"champion": 0}, 422, "at least one above 0"),
        ({"previous": 1}, 404, "There are candidate, champion"),
    ],
)
def test_weights_that_cannot_be_are_refused_and_nothing_changes(admin, body, status, words):
    before = admin("GET", "/admin/bundles")
    told = admin("PUT", "/admin/weights", body)
    assert told[0] == status
    assert words in f"{told[1]['error']['message']} {told[1]['error']['hint']}"
    assert admin("GET", "/admin/bundles") == before


@pytest.mark.parametrize("key", ["", "pf-0123456789ab-x"])
def test_without_an_administrators_key_nothing_is_told(admin, key):
    for method, path in (("GET", "/admin/bundles"), ("PUT", "/admin/weights")):
        assert admin(method, path, {"champion": 1}, key)[0] == 401


def test_callers_have_no_such_route(admin):
    line = admin.serving.line()
    line.request("GET", "/admin/bundles")
    assert line.getresponse().status == 404


def test_a_port_and_keys_belong_together(tmp_path):
    assert server.administration(None, None) is None
    for port, file in ((8082, None), (None, tmp_path / "keys.json"), (8082, tmp_path / "none.json")):
        with pytest.raises(ConfigError):
            server.administration(port, file)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=4).filter(any), st.data())
def test_after_other_weights_each_bundle_is_chosen_exactly_as_often_as_it_weighs(before, data):
    after = data.draw(st.lists(st.integers(0, 20), min_size=len(before), max_size=len(before)).filter(any))
    engines = [engine(number) for number in range(len(before))]
    router = Router(
        [Weighted(one, weight, f"a{index}") for index, (one, weight) in enumerate(zip(engines, before, strict=True))]
    )
    for _ in range(data.draw(st.integers(0, 30))):
        router.choose()
    router.weigh({f"a{index}": weight for index, weight in enumerate(after)})
    chosen = Counter(engines.index(router.choose()) for _ in range(sum(after)))
    assert chosen == Counter({index: weight for index, weight in enumerate(after) if weight})


def test_a_bundle_that_is_not_here_has_no_weight():
    with pytest.raises(NotFoundError):
        Router([Weighted(engine(1), 1, "champion")]).weigh({"champion": 1, "other": 1})
