"""Weights between bundles."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.errors import ConfigError
from proseform.serve.router import Router, Weighted


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
