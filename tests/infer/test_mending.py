"""Where an evaluation goes on: of any task that can write, what is kept begins the evaluation that was right."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from proseform import task as tasks
from proseform import testing, verify
from proseform.infer import mending
from proseform.infer.moves import Plan
from proseform.input import of_each
from proseform.schema import pointer
from proseform.verdict import Correction, Reason, Verdict

EXAMPLES = Path(__file__).parents[2] / "examples/tasks"


def quoted(task, value):
    """Where a value quotes an input."""
    for place, location, stated in task.claims.schema.annotations(value):
        if task.claims.source(location, stated) is not None and pointer.at(value, place):
            yield place


def loaded(name):
    """A task of the package or of the examples, and some of its cases."""
    task = tasks.load(name if name == "cv" else tasks.located(str(EXAMPLES / name)))
    return task, [*task.generate("real" if name == "cv" else task.levels[0], "test", 3, 8)]


@pytest.mark.parametrize("name", ["cv", "passport", "tickets"])
def test_what_is_kept_before_a_quote_that_stands_nowhere_begins_the_right_evaluation(name):
    task, cases = loaded(name)
    tried = 0
    for case in cases:
        for place in quoted(task, case.answer):
            at = pointer.at(case.answer, place)
            prose = task.write(changed(case.answer, place, f"{at} and a snowman"))
            if verify.prose(prose, task, case.inputs).reason is not Reason.UNGROUNDED:
                continue  # it is too long, or of no such pattern
            plan = Plan(testing.toy_bundle(task), task.schema, task, of_each(case.inputs))
            kept = mending.sound(plan, prose).text
            assert case.prose.startswith(kept)
            assert prose.startswith(kept)
            assert kept == "" or kept.endswith("\n")
            assert prose[len(kept) :].partition("\n")[0] != case.prose[len(kept) :].partition("\n")[0], "no line later"
            tried += 1
    assert tried > 10


def changed(value, place, part):
    """A value with another part at a place."""
    other = copy.deepcopy(value)
    pointer.put(other, place, part)
    return other


@pytest.mark.parametrize("name", ["cv", "passport"])
def test_nothing_is_mended_of_what_is_accepted_or_is_no_evaluation(name):
    task, cases = loaded(name)
    for case in cases:
        plan = Plan(testing.toy_bundle(task), task.schema, task, of_each(case.inputs))
        assert mending.mended(plan, case.prose) is None
        assert mending.mended(plan, "Sure!") is None
        assert mending.sound(plan, case.prose) == mending.Kept()


def test_a_place_is_told_once_as_it_was_struck_out_last_and_only_where_that_stands():
    struck = [Correction("/a", ["x", "y"], ["x"]), Correction("/a", ["x"], []), Correction("/b", ["z"], [])]
    mends = [mending.Kept("1", told=one) for one in struck] + [mending.Kept("2")]
    taken = verify.Evaluation("", Verdict({"a": [], "b": ["z"]}))
    assert [*mending.standing(taken, mends)] == [struck[1]]


def test_mends_are_known_for_as_long_as_what_is_kept_begins_with_them():
    mends = [mending.Kept("a\n"), mending.Kept("a\nb"), mending.Kept("a\nbc\n")]
    assert mending.within(mends, mending.Kept("a\nb\n")) == tuple(mends[:2])
    assert mending.within(mends, mending.Kept()) == ()
