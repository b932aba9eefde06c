"""From which cases the bundle abstains: its own ones, and foreign ones. No model is asked.

A foreign case is one of its own in which one input was replaced: by a document of another kind, about as long as the
input that it replaces, so that its length alone does not give it away; or by another input of the same case. Beside
these stand the cases of the task's other levels.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from proseform import stats
from proseform.abstention import Abstention
from proseform.outcome import Outcome
from proseform.suites import Ask, Study, Subject, answers, as_json, figures, strangers

SUITE = "foreign"
_CASES = 100
"""Foreign cases of each kind, at most."""
Inputs = Mapping[str, str]


class Foreign(NamedTuple):
    """Foreign cases of one kind.

    Attributes:
        kind: In words.
        cases: Their inputs.
    """

    kind: str
    cases: Sequence[Inputs]


def plan(study: Study, subject: Subject) -> list[Ask]:
    """Nothing: abstention is a matter of the inputs alone."""
    del study, subject
    return []


def judge(outcome: Outcome, study: Study) -> Outcome:
    """No model is asked, so that there is nothing to judge."""
    del study
    return outcome


def summarise(ends: Sequence[Outcome], study: Study) -> dict[str, Any]:
    """``abstention``: the figures below, or None where the bundle answers every case.

    - ``share``, ``cases``, ``bound``: as :class:`proseform.abstention.Abstention` states them;
    - ``coverage``: the share of the held-out cases that it answers;
    - ``answered``: the scores of the answers to these alone;
    - ``why``: reason to the number of held-out cases that it does not answer for it first;
    - ``foreign``: for each kind ``kind``, ``abstained`` (an estimate), and ``auroc`` against the held-out cases.

    Args:
        ends: The shipped subject's constrained answers, with their scores.
        study: What was measured.
    """
    model = study.abstention
    if model is None:
        return {"abstention": None}
    strange = {case.id: model.strange(case.inputs) for case in study.cases}
    own = [model.distance(case.inputs) for case in study.cases]
    covered = [row for row in ends if not strange.get(row.case)]
    return {
        "abstention": {
            "share": model.share,
            "cases": model.cases,
            "bound": model.bound,
            "coverage": as_json(stats.mean([not reasons for reasons in strange.values()])),
            "answered": figures(covered, answers.SCORES),
            "why": dict(Counter(str(reasons[0]) for reasons in strange.values() if reasons)),
            "foreign": [_row(model, foreign, own) for foreign in foreigners(study)],
        }
    }


def foreigners(study: Study) -> Iterator[Foreign]:
    """Foreign cases of every kind, in the same order each time."""
    own = [case.inputs for case in study.cases[:_CASES]]
    if not own:
        return
    for name in study.task.inputs:
        length = round(statistics.median(len(inputs[name]) for inputs in own))
        for kind in strangers.kinds():
            texts = (strangers.document(kind, length, f"{name}/{number}") for number in range(len(own)))
            cases = [{**inputs, name: text} for inputs, text in zip(own, texts, strict=True)]
            yield Foreign(f"{kind} as {name}", cases)
        for other in study.task.inputs:
            if other != name:
                yield Foreign(f"{other} as {name}", [{**inputs, name: inputs[other]} for inputs in own])
    for level in () if study.task.replayed else study.task.levels:
        if level != study.level:
            others = islice(study.task.generate(level, study.split, 0, len(own)), len(own))
            yield Foreign(f"level {level}", [case.inputs for case in others])


def auroc(own: Sequence[float], foreign: Sequence[float]) -> float:
    """How often a foreign case lies further off than one of its own, ties half, in [0, 1]; neither is empty.

    >>> auroc([0.0, 1.0], [1.0, 2.0])
    0.875
    """
    ranked = Counter(own)
    below, seen = {}, 0
    for distance in sorted({*own, *foreign}):
        below[distance] = seen + ranked[distance] / 2
        seen += ranked[distance]
    return sum(below[distance] for distance in foreign) / (len(own) * len(foreign))


def _row(model: Abstention, foreign: Foreign, own: Sequence[float]) -> dict[str, Any]:
    """How many of a kind are noticed."""
    distances = [model.distance(inputs) for inputs in foreign.cases]
    return {
        "kind": foreign.kind,
        "abstained": as_json(stats.mean([distance > model.bound for distance in distances])),
        "auroc": round(auroc(own, distances), 4),
    }
