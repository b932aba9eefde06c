"""Weights between bundles."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import testing
from proseform.errors import ConfigError
from proseform.infer import kept
from proseform.serve.router import Router, Weighted
from tests.serve.light import INPUTS, good, light, post


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any), st.integers(1, 3))
def test_each_bundle_is_chosen_exactly_as_often_as_it_weighs(weights, rounds):
    router = Router([Weighted(index, weight) for index, weight in enumerate(weights)])
    chosen = Counter(router.choose() for _ in range(sum(weights) * rounds))
    assert chosen == Counter({index: weight * rounds for index, weight in enumerate(weights) if weight})


def test_choices_are_spread_and_not_bunched():
    router = Router([Weighted("champion", 9), Weighted("candidate", 1)])
    twenty = [router.choose() for _ in range(20)]
    assert [index for index, name in enumerate(twenty) if name == "candidate"] == [5, 15]


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [2, -1]])
def test_weights_that_choose_nobody_are_refused(weights):
    with pytest.raises(ConfigError):
        Router([Weighted(index, weight) for index, weight in enumerate(weights)])


def test_a_caller_may_choose_a_bundle_whatever_its_weight():
    """Also where evaluations are kept and equal requests are answered once: another bundle is another request."""
    first = testing.toy_bundle(testing.toy_task())
    second = replace(first, evaluator=replace(first.evaluator, base="other"))
    cache = kept.cache(1, 60, None)
    with light(beside=[testing.ScriptedEngine(second, good)], kept=cache) as serving:
        for bundle in (first.digest, second.digest, second.digest, first.digest):
            answer = post(serving.line(), "/v1/tasks/toy/answer", {"inputs": INPUTS, "bundle": bundle})[2]
            assert answer["bundle"] == bundle
        status, _, body = post(serving.line(), "/v1/tasks/toy/answer", {"inputs": INPUTS, "bundle": "sha256:0"})
    assert (status, body["error"]["reason"]) == (404, "not_found")
    assert first.digest in body["error"]["hint"]


def test_a_case_may_be_judged_by_several_bundles_which_must_agree():
    first = testing.toy_bundle(testing.toy_task())
    second = replace(first, evaluator=replace(first.evaluator, base="other"))
    digests = [first.digest, second.digest]
    cases = {"agree": good, "differ": lambda request: good(request).replace("send", "return").replace("90 g", "190 g")}
    for name, script in cases.items():
        with light(beside=[testing.ScriptedEngine(second, script)]) as serving:
            asked = {"inputs": INPUTS, "bundle": digests}
            status, headers, body = post(serving.line(), "/v1/tasks/toy/answer", asked)
        assert set(headers["x-proseform-bundle"].split(", ")) == set(digests)
        if name == "agree":
            assert (status, body["samples"], body["agreement"]) == (200, 2, 1.0)
        else:
            assert (status, body["error"]["reason"]) == (422, "disagreement")


def test_choosing_a_bundle_takes_nothing_from_the_turns_of_others():
    engines = [
        testing.ScriptedEngine(replace(testing.toy_bundle(testing.toy_task()), task=name), good) for name in "ab"
    ]
    router = Router([Weighted(engines[0], 1), Weighted(engines[1], 0)])
    assert router.choose(engines[1].bundle.digest) is engines[1]
    assert [router.choose() for _ in range(2)] == [engines[0]] * 2
