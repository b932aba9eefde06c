"""The pure parts of the methods: what is asked, what is chosen, and what is remembered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import config
from proseform.case import Case
from proseform.reward import Score
from proseform.testing import toy_task
from proseform.train import methods
from proseform.train.methods import Drawn, Methods, Sample
from proseform.train.methods.curriculum import POOLS, Curriculum, pools
from proseform.train.methods.drawn import Ask, joined
from proseform.train.methods.gold import Gold
from proseform.train.methods.replay import Replay
from proseform.train.methods.rounds import Rounds, advantages
from proseform.train.methods.skip import TRIES, Skip
from proseform.train.methods.zero_variance import direction
from proseform.train.prompts import FixedOrder, Group

CASES = list(toy_task().generate("easy", "train", 0, 12))
EARNED = st.sampled_from([None, 0.0, 0.5, 1.0])


def drawn(*rewards: float | None, case: Case = CASES[0], first: int = 0) -> Drawn:
    """A prompt whose completions earn this; None for a faulted one."""
    scores = [Score(fault="broken") if one is None else Score({"a": one}, one) for one in rewards]
    return Drawn(case, tuple(Sample(str(at), (at,), score, at) for at, score in enumerate(scores, first)))


def acting(prompts: int = 2, generations: int = 2, gold: Sequence[Sample | None] = (), **signal: Any) -> Methods:
    """Methods of a run."""
    knobs = config.Grpo(prompts=prompts, generations=generations, signal=config.Signal(**signal))
    return Methods(knobs, methods.source(knobs, CASES, 1.0), 1.0, lambda cases: [*gold][: len(cases)])


@given(rewards=st.lists(EARNED, min_size=2, max_size=20), data=st.data())
def test_a_group_has_its_size_its_order_and_both_sides_of_the_mean(
    rewards: list[float | None], data: st.DataObject
) -> None:
    size = data.draw(st.integers(2, len(rewards)))
    whole = drawn(*rewards)
    group = whole.group(size)
    places = [sample.place for sample in group.samples]
    assert len(places) == size
    assert places == sorted(places)
    assert group.mixed == whole.mixed
    if sum(one is not None for one in rewards) >= size:
        assert all(not sample.score.fault for sample in group.samples)
    above, below = whole.sides()
    kept = sum(one in above for one in group.samples)
    assert kept >= min(len(above), size // 2) or kept >= size - len(below)


def test_a_round_adds_to_the_prompt_that_was_asked_again_and_a_new_prompt_comes_last() -> None:
    first, second = drawn(0, 0), drawn(1, 0, first=2)
    third, more = drawn(1, 1, case=CASES[1], first=4), drawn(1, 0, first=6)
    asks = [Ask(CASES[1]), Ask(CASES[0], 0)]
    now = joined([first, second], asks, [third.samples, more.samples])
    assert now == [Drawn(CASES[0], first.samples + more.samples), second, third]


@given(rewards=st.lists(st.tuples(EARNED, EARNED), min_size=1, max_size=60), budget=st.floats(1, 6))
def test_dynamic_sampling_ends_at_its_budget_or_with_a_mixed_batch_whatever_is_earned(
    rewards: list[tuple[float | None, float | None]], budget: float
) -> None:
    """Never endless, never more than the budget, and a whole step comes out of it."""
    own = acting(prompts=3, resample={"budget": budget})
    so_far = [drawn(*rewards[at % len(rewards)], first=2 * at) for at in range(3)]
    while asks := own.more(so_far):
        assert len(asks) <= 3
        so_far += [
            drawn(*rewards[at % len(rewards)], case=ask.case, first=2 * at) for at, ask in enumerate(asks, len(so_far))
        ]
    assert len(so_far) <= max(3, int(budget * 3))
    chosen = own.chosen(so_far)
    mixed = sum(one.mixed for one in so_far)
    assert len(chosen) == 3
    assert sum(one.mixed for one in chosen) == min(3, mixed)
    assert mixed >= 3 or len(so_far) == int(budget * 3)
    assert [one.samples[0].place for one in chosen] == sorted(one.samples[0].place for one in chosen)


def test_without_methods_nothing_more_is_asked_and_all_is_taken_as_it_is() -> None:
    own, step = acting(), [drawn(0, 0), drawn(0, 1, first=2)]
    assert (own.more(step), own.chosen(step), own.with_gold(step), own.with_replayed(step, 1)) == ([], step, step, step)
    assert (own.active, own.state()) == (False, {})


def test_rounds_ask_a_prompt_until_enough_lie_on_both_sides_or_no_rounds_are_left() -> None:
    rounds = Rounds(config.Rounds(most=2, enough=1), 2)
    full = drawn(1, 1, 1, 1)
    assert rounds.more([drawn(0, 0), drawn(0, 1), full, drawn(1, None)]) == [Ask(CASES[0], 0), Ask(CASES[0], 3)]


def test_rounds_come_before_other_prompts_are_asked() -> None:
    own = acting(rounds={"most": 2, "enough": 1}, resample={"budget": 2.0})
    step = [drawn(0, 0), drawn(0, 1)]
    assert [ask.again for ask in own.more(step)] == [0]
    assert [ask.again for ask in own.more([drawn(0, 0, 0, 0), drawn(0, 1)])] == [None]


@given(st.lists(EARNED, min_size=3, max_size=12))
def test_the_baseline_of_rounds_is_that_of_all_completions(rewards: list[float | None]) -> None:
    whole = drawn(*rewards)
    if not whole.mixed:
        return
    group = whole.group(2)
    scored = [one for one in rewards if one is not None]
    due = [
        0.0 if rewards[s.place] is None else ((rewards[s.place] or 0.0) - fmean(scored)) / (stdev(scored) + 1e-4)
        for s in group.samples
    ]
    assert advantages(group, whole, scaled=True) == pytest.approx(due)
    assert advantages(whole, whole, scaled=False) == pytest.approx(
        [0.0 if one is None else one - fmean(scored) for one in rewards]
    )


def test_gold_goes_into_the_first_dead_groups_that_do_not_succeed_and_only_where_it_earns_more() -> None:
    best, worse = Sample("gold", (1,), Score({"a": 1.0}, 1.0)), Sample("gold", (1,), Score({"a": 0.0}, 0.0))
    step = [drawn(1, 1), drawn(0, 1), drawn(0, 0), drawn(0.5, 0.5), drawn(0, 0), drawn(None, None)]

    def mix(*gold: Sample | None, groups: int = 2) -> list[Drawn]:
        return Gold(config.Gold(groups=groups), 1.0, lambda cases: gold[: len(cases)]).mix(step)

    after = mix(best, best)
    assert [one.samples[-1] is best for one in after] == [False, False, True, True, False, False]
    assert [one.golden for one in after] == [False, False, True, True, False, False]
    assert after[2].samples[0] == step[2].samples[0]
    assert mix(worse, None) == step
    assert [one.golden for one in mix(best, best, best, groups=1)].count(True) == 1


def test_where_no_group_wants_gold_none_is_written() -> None:
    """Ranks share what they write, and nothing cannot be shared."""
    unasked = Gold(config.Gold(), 1.0, lambda _: pytest.fail("asked")).mix([drawn(0, 1), drawn(1, 1)])
    assert unasked == [drawn(0, 1), drawn(1, 1)]


def test_replay_takes_the_newest_mixed_groups_in_the_place_of_dead_ones_and_each_once() -> None:
    replay = Replay(config.Replay(groups=2, age=2))
    old = [drawn(0, 1, case=CASES[at]) for at in range(3)]
    replay.keep([*old, drawn(0, 0)], [[-1.0]] * 8, 1)
    dead = [drawn(0, 0, case=CASES[9]), drawn(0, 1, case=CASES[8]), drawn(1, 1, case=CASES[7]), drawn(0, 0)]
    assert replay.mix(dead, 1, 4) == dead  # of this very step
    mixed = replay.mix(dead, 2, 4)
    assert [one.case.id for one in mixed[:3]] == [CASES[2].id, CASES[8].id, CASES[1].id]  # two are kept, the newest
    assert mixed[3] == dead[3]
    assert mixed[0].samples[0].logs == (-1.0,)
    assert not mixed[0].golden
    assert replay.mix(dead, 3, 4) == dead  # used up


def test_replay_forgets_what_is_too_old_and_never_keeps_gold_or_replayed_groups() -> None:
    replay = Replay(config.Replay(groups=4, age=1))
    replay.keep([drawn(0, 1), drawn(1, 0)], [[-1.0]] * 4, 1)
    (again,) = replay.mix([drawn(0, 0)], 2, 1)
    replay.keep([again], [[-1.0], [-2.0]], 2)
    gold = Drawn(CASES[0], (drawn(0).samples[0], Sample("gold", (1,), Score({"a": 1.0}, 1.0))))
    replay.keep([gold], [[-1.0], [-2.0]], 2)
    assert len(replay.state()) == 1
    assert replay.mix([drawn(0, 0)], 3, 1) == [drawn(0, 0)]
    assert replay.state() == []


def test_a_share_of_a_step_is_replayed_instead_of_sampled_as_far_as_there_are_groups() -> None:
    replay = Replay(config.Replay(share=0.5))
    assert replay.due(4, 1) == 0
    replay.keep([drawn(0, 1, case=CASES[at]) for at in range(3)], [[-1.0]] * 6, 1)
    assert replay.due(4, 2) == 2
    fresh = [drawn(0, 1, case=CASES[8]), drawn(0, 0, case=CASES[9])]
    mixed = replay.mix(fresh, 2, 4)
    # The two that were not sampled come last; the dead one gives way too. Each is replayed once.
    assert [one.case.id for one in mixed] == [CASES[at].id for at in (8, 0, 2, 1)]
    assert replay.due(4, 3) == 0


@pytest.mark.parametrize(("share", "times"), [(0.0, 1), (0.25, 1), (0.5, 1), (0.6, 2), (0.75, 3), (0.9, 9)])
def test_above_one_half_a_group_is_replayed_as_often_as_the_share_asks_for(share: float, times: int) -> None:
    replay, seen = Replay(config.Replay(age=99, share=share)), 0
    replay.keep([drawn(0, 1)], [[-1.0]] * 2, 1)
    for step in range(2, 90):
        seen += sum(bool(one.samples[0].logs) for one in replay.mix([drawn(0, 0)], step, 1))
    assert seen == times


def test_what_was_replayed_least_comes_first_and_then_the_newest() -> None:
    replay = Replay(config.Replay(age=99, share=0.75))
    for at in range(3):
        replay.keep([drawn(0, 1, case=CASES[at])], [[-1.0]] * 2, at)
    seen = [replay.mix([drawn(0, 0)], step, 1)[0].case.id for step in range(3, 12)]
    assert seen == [CASES[at].id for at in (2, 1, 0)] * 3


@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.3, 0.5, 0.75, 0.9]),
    st.integers(1, 4),
)
def test_a_step_has_its_prompts_whatever_is_replayed(steps: list[list[bool]], share: float, age: int) -> None:
    """A step of eight groups: what is sampled and what is replayed, each group at most as often as it may be."""
    replay, uses = Replay(config.Replay(groups=8, age=age, share=share)), Counter[str]()
    for step, dice in enumerate(steps, 1):
        count = 8 - replay.due(8, step)
        sampled = [
            drawn(0, int(dice[at % len(dice)]), case=replace(CASES[0], id=f"{step}/{at}")) for at in range(count)
        ]
        groups = replay.mix(sampled, step, 8)
        again = [one.case.id for one in groups if one.samples[0].logs]
        assert len(groups) == 8
        assert len({*again}) == len(again) >= 8 - count
        assert all(step - int(name.split("/")[0]) <= age for name in again)
        uses.update(again)
        replay.keep(groups, [[-1.0]] * 16, step)
    assert max(uses.values(), default=0) <= replay.times


def test_the_buffer_goes_through_json_unchanged() -> None:
    replay, other = (Replay(config.Replay(share=0.75)) for _ in range(2))
    replay.keep([drawn(0, 1), drawn(None, 0, 1)], [[-0.1], [-1 / 3], [-2.0], [-3.0], [-4.0]], 1)
    replay.mix([drawn(0, 0)], 2, 1)
    other.load(json.loads(json.dumps(replay.state())))
    assert other.state() == replay.state()
    assert other.mix([drawn(0, 0)], 3, 1) == replay.mix([drawn(0, 0)], 3, 1)


@pytest.mark.parametrize(
    ("rewards", "due"),
    [((1, 1), 1), ((0.96, 0.96), 1), ((0, 0), -1), ((0.25, 0.25), -1), ((0.5, 0.5), 0), ((0, 1), 0), ((None, None), 0)],
)
def test_only_groups_that_all_succeed_or_all_fail_have_a_direction(rewards: tuple[float | None, ...], due: int) -> None:
    assert direction(drawn(*rewards), 1.0) == due


def test_skipping_asks_the_seldomer_the_more_zero_variance_groups_came_in_a_row() -> None:
    skip = Skip(config.Skip(explore=0.1), FixedOrder(CASES, 99, 0), 1.0, 0, step=0.0)
    name = CASES[0].id
    seen = [skip.chance(name)]
    for rewards in ((1.0, 1.0), (1.0, 1.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 1.0), (None, 1.0)):
        skip.observe([Group(name, rewards)])
        seen.append(skip.chance(name))
    assert seen == pytest.approx([1.0, 0.1, 0.01, 0.1, 0.01, 0.01, 0.01, 1.0, 0.1])


def test_skipping_moves_its_chances_towards_the_shares_that_it_aims_at() -> None:
    skip = Skip(config.Skip(explore=0.5), FixedOrder(CASES, 99, 0), 1.0, 0, step=0.1)
    mixed = [Group(str(at), (0.0, 1.0)) for at in range(11)]
    skip.observe([Group("a", (1.0, 1.0)), Group("b", (0.0, 0.0)), *mixed])  # 8 % each: fewer than are aimed at
    assert (skip.chance("a"), skip.chance("b")) == (pytest.approx(0.6), pytest.approx(0.6))
    skip.observe([Group("c", (1.0, 1.0)), Group("d", (1.0, 1.0)), *mixed])
    assert (skip.chance("a"), skip.chance("b")) == (pytest.approx(0.5), pytest.approx(0.7))


def test_a_step_begins_even_if_every_prompt_would_be_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    skip = Skip(config.Skip(explore=0.01), FixedOrder(CASES, 99, 0), 1.0, 0, step=0.0)
    skip.observe([Group(case.id, (0.0, 0.0)) for case in CASES])
    monkeypatch.setattr(skip, "chance", lambda _: 0.0)
    assert len(skip.next(3)) == 3
    assert skip.figures()["skipped"] == (TRIES - 1) / TRIES


def test_a_curriculum_asks_the_pool_nearest_to_the_target_most_and_forgets_none() -> None:
    cases = [replace(case, level=level, id=f"{level}-{case.id}") for level in ("low", "mid", "top") for case in CASES]
    curriculum = Curriculum(config.Curriculum(), cases, 1.0, 0, memory=0.0)
    rates = {"low": (1.0, 1.0), "mid": (0.0, 1.0), "top": (0.0, 0.0)}
    curriculum.observe([Group(case.id, rates[case.level]) for case in cases] + [Group(cases[0].id, (None, None))])
    assert [curriculum.weight(name) for name in rates] == [0.05, 1.0, 0.05]
    asked = [case.level for case in curriculum.next(600)]
    assert asked.count("mid") > 480
    assert {"low", "top"} <= {*asked}
    assert curriculum.figures() == {"pool/low": 1.0, "pool/mid": 0.5, "pool/top": 0.0}


def test_a_pool_gives_each_of_its_cases_before_it_gives_one_again() -> None:
    curriculum = Curriculum(config.Curriculum(), CASES, 1.0, 3)
    ids = [case.id for case in curriculum.next(3 * len(CASES))]
    epochs = [{*ids[at : at + len(CASES)]} for at in range(0, len(ids), len(CASES))]
    assert epochs == [{case.id for case in CASES}] * 3


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_pools_by_leaves_hold_every_case_once_and_none_is_empty(sizes: list[int]) -> None:
    cases = [replace(CASES[at], answer={str(n): n for n in range(size)}) for at, size in enumerate(sizes)]
    known = pools(config.Curriculum(by="leaves"), cases)
    assert sorted(case.id for pool in known.values() for case in pool) == sorted(case.id for case in cases)
    assert all(known.values())
    assert len(known) == min(POOLS, len({*sizes}))
    ends = [(min(len(c.answer) for c in pool), max(len(c.answer) for c in pool)) for pool in known.values()]
    assert all(high < low for (_, high), (low, _) in pairwise(ends))


@given(
    steps=st.lists(st.lists(EARNED, min_size=4, max_size=4), min_size=1, max_size=8),
    cut=st.integers(0, 8),
    curriculum=st.booleans(),
    skip=st.booleans(),
)
def test_a_source_that_goes_on_from_its_state_asks_what_it_would_have_asked(
    steps: list[list[float | None]], cut: int, curriculum: bool, skip: bool
) -> None:
    signal = config.Signal(
        curriculum=config.Curriculum(by="leaves") if curriculum else None, skip=config.Skip() if skip else None
    )
    knobs = config.Grpo(steps=len(steps), prompts=2, signal=signal)
    whole, first, second = (methods.source(knobs, CASES, 1.0) for _ in range(3))

    def step(source: Any, earned: list[float | None]) -> list[str]:
        cases = source.next(2)
        source.observe([Group(case.id, (*earned[2 * at : 2 * at + 2],)) for at, case in enumerate(cases)])
        return [case.id for case in cases]

    asked = [step(whole, earned) for earned in steps]
    for earned in steps[:cut]:
        step(first, earned)
    second.load(json.loads(json.dumps(first.state())))
    assert [step(second, earned) for earned in steps[cut:]] == asked[cut:]


def test_figures_count_discarded_tokens_too() -> None:
    kept, lost = drawn(0, 1), drawn(0, 0, None, first=2)
    figures = methods.figures([*kept.samples, *lost.samples], [kept], FixedOrder(CASES, 1, 0))
    assert figures == {
        "sampled_groups": 2.5, "sampled_tokens": 5, "trained_tokens": 2, "trained_mixed": 1.0, "golden": 0,
        "replayed": 0,
    }  # fmt: skip
