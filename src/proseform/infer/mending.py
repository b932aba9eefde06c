"""Where an evaluation that was not accepted goes on.

A *mend* leaves the evaluator less to choose from, by a rule, so that it is asked as it was before, and not counted as a
try: a quote for what no input names is struck out, and a text that stands beside another thing than the one it is said
of; a quote that bears on nothing is written again, out of the lines that do; periods that run to the present get their
date. Where no rule helps, the evaluator tries again, sampled, behind
what was sound.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from proseform import claims, guided, verify
from proseform.infer import judging, tokens
from proseform.schema import pointer
from proseform.strict import same
from proseform.verdict import Reason

if TYPE_CHECKING:
    from proseform.infer.moves import Plan
    from proseform.task import Task
    from proseform.verdict import Correction
    from proseform.verify import Evaluation

Write = Callable[[Any], str]
_LINE = re.compile(r"line ([0-9]{1,4})")


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an evaluation that was not accepted, and goes on.

    Attributes:
        text: Its beginning, which stands.
        expected: All of it, as far as it probably stays what it was; empty where nothing is known.
        behind: A grammar of what goes on (:func:`proseform.guided.quoting`); empty where that is open.
        told: What was struck out.
    """

    text: str = ""
    expected: str = ""
    behind: str = ""
    told: Correction | None = None


def mended(plan: Plan, prose: str) -> Kept | None:
    """The beginning of an evaluation that was not accepted, up to a fault that a rule can mend; None for others.

    Nothing is struck out but where the bundle says that what follows by rule is computed by rule. Nothing is kept that
    spells a control token: a server that is asked in messages would read it as one.
    """
    verdict, task = judging.evaluation(plan, prose).verdict, plan.task
    if task is None or task.write is None or verdict.reason not in (Reason.UNGROUNDED, Reason.INCONSISTENT):
        return None
    value = verify.form(prose, task, plan.inputs).value
    if verdict.reason is Reason.INCONSISTENT:
        place = claims.undated(value, task.claims)
        kept = _dated(task.write, value, place) if place else None
    else:
        ways = (_struck, _astray, _misquoted) if plan.bundle.accept == "recomputed" else (_misquoted,)
        found = (way(plan, task, task.write, value, verdict.where) for way in ways)
        kept = next(filter(None, found), None)
    return None if kept is None or tokens.special(kept.text) else kept


def sound(plan: Plan, prose: str) -> Kept:
    """The beginning of an evaluation that was not accepted, in whole lines, up to its fault; empty where nothing is.

    A line that is none of the form has its number in the verdict; in which line something stands that is not grounded,
    the task's writer tells. Control tokens are as for :func:`mended`.
    """
    verdict, task = judging.evaluation(plan, prose).verdict, plan.task
    kept = ""
    if verdict.reason is Reason.FORM and (numbered := _LINE.fullmatch(verdict.where)):
        kept = "".join(prose.splitlines(keepends=True)[: int(numbered[1]) - 1])
    elif verdict.reason is Reason.UNGROUNDED and task is not None and task.write is not None:
        value = verify.form(prose, task, plan.inputs).value
        if isinstance(pointer.at(value, verdict.where), str):
            until, _ = _until(task.write, value, verdict.where)
            kept = "".join(until.rpartition("\n")[:2])
    return Kept("" if tokens.special(kept) else kept)


def within(mends: Sequence[Kept], kept: Kept) -> tuple[Kept, ...]:
    """The mends that what is kept begins with: behind it the evaluation is written again."""
    return tuple(one for one in mends if kept.text.startswith(one.text))


def standing(taken: Evaluation, mends: Sequence[Kept]) -> Iterator[Correction]:
    """What was struck out and is still out, each place once, as it was struck out last."""
    value = taken.verdict.value
    told = {one.told.pointer: one.told for one in mends if one.told}
    yield from (one for one in told.values() if same(pointer.at(value, one.pointer), one.follows))


def _struck(plan: Plan, task: Task, write: Write, value: Any, place: str) -> Kept | None:
    """Behind a quote for what no input names, without it: what stands there instead is as the task writes it."""
    without = claims.struck(value, place, task.claims, plan.inputs, task.synonyms)
    if without is None:
        return None
    before, after = write(value), write(without[0])
    same_first, same_last = _alike(before, after), _alike(before[::-1], after[::-1])
    return Kept(after[: max(same_first, len(after) - same_last)], after, told=without[1])


def _astray(plan: Plan, task: Task, write: Write, value: Any, place: str) -> Kept | None:
    """Behind what a text was said of and does not stand beside, without the text; what comes then is expected again."""
    without = claims.astray(value, place, task.claims, plan.inputs)
    if without is None:
        return None
    result, beside, told = without
    until, _ = _until(write, result, beside)
    kept, expected = until + pointer.at(result, beside), write(result)
    return Kept(kept, expected, told=told) if expected.startswith(kept) else None


def _misquoted(plan: Plan, task: Task, write: Write, value: Any, place: str) -> Kept | None:
    """Before a quote that bears on nothing, where the evaluator is shown lines that bear: it quotes one of these."""
    if plan.narrows or not plan.bundle.evaluator.grammar:
        return None  # an engine that does not end documents holds to no form either: greedy it would write the same
    texts = {**{name: given.text for name, given in plan.inputs.items()}, **plan.excerpts}
    lines, names = claims.bearing(value, place, task.claims, texts, task.synonyms)
    if not lines:
        return None
    until, behind = _until(write, value, place)
    return Kept(until, write(value), guided.quoting(behind[:1], lines, names)) if behind else None


def _dated(write: Write, value: Any, place: str) -> Kept:
    """Up to where a date belongs; what stands behind it is expected again."""
    until, behind = _until(write, value, place)
    kept = until.rstrip(" ")
    return Kept(kept, kept + behind)


def _until(write: Write, value: Any, place: str) -> tuple[str, str]:
    """An evaluation up to where it says what stands at a place, and what it says behind that."""
    ways = []
    for other in "01":
        changed = copy.deepcopy(value)
        pointer.put(changed, place, other)
        ways.append(write(changed))
    alike = _alike(*ways)
    return ways[0][:alike], ways[0][alike + 1 :]


def _alike(one: str, other: str) -> int:
    """Characters with which both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
