"""Where GRPO's prompts come from."""

from __future__ import annotations

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from proseform.testing import toy_task
from proseform.train.prompts import FixedOrder, Group

CASES = list(toy_task().generate("easy", "train", 0, 7))


@given(count=st.integers(1, 40), seed=st.integers(0, 5))
def test_every_epoch_asks_every_case_once(count: int, seed: int) -> None:
    ids = [case.id for case in FixedOrder(CASES, count, seed).next(count)]
    for start in range(0, count - len(CASES) + 1, len(CASES)):
        assert len(set(ids[start : start + len(CASES)])) == len(CASES)


@given(steps=st.integers(1, 9), prompts=st.integers(1, 4), cut=st.integers(0, 9))
def test_gone_on_from_its_state_it_asks_what_it_would_have_asked(steps: int, prompts: int, cut: int) -> None:
    whole, first, second = (FixedOrder(CASES, steps * prompts, 3) for _ in range(3))
    asked = [whole.next(prompts) for _ in range(steps)]
    cut = min(cut, steps)
    for step in range(cut):
        assert first.next(prompts) == asked[step]
        first.observe([Group(case.id, (0.0, 1.0)) for case in asked[step]])
    second.load(json.loads(json.dumps(first.state())))
    assert [second.next(prompts) for _ in range(steps - cut)] == asked[cut:]


def test_the_order_is_that_of_the_shipped_results() -> None:
    """Epochs by ``random.sample`` from a seed of the run's own: what the results in docs/results were trained with."""
    rng = random.Random("grpo/4")
    drawn = rng.sample(CASES, 7) + rng.sample(CASES, 3)
    assert FixedOrder(CASES, 10, 4).next(10) == drawn
